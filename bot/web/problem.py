"""Errors as `application/problem+json` (RFC 9457), for every door but the dashboard's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from bot.errors import (
    ChimeraError,
    InputError,
    NotFound,
    NotPermitted,
    RateLimited,
    Refused,
    StoreError,
    Transient,
    Uncertain,
    WrongField,
    WrongState,
)
from bot.log import mask

RETRY_AFTER_S = 5  #: what a refused client is told when the trouble is ours and passes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One wrong field: a JSON pointer as a fragment (`#/priority`), a query name or a header."""

    where: str
    detail: str


class Problem(Exception):
    """An answer that is not what the client hoped for."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        wrong: Sequence[Wrong] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.wrong = tuple(wrong)
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The document of RFC 9457; `errors` holds every wrong field."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.wrong:
            document["errors"] = [{"pointer": w.where, "detail": w.detail} for w in self.wrong]
        return json_response(
            document, self.status, headers=self.headers, media_type="application/problem+json"
        )


def json_response(
    value: Any,
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/json",
) -> Response:
    """JSON in ASCII (a lone surrogate cannot break it), every text through the masker."""
    return Response(
        json.dumps(masked(value), separators=(",", ":")),
        status,
        headers={"cache-control": "no-store", **(headers or {})},
        media_type=media_type,
    )


def masked(value: Any) -> Any:
    """The same value with secrets blanked; by leaf, for a pattern must not cross JSON's quotes."""
    match value:
        case str():
            return mask(value)
        case dict():
            return {key: masked(item) for key, item in value.items()}
        case list() | tuple():
            return [masked(item) for item in value]
        case _:
            return value


def wrong_fields(wrong: Sequence[Wrong]) -> Problem:
    """422, with every field that is wrong."""
    return Problem(422, f"{len(wrong)} wrong: " + "; ".join(w.where for w in wrong), wrong=wrong)


def from_error(error: ChimeraError) -> Problem:
    """What an error of ours means to the client who met it."""
    if isinstance(error, WrongField):
        return wrong_fields([Wrong(where=f"#/{error.field}", detail=error.text)])
    status = _status_of(error)
    passes = {"retry-after": str(RETRY_AFTER_S)} if status == 503 else None
    return Problem(status, str(error), headers=passes)


_STATUS = (
    (NotFound, 404),
    (WrongState, 409),
    (NotPermitted, 403),
    (InputError, 422),
    (StoreError, 503),
    (Transient, 503),
    (Uncertain, 503),
    (RateLimited, 503),
    (Refused, 502),
    (ChimeraError, 500),
)


def _status_of(error: ChimeraError) -> int:
    return next(status for kind, status in _STATUS if isinstance(error, kind))
