"""What a task no longer knows when an earlier phase is done again. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.domain import Phase
from bot.facts import Facts
from bot.workflow.flow import ORDER


def forgotten(facts: Facts, phase: Phase) -> Facts:
    """The facts without those that `phase` and the ones after it would find out anew.

    What a person approved and what was then merged stays approved: nobody is asked twice for it,
    and the evidence says whose word it was.
    """
    kept = facts
    for member in ORDER[ORDER.index(phase) :]:
        kept = replace(kept, **_LEARNED[member])
    return replace(kept, approval=facts.approval) if facts.merge_sha else kept


_LEARNED: Mapping[Phase, dict[str, Any]] = {
    Phase.E2E_TEST_GENERATION: {"base_checks": None, "feedback": (), "last_failure": ""},
    Phase.CODE_IMPLEMENTATION: {"wip_sha": "", "last_failure": "", "green": ()},
    Phase.GUARDIAN_REVIEW: {
        "findings": (),
        "review_summary": "",
        "reviewed_sha": "",
        "tests_compared": "",
        "weaker_tests_by": "",
    },
    Phase.STAGING_DEPLOYMENT: {"staging": None},
    Phase.E2E_VALIDATION: {"validation": None, "validated_sha": "", "validated_tree": ""},
    Phase.PRODUCTION_DEPLOYMENT: {
        "approval": None,
        "production": None,
        "production_validation": None,
        "production_trouble": "",
        "rollback": None,
        "rollback_by": "",
    },
    Phase.COMPLETE: {},
}
