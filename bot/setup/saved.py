"""Deliveries from files: as GitHub's delivery log shows them, or a bare payload.

https://docs.github.com/en/rest/apps/webhooks#get-a-delivery-for-an-app-webhook
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bot.errors import InputError
from bot.setup.signature import HEADER, sign

MAX_FILE = 30 * 1024 * 1024  #: bytes; GitHub sends no payload above 25 MiB
POST_S = 15.0
_EVENT = re.compile(r"[a-z_]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One delivery, ready to be signed."""

    name: str  #: the file's
    event: str
    id: str  #: GUID, of GitHub or made for this file
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a server said to it."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def read_saved(path: Path, *, event: str = "", keep_id: bool = False) -> list[Saved]:
    """The deliveries of a file, or of every `*.json` of a folder by name.

    A bare payload's event is `event`, or the file's name up to its first point. Without `keep_id`
    each gets a new GUID, for a server takes a GUID once. Raises InputError.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: there is no *.json in it")
    return [_read(one, event, keep_id) for one in files]


async def post(client: httpx.AsyncClient, url: str, one: Saved, secret: str) -> Answered:
    """Deliver it, signed. Raises httpx.HTTPError where nobody answers."""
    headers = {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/chimera-dev",
        "x-github-event": one.event,
        "x-github-delivery": one.id,
        HEADER: sign(one.body, secret),
    }
    answer = await client.post(url, content=one.body, headers=headers, timeout=POST_S)
    return Answered(status=answer.status_code, text=_word(answer))


def compact(payload: Any) -> bytes:
    """A payload as the bytes that GitHub would send: no spaces, text in UTF-8."""
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _read(path: Path, event: str, keep_id: bool) -> Saved:
    document = _document(path)
    request = document.get("request")
    held: Mapping[str, Any] = request if isinstance(request, dict) else document
    headers = _lower(held.get("headers")) or _lower(document)
    payload = next((held[key] for key in ("payload", "body") if key in held), document)
    named = event or headers.get("x-github-event", "") or path.name.partition(".")[0]
    if _EVENT.fullmatch(named) is None:
        raise InputError(f"{path}: which event is this? Say --event, or name it issues.json")
    known = headers.get("x-github-delivery", "") if keep_id else ""
    body = payload.encode() if isinstance(payload, str) else compact(payload)
    return Saved(name=path.name, event=named, id=known or str(uuid.uuid4()), body=body)


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE:
            raise InputError(f"{path}: larger than GitHub would send")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: a delivery is a JSON object")
    return found


def _lower(headers: Any) -> dict[str, str]:
    if not isinstance(headers, dict):
        return {}
    return {name.lower(): value for name, value in headers.items() if isinstance(value, str)}


def _word(answer: httpx.Response) -> str:
    """The server's word for it: `accepted`, `duplicate`, or why not."""
    try:
        said = answer.json()
    except ValueError:
        return answer.text[:200]
    known = said if isinstance(said, dict) else {}
    return str(known.get("status") if answer.is_success else known.get("detail", ""))[:300]
