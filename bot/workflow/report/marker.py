"""How we know our own words again: a signed HTML comment as the first line.

Author id and marker are not enough, for a text of ours can be quoted by another of ours; the
signature covers everything that the marker says. Reading looks at the first line only.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

VERSION = "v1"
_MAX_LINE = 600
_LINE = re.compile(r"<!-- chimera:v1 ((?:[a-z]+=[A-Za-z0-9._-]+ )+)sig=([0-9a-f]{32}) -->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What one of our texts is: of which task, and what in it (empty: the status comment)."""

    task_id: str
    fields: Mapping[str, str] = field(default_factory=dict)


def signed(key: bytes, task_id: str, **fields: str | int) -> str:
    """`<!-- chimera:v1 task=… sig=… -->`; the fields, sorted, stand between the two."""
    said = _said(task_id, {name: str(value) for name, value in fields.items()})
    return f"<!-- chimera:{VERSION} {said} sig={_signature(key, said)} -->"


def read_marker(key: bytes, body: str) -> Marker | None:
    """The marker that leads `body`; None when there is none, or not by this key."""
    match = _LINE.fullmatch(body[:_MAX_LINE].partition("\n")[0].rstrip("\r"))
    if match is None:
        return None
    said = match[1].rstrip()
    if not hmac.compare_digest(_signature(key, said), match[2]):
        return None
    fields = dict(part.split("=", 1) for part in said.split())
    return Marker(task_id=fields.pop("task", ""), fields=fields)


def _said(task_id: str, fields: Mapping[str, str]) -> str:
    return " ".join([f"task={task_id}", *(f"{name}={fields[name]}" for name in sorted(fields))])


def _signature(key: bytes, said: str) -> str:
    return hmac.new(key, f"chimera:{VERSION} {said}".encode(), hashlib.sha256).hexdigest()[:32]
