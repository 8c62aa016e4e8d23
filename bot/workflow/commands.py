"""The commands: one table for parser, help, docs and tests, and the grammar of what follows them.

Where in a comment a command may stand is in `command_lines`; who may give it is looked up by
`intake`. Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum

from bot.config.choices import RepoRole, Verb
from bot.domain import ENDED, MAX_PRIORITY, MIN_PRIORITY, Phase, Status
from bot.workflow.command_lines import MAX_COMMANDS, PREFIX, command_lines

MAX_REASON = 500
MAX_BUDGET_USD = 10_000.0
UNKNOWN = "there is no such command"
TOO_MANY = f"a comment has at most {MAX_COMMANDS} commands, and this one was left out"
_SHA = frozenset("0123456789abcdef")

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

_SPECS: Mapping[str, Spec] = {
    name: spec for spec in TABLE for name in (str(spec.verb), *spec.aliases)
}


def spec_of(verb: Verb) -> Spec:
    """The table's row of a verb."""
    return _SPECS[verb]


def least_role(verb: Verb, overrides: Mapping[Verb, RepoRole]) -> RepoRole:
    """Who may give the command here, with the repository's own say."""
    return overrides.get(verb, spec_of(verb).least)


def possible(status: Status | None) -> list[Verb]:
    """What can be asked for in a state; None: the issue has no task."""
    if status is None:
        return [spec.verb for spec in TABLE if not spec.needs_task]
    return [spec.verb for spec in TABLE if status in spec.statuses]


def parse_commands(body: str, prefix: str = PREFIX) -> list[Command | Misspelt]:
    """The commands of a comment, in order, at most three; the next one is told to be too many."""
    lines = command_lines(body, prefix)
    made = [_parse(line, line[len(prefix) :].split()) for line in lines[:MAX_COMMANDS]]
    return made + [Misspelt(line=line, problem=TOO_MANY) for line in lines[MAX_COMMANDS:]]


def _parse(line: str, words: Sequence[str]) -> Command | Misspelt:
    if not words:
        return Command(verb=Verb.HELP)
    spec = _SPECS.get(words[0].lower()) if words[0].isascii() else None
    if spec is None:
        return Misspelt(line=line, problem=UNKNOWN, nearest=_nearest(words[0].lower()[:30]))
    made = _argued(spec, words[1:])
    if isinstance(made, Command):
        return made
    return Misspelt(line=line, problem=made, nearest=spec.verb)


def _nearest(word: str) -> Verb | None:
    """The verb that was perhaps meant: begun so, or spelt nearly so."""
    begun = [name for name in _SPECS if name.startswith(word)]
    near = begun or get_close_matches(word, list(_SPECS), n=1, cutoff=0.6)
    return _SPECS[near[0]].verb if near else None


def _argued(spec: Spec, args: Sequence[str]) -> Command | str:
    """The command with its arguments, or what is wrong with them."""
    bare = Command(verb=spec.verb)
    if spec.takes is Takes.REASON:
        return replace(bare, reason=" ".join(args)[:MAX_REASON])
    if spec.takes is Takes.OPTIONS:
        return _options(bare, args)
    if not args and spec.takes in _OPTIONAL:
        return bare
    read = _ONE_WORD.get(spec.takes)
    return read(bare, args[0]) if read is not None and len(args) == 1 else _written(spec)


def _written(spec: Spec) -> str:
    return "that is not what may follow it" if spec.takes else "nothing may follow it"


def _options(command: Command, words: Sequence[str]) -> Command | str:
    """`--priority n` and `--budget usd`, each at most once; `=` may stand for the space."""
    parts = [part for word in words for part in word.split("=", 1)]
    if len(parts) % 2:
        return _written(spec_of(command.verb))
    made: Command | str = command
    for name, value in zip(parts[::2], parts[1::2], strict=True):
        if isinstance(made, str):
            return made
        match name:
            case "--priority" if made.priority is None:
                made = _priority(made, value)
            case "--budget" if made.budget is None:
                made = _budget(made, value)
            case _:
                made = _written(spec_of(command.verb))
    return made


def _priority(command: Command, word: str) -> Command | str:
    short = word.isascii() and word.isdigit() and len(word) <= len(str(MAX_PRIORITY))
    if short and MIN_PRIORITY <= int(word) <= MAX_PRIORITY:
        return replace(command, priority=int(word))
    return f"a priority is a whole number from {MIN_PRIORITY} to {MAX_PRIORITY}"


def _budget(command: Command, word: str) -> Command | str:
    number = word.removeprefix("$")
    whole, _, cents = number.partition(".")
    plain = number.isascii() and whole.isdigit() and (cents or "0").isdigit() and len(number) <= 9
    if plain and 0 < float(number) <= MAX_BUDGET_USD:
        return replace(command, budget=float(number))
    return f"a budget is dollars, more than 0 and at most {MAX_BUDGET_USD:,.0f}"


def _sha(command: Command, word: str) -> Command | str:
    sha = word.lower()
    if 7 <= len(sha) <= 40 and set(sha) <= _SHA:
        return replace(command, sha=sha)
    return "a commit is named by 7 to 40 of its hexadecimal digits"


def _phase(command: Command, word: str) -> Command | str:
    named = {phase.lower(): phase for phase in PHASE_WORDS.values()}
    phase = PHASE_WORDS.get(word.lower(), named.get(word.lower()))
    if phase is None:
        return f"a phase is one of {', '.join(PHASE_WORDS)}"
    return replace(command, phase=phase)


def _staging(command: Command, word: str) -> Command | str:
    return command if word.lower() == "staging" else _written(spec_of(command.verb))


_OPTIONAL = frozenset({Takes.NOTHING, Takes.PHASE, Takes.SHA})
_ONE_WORD: Mapping[Takes, Callable[[Command, str], Command | str]] = {
    Takes.PHASE: _phase,
    Takes.PRIORITY: _priority,
    Takes.BUDGET: _budget,
    Takes.STAGING: _staging,
    Takes.SHA: _sha,
}
