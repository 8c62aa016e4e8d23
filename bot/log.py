"""Structured logs, and the one masker through which everything that leaves has to go.

A line of the log is one thing that happened: an event name in the past tense and its values as
fields. Ids (`delivery`, `task`, `phase`) are bound once with `structlog.contextvars`.
"""

import base64
import logging
import re
import sys
from collections.abc import Iterable
from types import NoneType
from typing import Any, TextIO
from urllib.parse import quote

import structlog

MASK = "[secret]"
MIN_SECRET = 8  #: shorter values would blank ordinary words

# Installation tokens are `ghs_<app id>_<JWT>` since April 2026, so the class has "." "_" and "-".
_PATTERNS = re.compile(
    r"gh[pousr]_[A-Za-z0-9._\-]{16,800}"
    r"|github_pat_[A-Za-z0-9_]{20,255}"
    r"|sk-[A-Za-z0-9_\-]{20,200}"
    r"|AKIA[0-9A-Z]{16}"
    r"|AIza[A-Za-z0-9_\-]{35}"
    r"|xox[abprs]-[A-Za-z0-9\-]{10,200}"
    r"|eyJ[A-Za-z0-9_\-]{10,2000}\.[A-Za-z0-9_\-]{10,4000}\.[A-Za-z0-9_\-]{10,1000}"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[A-Za-z0-9+/=\s]{0,8000}"
    r"(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|(?<=://)[^/\s:@]{1,100}:[^/\s@]{1,800}(?=@)"
)


PASSING_KEPT = 50  #: tokens that expire within the hour; older ones open nothing any more


class Masker:
    """Blanks what looks like a secret, and every secret that it was told, in four spellings."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._passing: list[str] = []
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str, *, passing: bool = False) -> None:
        """Blank this value from now on: plain, base64, hex and URL-encoded.

        Of `passing` ones, which expire by themselves, the newest `PASSING_KEPT` are kept.
        """
        if len(secret) < MIN_SECRET:
            return
        if passing:
            self._passing.append(secret)
            for old in self._passing[:-PASSING_KEPT]:
                self._known -= _spellings(old)
            self._passing = self._passing[-PASSING_KEPT:]
        self._known |= _spellings(secret)
        ordered = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered)))

    def __call__(self, text: str) -> str:
        """The text with every secret replaced by `[secret]`."""
        if len(text) < MIN_SECRET:
            return text
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return _PATTERNS.sub(MASK, text)

    def finds(self, text: str) -> bool:
        """Whether there is anything to blank."""
        return self(text) != text


def _spellings(secret: str) -> set[str]:
    """A secret as it may turn up: plain, base64, hex, URL-encoded, with its lines escaped."""
    raw = secret.encode()
    padded = base64.b64encode(raw).decode()
    return {
        secret,
        padded,
        padded.rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        raw.hex(),
        quote(secret, safe=""),
        secret.replace("\n", "\\n"),
    }


mask = Masker()  #: the process's masker: one, because a secret learned anywhere counts everywhere


_PLAIN = (str, int, float, NoneType)


def _masked(value: Any) -> Any:
    match value:
        case str():
            return mask(value)
        case dict():
            return {k: _masked(v) for k, v in value.items()}
        case list() | tuple():
            return [_masked(v) for v in value]
        case _:
            return value


def _mask_event(_logger: Any, _name: str, event: structlog.types.EventDict) -> Any:
    """The event without secrets. Nearly every line has none, which one look at all of it tells."""
    if all(isinstance(value, _PLAIN) for value in event.values()) and not mask.finds(
        "\n".join(map(str, event.values()))
    ):
        return event
    return _masked(dict(event))


def set_up(*, level: str = "INFO", json: bool | None = None, stream: TextIO | None = None) -> None:
    """Log to `stream` (standard error by default): JSON, or coloured lines on a terminal."""
    out = stream if stream is not None else sys.stderr
    as_json = json if json is not None else not out.isatty()
    render: list[Any] = (
        [structlog.processors.format_exc_info, _mask_event, structlog.processors.JSONRenderer()]
        if as_json
        else [_mask_event, structlog.dev.ConsoleRenderer(colors=out.isatty())]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def get(name: str) -> Any:
    """A logger for one room."""
    return structlog.get_logger(room=name)
