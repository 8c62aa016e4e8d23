"""Rules of a repository that a push or a merge of ours would meet, in words.

Rulesets only: classic protection cannot be read without administration rights. Whether the App may
bypass a rule is not told either, so most of these are worth knowing, and not wrong.
https://docs.github.com/en/rest/repos/rules#get-rules-for-a-branch
"""

from collections.abc import Iterator, Sequence

from bot.config.choices import MergeMethod
from bot.config.repo import RepoConfig
from bot.github.types import Rules
from bot.setup.finding import Finding, bad, good, warning
from bot.workflow.report.checks import E2E, GUARDIAN, PRODUCTION, TASK

OURS = (TASK, GUARDIAN, E2E)  #: the checks that a rule may require before a merge
MERGE_GROUP = "merge_group"

_BYPASS = "Let the App bypass the rule, or switch it off."
#: What a merge may fail at, by GitHub's word for the rule.
HOLD_UP = {
    "update": ("lets only those change it who may bypass its rules", _BYPASS),
    "required_signatures": ("wants signed commits, and those of the App are not", _BYPASS),
    "commit_message_pattern": ("has a rule for the words of commits", _BYPASS),
    "commit_author_email_pattern": ("has a rule for the authors of commits", _BYPASS),
    "committer_email_pattern": ("has a rule for the committers of commits", _BYPASS),
    "required_deployments": (
        "wants deployments before a merge",
        "Name staging only, or set deploy.production.order to deploy-first.",
    ),
    "workflows": ("wants workflows to pass", "They have to run on pull requests of the App."),
    "code_scanning": ("wants code scanning", "It has to run on pull requests of the App."),
}
#: Rules that are refusals where they hold for the branches that we push to.
_REFUSE_PUSHES = (
    "creation",
    "update",
    "branch_name_pattern",
    "commit_message_pattern",
    "commit_author_email_pattern",
    "committer_email_pattern",
    "required_signatures",
    "pull_request",
    "required_status_checks",
    "merge_queue",
)


def rules_of_merge(
    area: str, branch: str, rules: Rules | None, config: RepoConfig, *, hears_queue: bool
) -> Iterator[Finding]:
    """Rules of the default branch that a pull request of ours would meet."""
    if rules is None:
        fix = "Look at the branch's rules yourself."
        yield warning(area, f"does not tell the rules of {branch}", fix)
        return
    if not rules.kinds:
        yield good(area, f"has no rules on {branch} that would hold up a merge")
    if rules.merge_queue and not hears_queue:
        fix = f"Give the App merge_queues: read, and subscribe it to the event {MERGE_GROUP}."
        yield bad(area, "merges through a queue that the App does not hear of", fix)
    elif rules.merge_queue:
        yield good(area, "merges through its merge queue")
    if rules.approvals:
        fix = "A person approves the pull request; Chimera cannot approve its own."
        yield warning(area, f"a merge needs {rules.approvals} approvals", fix)
    yield from _required_checks(area, rules.required_checks)
    for kind, (text, fix) in HOLD_UP.items():
        if kind in rules.kinds:
            yield warning(area, f"{branch} {text}", fix)
    if "required_linear_history" in rules.kinds and config.pull.merge is MergeMethod.MERGE:
        fix = "Set pull.merge to squash or rebase in chimera.yml."
        yield bad(area, f"{branch} wants a linear history, and pull.merge is merge", fix)


def rules_of_push(area: str, branch: str, rules: Rules | None) -> Iterator[Finding]:
    """Rules of a branch of ours that a push to it would meet."""
    found = [kind for kind in rules.kinds if kind in _REFUSE_PUSHES] if rules is not None else []
    if found:
        fix = "Except our branches from the rule, let the App bypass it, or change pull.branch."
        yield warning(area, f"a push to {branch} meets the rules {', '.join(found)}", fix)


def example_branch(config: RepoConfig) -> str:
    """A branch as a task would have it."""
    return config.pull.branch.format(issue="1", slug="example", task="chimera-example")


def _required_checks(area: str, required: Sequence[str]) -> Iterator[Finding]:
    never = [name for name in required if name.startswith("chimera /") and name not in OURS]
    if PRODUCTION in never:
        fix = f"Require `{TASK}` instead: production is deployed after the merge."
        yield bad(area, f"requires {PRODUCTION} before the merge", fix)
    elif never:
        fix = f"Not every pull request gets that; require one of {', '.join(OURS)}."
        yield bad(area, f"requires the check {', '.join(never)}", fix)
    others = [name for name in required if name not in OURS and name not in never]
    if others:
        fix = "Your CI has to report them on pull requests, or no change is merged."
        yield warning(area, f"requires the checks {', '.join(others)}", fix)
