"""Which function does which phase."""

from collections.abc import Mapping

from bot.domain import Phase
from bot.workflow.phases.code import implement
from bot.workflow.phases.e2e_tests import generate_tests
from bot.workflow.phases.production import produce
from bot.workflow.phases.review import review
from bot.workflow.phases.staging import stage
from bot.workflow.phases.step import Run
from bot.workflow.phases.validation import validate

PHASES: Mapping[Phase, Run] = {
    Phase.E2E_TEST_GENERATION: generate_tests,
    Phase.CODE_IMPLEMENTATION: implement,
    Phase.GUARDIAN_REVIEW: review,
    Phase.STAGING_DEPLOYMENT: stage,
    Phase.E2E_VALIDATION: validate,
    Phase.PRODUCTION_DEPLOYMENT: produce,
}
