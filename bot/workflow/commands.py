"""The commands: one table for parser, help, docs and tests.

Where in a comment a command may stand is in `command_lines`, what may follow it is in
`command_grammar`; who may give it is looked up by `commanding`. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.config.choices import RepoRole, Verb
from bot.domain import ENDED, MAX_PRIORITY, MIN_PRIORITY, Phase, Status
from bot.workflow.command_lines import PREFIX

LIVE = frozenset(Status) - ENDED
ANY = frozenset(Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What somebody asks for. A member that was not said is None or empty."""

    verb: Verb
    priority: int | None = None
    budget: float | None = None  #: dollars
    sha: str = ""  #: at least seven digits, lower case
    phase: Phase | None = None
    reason: str = ""  #: foreign text


@dataclass(frozen=True, slots=True, kw_only=True)
class Misspelt:
    """A line meant as a command that is none; foreign text in `line`."""

    line: str
    problem: str  #: ours: what is wrong
    nearest: Verb | None = None  #: perhaps meant; the verb itself when only its argument is wrong


class Takes(StrEnum):
    """What may follow a verb."""

    NOTHING = ""
    OPTIONS = "[--priority n] [--budget usd]"
    PHASE = "[phase]"
    PRIORITY = "n"
    BUDGET = "usd"
    STAGING = "staging"
    SHA = "[sha7]"
    REASON = "[reason]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One row of the table."""

    verb: Verb
    takes: Takes = Takes.NOTHING
    least: RepoRole
    does: str
    statuses: frozenset[Status] = LIVE  #: of the issue's task, in which it is possible
    needs_task: bool = True  #: False: possible where there is none, too
    aliases: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        return " ".join(filter(None, (PREFIX, self.verb, self.takes)))


TABLE: tuple[Spec, ...] = (
    Spec(
        verb=Verb.HELP,
        least=RepoRole.READ,
        does="lists the commands",
        statuses=ANY,
        needs_task=False,
    ),
    Spec(
        verb=Verb.STATUS,
        least=RepoRole.READ,
        does="says where the task stands and why it waits",
        statuses=ANY,
    ),
    Spec(
        verb=Verb.EXPLAIN,
        least=RepoRole.READ,
        does="shows the journal of the last phase",
        statuses=ANY,
    ),
    Spec(
        verb=Verb.START,
        takes=Takes.OPTIONS,
        least=RepoRole.TRIAGE,
        does="starts a task for this issue",
        statuses=ENDED,
        needs_task=False,
    ),
    Spec(
        verb=Verb.RETRY,
        takes=Takes.PHASE,
        least=RepoRole.TRIAGE,
        does="goes on at the phase where it ended or waits, or at the phase named",
        statuses=frozenset({Status.WAITING, Status.FAILED, Status.DEAD, Status.CANCELLED}),
    ),
    Spec(
        verb=Verb.CANCEL,
        least=RepoRole.TRIAGE,
        does="ends the task; what was made is kept",
        aliases=("stop", "abort"),
    ),
    Spec(
        verb=Verb.PAUSE,
        least=RepoRole.TRIAGE,
        does="parks the task until somebody resumes it; after a failure: hands it to a person",
        statuses=LIVE | {Status.FAILED, Status.DEAD},
    ),
    Spec(
        verb=Verb.RESUME,
        least=RepoRole.TRIAGE,
        does="goes on with a parked task",
        statuses=frozenset({Status.WAITING}),
        aliases=("continue", "unpause"),
    ),
    Spec(
        verb=Verb.PRIORITY,
        takes=Takes.PRIORITY,
        least=RepoRole.TRIAGE,
        does=f"sets the priority, {MIN_PRIORITY} to {MAX_PRIORITY}; higher goes first",
    ),
    Spec(
        verb=Verb.BUDGET,
        takes=Takes.BUDGET,
        least=RepoRole.TRIAGE,
        does="sets how many dollars the task may spend",
        statuses=LIVE | {Status.FAILED},
    ),
    Spec(
        verb=Verb.REVIEW,
        least=RepoRole.WRITE,
        does="asks the guardian again",
    ),
    Spec(
        verb=Verb.DEPLOY,
        takes=Takes.STAGING,
        least=RepoRole.WRITE,
        does="stages and validates again",
    ),
    Spec(
        verb=Verb.APPROVE,
        takes=Takes.SHA,
        least=RepoRole.MAINTAIN,
        does="lets the commit that is shown into production",
        statuses=frozenset({Status.WAITING}),
    ),
    Spec(
        verb=Verb.REJECT,
        takes=Takes.REASON,
        least=RepoRole.MAINTAIN,
        does="refuses production and ends the task",
        statuses=frozenset({Status.WAITING}),
    ),
    Spec(
        verb=Verb.ROLLBACK,
        least=RepoRole.MAINTAIN,
        does="puts back what was live in production before",
        statuses=frozenset({Status.WAITING, Status.COMPLETED, Status.FAILED}),
    ),
    Spec(
        verb=Verb.HOLD,
        takes=Takes.REASON,
        least=RepoRole.MAINTAIN,
        does="lets no task start in this repository",
        statuses=ANY,
        needs_task=False,
        aliases=("freeze",),
    ),
    Spec(
        verb=Verb.UNHOLD,
        least=RepoRole.MAINTAIN,
        does="lets tasks start again",
        statuses=ANY,
        needs_task=False,
        aliases=("unfreeze",),
    ),
    Spec(
        verb=Verb.CONFIG,
        least=RepoRole.READ,
        does="shows the effective configuration and where each value is from",
        statuses=ANY,
        needs_task=False,
    ),
)

BUTTONS: Mapping[str, Command] = {
    "approve": Command(verb=Verb.APPROVE),
    "reject": Command(verb=Verb.REJECT),
    "retry": Command(verb=Verb.RETRY),
    "hand-over": Command(verb=Verb.PAUSE, reason="handed to a person"),
}
"""What a check's button means, by its identifier; the check's head SHA belongs to `approve`."""

PHASE_WORDS: Mapping[str, Phase] = {
    "tests": Phase.E2E_TEST_GENERATION,
    "e2e": Phase.E2E_TEST_GENERATION,
    "code": Phase.CODE_IMPLEMENTATION,
    "review": Phase.GUARDIAN_REVIEW,
    "guardian": Phase.GUARDIAN_REVIEW,
    "staging": Phase.STAGING_DEPLOYMENT,
    "validation": Phase.E2E_VALIDATION,
    "production": Phase.PRODUCTION_DEPLOYMENT,
}
"""The words for a phase after `retry`, besides the phase's own name."""

BY_NAME: Mapping[str, Spec] = {
    name: spec for spec in TABLE for name in (str(spec.verb), *spec.aliases)
}
"""The table's rows by verb and alias."""


def spec_of(verb: Verb) -> Spec:
    """The table's row of a verb."""
    return BY_NAME[verb]


def least_role(verb: Verb, overrides: Mapping[Verb, RepoRole]) -> RepoRole:
    """Who may give the command here, with the repository's own say."""
    return overrides.get(verb, spec_of(verb).least)


def possible(status: Status | None) -> list[Verb]:
    """What can be asked for in a state; None: the issue has no task."""
    if status is None:
        return [spec.verb for spec in TABLE if not spec.needs_task]
    return [spec.verb for spec in TABLE if status in spec.statuses]
