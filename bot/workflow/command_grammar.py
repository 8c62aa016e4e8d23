"""The grammar of commands: what may follow a verb, and which verb was perhaps meant. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from bot.config.choices import Verb
from bot.domain import MAX_PRIORITY, MIN_PRIORITY
from bot.workflow.command_lines import MAX_COMMANDS, PREFIX, command_lines
from bot.workflow.commands import BY_NAME, PHASE_WORDS, Command, Misspelt, Spec, Takes, spec_of

MAX_REASON = 500
MAX_BUDGET_USD = 10_000.0
UNKNOWN = "there is no such command"
TOO_MANY = f"a comment has at most {MAX_COMMANDS} commands, and this one was left out"
_SHA = frozenset("0123456789abcdef")


def parse_commands(body: str, prefix: str = PREFIX) -> list[Command | Misspelt]:
    """The commands of a comment, in order, at most three; the next one is told to be too many."""
    lines = command_lines(body, prefix)
    made = [_parse(line, line[len(prefix) :].split()) for line in lines[:MAX_COMMANDS]]
    return made + [Misspelt(line=line, problem=TOO_MANY) for line in lines[MAX_COMMANDS:]]


def _parse(line: str, words: Sequence[str]) -> Command | Misspelt:
    if not words:
        return Command(verb=Verb.HELP)
    spec = BY_NAME.get(words[0].lower()) if words[0].isascii() else None
    if spec is None:
        return Misspelt(line=line, problem=UNKNOWN, nearest=_nearest(words[0].lower()[:30]))
    made = _argued(spec, words[1:])
    if isinstance(made, Command):
        return made
    return Misspelt(line=line, problem=made, nearest=spec.verb)


def _nearest(word: str) -> Verb | None:
    """The verb that was perhaps meant: begun so, or spelt nearly so."""
    begun = [name for name in BY_NAME if name.startswith(word)]
    near = begun or get_close_matches(word, list(BY_NAME), n=1, cutoff=0.6)
    return BY_NAME[near[0]].verb if near else None


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
