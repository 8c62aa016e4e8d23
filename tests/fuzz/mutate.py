"""Payloads with one thing wrong: missing, null, or of another type; and many things by seed."""

import copy
import gzip
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Step = str | int
Place = tuple[Step, ...]

MISSING = object()  #: a value that stands for none
OTHERS: tuple[Any, ...] = (MISSING, None, 7, "other", True, [], {}, [None], {"id": "x"})
NASTY: tuple[Any, ...] = (
    *OTHERS,
    -1,
    2**63,
    10**40,
    1.5,
    "",
    "\ud800",
    "\x00",
    "../../etc/passwd",
    "--upload-pack=x",
    "<!-- chimera:v1 task=x -->",
    "x" * 100_000,
    [[[[[[[[[[]]]]]]]]]],
)


def examples() -> dict[str, Any]:
    """Real deliveries by "event.action", and those that no collection has, made of their kin."""
    with gzip.open(Path(__file__).parent / "examples.json.gz") as file:
        found: dict[str, Any] = json.load(file)
    found["issues.closed"] = found["issues.deleted"] | {"action": "closed"}
    kept = {name: found["issues.closed"][name] for name in ("repository", "sender")}
    found["issue_dependencies.blocked_by_removed"] = kept | {
        "action": "blocked_by_removed",
        "blocking_issue": found["issues.closed"]["issue"],
    }
    found["repository.archived"] = found["repository.renamed"] | {"action": "archived"}
    found["repository.deleted"] = found["repository.renamed"] | {"action": "deleted"}
    status = found["deployment_status.created"]
    run = f"{status['repository']['url']}/actions/runs/77/deployment_protection_rule"
    kept = {name: status[name] for name in ("deployment", "repository", "sender")}
    found["deployment_protection_rule.requested"] = kept | {
        "action": "requested",
        "environment": "production",
        "deployment_callback_url": run,
    }
    return found


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value but the whole; of a list the first items, which stand for all."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value[:2])
    for step, member in inner:
        yield (*at, step)
        yield from places(member, (*at, step))


@contextmanager
def changed(payload: Any, place: Place, value: Any) -> Iterator[None]:
    """The payload with another value at a place, for the length of a block."""
    holder = payload
    for step in place[:-1]:
        holder = holder[step]
    last = place[-1]
    before = copy.copy(holder)
    if value is MISSING:
        del holder[last]
    else:
        holder[last] = value
    try:
        yield
    finally:
        holder.clear()
        holder.update(before) if isinstance(holder, dict) else holder.extend(before)


def garbled(payload: Any, dice: random.Random) -> Any:
    """A copy with one to three things wrong, or something in it that nobody knows."""
    made = copy.deepcopy(payload)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        found = list(places(made))
        if not found:
            break
        place, value = dice.choice(found), dice.choice(NASTY)
        holder = made
        for step in place[:-1]:
            holder = holder[step]
        if value is MISSING:
            del holder[place[-1]]
        else:
            holder[place[-1]] = copy.deepcopy(value)
    if dice.random() < 0.2:
        unknown = dice.choice(("unknown", "", "action", "ünknown"))
        made[unknown] = copy.deepcopy(dice.choice(NASTY[1:]))
    return made
