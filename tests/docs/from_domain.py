"""Tables of the closed sets: phases, states, verdicts, causes, waits, events."""

import inspect
from collections.abc import Callable
from enum import StrEnum

from bot.domain import Cause, Outcome, Phase, Role, Status, WaitFor
from bot.effects import EffectState
from bot.events import Event
from bot.github.readers import _READERS
from bot.workflow.report.failures import FAILURES
from bot.workflow.report.words import TITLES
from tests.docs.blocks import code, table
from tests.docs.source import members_used, sayings

TELLING = (
    "domain.py",
    "effects.py",
    "workflow/report/",
)  #: modules that name members only to speak of them


def phases() -> str:
    said = sayings(Phase)
    rows = [[code(phase), TITLES.get(phase, ""), said[phase]] for phase in Phase]
    return table(["Phase", "Shown as", "Is about"], rows)


def statuses() -> str:
    said = sayings(Status)
    rows = [[code(s), said[s], "yes" if s.ended else ""] for s in Status]
    return table(["Status", "Means", "Ended"], rows)


def outcomes() -> str:
    return _plain(Outcome, "Verdict")


def roles() -> str:
    return table(["Role"], [[code(role)] for role in Role])


def effect_states() -> str:
    return _plain(EffectState, "State")


def causes() -> str:
    """Every cause with what is said and what a person can do."""
    said = sayings(Cause)
    used = members_used(Cause, outside=TELLING)
    rows = [
        [code(c), said[c], FAILURES[c].what, FAILURES[c].next, "yes" if c in used else "not yet"]
        for c in Cause
    ]
    return table(["Cause", "Means", "The comment says", "What to do", "Occurs"], rows)


def waits() -> str:
    """Every reason to wait, and whether only a person ends it."""
    said = sayings(WaitFor)
    used = members_used(WaitFor, outside=TELLING)
    rows = [
        [code(w), said[w], "a person" if w.needs_person else "", "yes" if w in used else "not yet"]
        for w in WaitFor
    ]
    return table(["Waits for", "Means", "Ended only by", "Occurs"], rows)


def deliveries() -> str:
    """Which delivery is read as which event."""
    rows = [
        [code(name), code(action) if action != "*" else "any", code(_made_by(reader))]
        for (name, action), reader in _READERS.items()
    ]
    both = ("installation", "installation_repositories")
    rows += [[code(name), "any", code("InstallationChanged")] for name in both]
    return table(["Delivery", "Action", "Event"], rows)


def event_names() -> list[str]:
    return [kind.__name__ for kind in Event.__args__]


def _made_by(reader: Callable[..., object]) -> str:
    """The event that a reader makes."""
    text = inspect.getsource(reader)
    return next(name for name in event_names() if f"{name}(" in text)


def _plain(kind: type[StrEnum], heading: str) -> str:
    said = sayings(kind)
    return table([heading, "Means"], [[code(member), said[member]] for member in kind])
