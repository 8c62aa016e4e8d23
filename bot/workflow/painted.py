"""What a painter remembers of one task: what GitHub shows now, and under which ids."""

from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter


@dataclass(slots=True, kw_only=True)
class PaintedCheck:
    """One check run as it was painted last."""

    id: int
    look: str  #: hash of what it says
    at: float
    completed: bool
    state: str = ""  #: status, conclusion and buttons: what a person or branch protection acts on
    updates: int = 0
    annotated: bool = False  #: annotations are appended by GitHub, so they go out once


@dataclass(slots=True, kw_only=True)
class Painted:
    """Mutable, saved after every painting; the ledger is the truth about what was created."""

    comment_id: int = 0
    text: str = ""  #: hash
    text_at: float = 0.0
    edits: int = 0
    pinned: bool = False
    label: str = ""
    swapping: bool = False  #: whether a change of the label has begun and may not be complete
    wanted_label: str = ""
    wanted_since: float = 0.0
    labels: int = 0  #: changes so far
    reaction: str = ""  #: ours on the issue: eyes, or the one that stands for the end
    reaction_id: int = 0
    reactions: int = 0  #: changes so far
    checks: dict[str, PaintedCheck] = field(default_factory=dict)  #: by "name@sha"
    waiting_checks: dict[str, float] = field(default_factory=dict)  #: since when one is wanted
    closed: bool = False
    status: str = ""  #: of the task; a change of it moves those behind it in the queue
    doubt: bool = False  #: whether another painter may have put on any of our labels


_JSON = TypeAdapter(Painted)


def load(text: str) -> Painted:
    """From the stored text; `{}` is a fresh one."""
    return _JSON.validate_json(text)


def following(earlier: Painted) -> Painted:
    """A fresh one for an issue that shows the reaction and the label of an earlier task."""
    return Painted(reaction=earlier.reaction, reaction_id=earlier.reaction_id, label=earlier.label)


def doubtful(painted: Painted) -> Painted:
    """The same objects, with nothing assumed about what they show."""
    checks = {key: replace(check, look="", at=0.0) for key, check in painted.checks.items()}
    return replace(painted, text="", text_at=0.0, label="", checks=checks, doubt=True)


def dump(painted: Painted) -> str:
    return _JSON.dump_json(painted, exclude_defaults=True).decode()
