"""The last few answers to commands, and for how long the status comment shows each.

An answer about the state in which a task was goes with that state, for after it the answer would
be wrong; any other goes with the task's end, where only the end is to be read.
"""

from dataclasses import dataclass

from pydantic import TypeAdapter

from bot.domain import Task
from bot.tasks.lasting import Lasting

MOST = 3  #: answers that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One answer."""

    text: str
    stamp: str  #: whom it is for, and when it was given
    while_: str  #: shown as long as the task's life, or its state, is this one


_JSON = TypeAdapter(list[Given])


async def give(lasting: Lasting, task: Task, text: str, stamp: str, *, of_state: bool) -> None:
    """Keep an answer beside the last few; one that was given before is only stamped anew."""
    while_ = _state(task) if of_state else _life(task)
    others = [one for one in await _kept(lasting, task) if one.text != text]
    kept = [*others, Given(text=text, stamp=stamp, while_=while_)][-MOST:]
    await lasting.put(_key(task), _JSON.dump_json(kept).decode())


async def shown(lasting: Lasting, task: Task) -> tuple[str, ...]:
    """The answers that are still true, oldest first."""
    return tuple(f"{one.text}\n\n{one.stamp}" for one in await _kept(lasting, task))


async def _kept(lasting: Lasting, task: Task) -> list[Given]:
    kept = _JSON.validate_json(await lasting.value(_key(task)) or "[]")
    return [one for one in kept if one.while_ in (_life(task), _state(task))]


def _life(task: Task) -> str:
    """A task that has ended and goes on lives anew."""
    return f"{task.cursor.attempt} {task.finished_at or 'on'}"


def _state(task: Task) -> str:
    reason = task.wait.reason if task.wait is not None else ""
    return f"{task.status} {task.phase} {task.cursor.round} {task.cursor.attempt} {reason}"


def _key(task: Task) -> str:
    return f"given:{task.id}"
