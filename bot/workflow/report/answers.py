"""What a command is told, where a reaction alone would leave the person guessing.

Answers stand in the status comment; there is never a new comment for an error.
"""

from collections.abc import Mapping, Sequence

from bot.config.choices import RepoRole, Verb
from bot.config.layers import Effective, flat_values
from bot.domain import Status, Task
from bot.workflow.command_grammar import UNKNOWN
from bot.workflow.command_lines import PREFIX
from bot.workflow.commands import TABLE, Misspelt, least_role, possible, spec_of
from bot.workflow.neutral import cell
from bot.workflow.report.progress import ICONS, rows, stopped_at
from bot.workflow.report.status import WAITING_FOR_YOU, ask, place
from bot.workflow.report.view import View
from bot.workflow.report.words import TITLES, clock, duration, joined
from bot.workflow.steering import possible_now

MAX_ECHO = 80  #: of what somebody wrote
MAX_JOURNAL = 20

_STATE_WORDS = {
    Status.QUEUED: "is in the queue",
    Status.RUNNING: "is running",
    Status.WAITING: "is waiting",
    Status.COMPLETED: "is done",
    Status.FAILED: "has failed",
    Status.CANCELLED: "was cancelled",
    Status.DEAD: "was stopped by errors",
}


def misspelt(said: Misspelt) -> str:
    """An unknown verb, or wrong arguments."""
    echo = cell(said.line, MAX_ECHO)
    hint = ""
    if said.nearest is not None:
        usage = f"`{spec_of(said.nearest).usage}`"
        hint = f" Did you mean {usage}?" if said.problem == UNKNOWN else f" Usage: {usage}."
    return f"> [!WARNING]\n> {echo}: {said.problem}.{hint} All commands: `/chimera help`."


def wrong_state(verb: Verb, task: Task | None) -> str:
    """Not possible now: what the state is, and what is possible instead."""
    state = f"the task {_STATE_WORDS[task.status]}" if task is not None else "there is no task"
    return refused(verb, state, task)


def refused(verb: Verb, why: str, task: Task | None) -> str:
    """Not done, for this reason; and what can be asked for instead."""
    verbs = possible_now(task) if task is not None else possible(None)
    now = joined([f"`{other}`" for other in verbs])
    said = f"`{PREFIX} {verb}` was not done: {cell(why, 300)}. Possible now: {now}."
    return f"> [!WARNING]\n> {said}"


def stamp(by: str, at: float, since: float) -> str:
    """Whom an answer is for and when it was given, for it stays for a while."""
    return f"<sub>for {cell(by, 40)}, {clock(at, since)}</sub>"


def help_text(overrides: Mapping[Verb, RepoRole]) -> str:
    """All commands, with the least role that this repository asks for."""
    lines = [
        f"| `{spec.usage}` | {least_role(spec.verb, overrides)} | {spec.does} |" for spec in TABLE
    ]
    head = "| Command | Least role | What it does |\n|-|-|-|"
    return _folded("Commands", "\n".join([head, *lines]))


def status_text(view: View) -> str:
    """Where the task stands, in a sentence or two."""
    task, asked = view.task, ask(view)
    about = TITLES[stopped_at(task, view.journal)] if not task.status.ended else "The task"
    state = f"is {place(view)}" if place(view) else _STATE_WORDS[task.status]
    waits = f": {cell(task.wait.reason, 300)}" if task.wait is not None else ""
    said = f"> [!NOTE]\n> {about} {state}{waits}."
    return f"{said}\n> {WAITING_FOR_YOU}{asked}" if asked else said


def explanation(view: View) -> str:
    """The journal of the phase where the task stands or ended."""
    at = stopped_at(view.task, view.journal)
    row = rows(view.task, view.journal)[at]
    lines = [
        f"| {clock(line.started_at, view.task.created_at)} | {line.outcome} "
        f"| {duration(line.seconds)} | {cell(line.summary, 240)} |"
        for line in view.journal
        if line.phase is at
    ][-MAX_JOURNAL:]
    head = "| At | Outcome | Took | |\n|-|-|-|-|"
    body = "\n".join([head, *lines]) if lines else "Nothing is recorded of this phase yet."
    return _folded(f"{ICONS[row.state]} Journal of {TITLES[at]}", body)


def config_text(effective: Effective) -> str:
    """The effective configuration, each value with its origin."""
    lines = [
        f"| `{key}` | {cell(_shown(key, value), 200)} | {cell(effective.origin(key), 200)} |"
        for key, value in flat_values(effective.config).items()
    ]
    head = "| Key | Value | From |\n|-|-|-|"
    return _folded("Configuration", "\n".join([head, *lines]))


def broken_config(problems: str) -> str:
    """What is wrong with the repository's file, in place of what it would say."""
    return f"> [!WARNING]\n> {cell(problems, 1000)}"


def _shown(key: str, value: object) -> str:
    match value:
        case None if key.startswith("agents."):
            return "as the server says"
        case None | "":
            return "not set"
        case bool():
            return "true" if value else "false"
        case list() | tuple() as items:
            return _listed([str(item) for item in items])
        case dict() if not value:
            return "none"
        case _:
            return str(value)


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items) if items else "none"


def _folded(title: str, body: str) -> str:
    return f"<details open><summary>{title}</summary>\n\n{body}\n\n</details>"
