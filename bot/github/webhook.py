"""From the bytes of a delivery to an event: verify the signature, then read. No I/O.

GitHub signs the raw body with the webhook secret (`X-Hub-Signature-256`); two secrets at once make
a rotation possible. What we do not know is not an error: it is a delivery without an event.
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson
from pydantic import TypeAdapter

from bot.errors import InputError
from bot.events import Event
from bot.github import readers
from bot.github.fields import Fields

_ID = re.compile(rb"[A-Za-z0-9_-]{1,100}")
_EVENT_NAME = re.compile(rb"[a-z0-9_]{1,60}")  # `projects_v2_item` has a digit
_PREFIX = b"sha256="
_MAX_DIGITS = 30  #: of a number; Python refuses 4,300 with an error, and no id has 20


class BadSignature(InputError):
    """Not signed with a secret of ours (answer 401). One text for every cause."""

    def __init__(self) -> None:
        super().__init__("the signature does not fit the body and the webhook secret")


class Unreadable(InputError):
    """The body is not JSON (answer 400)."""


class BadHeader(Unreadable):
    """Not a delivery: a header is missing or malformed (answer 400, before the signature)."""


class Delivery(NamedTuple):
    """One delivery; `event` is None where it means nothing to us."""

    id: str  #: the GUID, which a redelivery repeats
    event_name: str
    action: str
    event: Event | None
    installation_id: int
    repository: str  #: owner/name, empty where the delivery names none


def parse(
    headers: Mapping[bytes, bytes], body: bytes, *, secrets: Sequence[bytes | str]
) -> Delivery:
    """The delivery that these bytes are; names of headers are in lower case, as ASGI has them.

    Raises BadHeader, BadSignature and Unreadable in this order, and nothing else whatever the
    bytes are.
    """
    delivery_id = _header(headers, b"x-github-delivery", _ID)
    event_name = _header(headers, b"x-github-event", _EVENT_NAME)
    verify(headers.get(b"x-hub-signature-256", b""), body, secrets=secrets)
    payload = _payload(body)
    repo = readers.repo_of(payload)
    return Delivery(
        id=delivery_id,
        event_name=event_name,
        action=payload.text("action", limit=60),
        event=readers.event_of(event_name, payload, repo, app_id=_app_id(headers)),
        installation_id=payload["installation"].number("id"),
        repository=repo.full_name if repo is not None else "",
    )


def verify(signature: bytes, body: bytes, *, secrets: Sequence[bytes | str]) -> None:
    """Raise BadSignature unless one of the secrets signed the body.

    Bytes are compared: `hmac.compare_digest` refuses text outside ASCII with a TypeError. Every
    secret is tried, so that the time does not tell which one fits. An empty secret signs nothing.
    """
    keys = [key.encode() if isinstance(key, str) else key for key in secrets]
    fits = [hmac.compare_digest(signature, _signature(key, body)) for key in keys if key]
    if not any(fits):
        raise BadSignature


def to_json(event: Event) -> str:
    """The event as one line of JSON for the inbox, its kind included."""
    fields = orjson.dumps(event).decode()
    return f'{{"kind":"{type(event).__name__}",{fields[1:]}'


def from_json(text: str) -> Event:
    """The event that `to_json` wrote. Raises Unreadable for anything else."""
    try:
        fields = orjson.loads(text)
        adapter = _BY_KIND[fields.pop("kind")]
        return adapter.validate_python(fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"not an event of ours: {error}") from error


_BY_KIND: dict[str, TypeAdapter[Event]] = {
    kind.__name__: TypeAdapter(kind) for kind in Event.__args__
}


def _signature(key: bytes, body: bytes) -> bytes:
    return _PREFIX + hmac.digest(key, body, "sha256").hex().encode()


def _header(headers: Mapping[bytes, bytes], name: bytes, pattern: re.Pattern[bytes]) -> str:
    value = headers.get(name, b"")
    if pattern.fullmatch(value) is None:
        raise BadHeader(f"the header {name.decode()} is missing or malformed")
    return value.decode("ascii")


def _app_id(headers: Mapping[bytes, bytes]) -> int:
    """Our own App's id, as GitHub names the hook's owner in a header; 0 where it does not."""
    if headers.get(b"x-github-hook-installation-target-type") != b"integration":
        return 0
    value = headers.get(b"x-github-hook-installation-target-id", b"")
    return int(value) if value.isdigit() and len(value) < 19 else 0


def _payload(body: bytes) -> Fields:
    """The body's object; nothing where it is JSON that we cannot hold.

    The quick parser refuses what JSON's grammar or Python's parser allow and GitHub does not send:
    lone surrogates, deep nesting, NaN. That is left to the patient one.
    """
    try:
        return Fields(orjson.loads(body))
    except orjson.JSONDecodeError:
        return _patiently(body)


def _patiently(body: bytes) -> Fields:
    try:
        return Fields(_DECODER.decode(body.decode("utf-8")))
    except RecursionError:
        return Fields(None)  # valid, but nested deeper than anything GitHub describes
    except ValueError as error:
        raise Unreadable(f"the body is not JSON: {error}") from error


def _int(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


_DECODER = json.JSONDecoder(parse_int=_int)  #: made once: `json.loads` would make one each time
