"""Structured logs, and the one masker through which everything that leaves has to go.

A line of the log is one thing that happened: an event name in the past tense and its values as
fields. Ids (`delivery`, `task`, `phase`) are bound once with `structlog.contextvars`.
"""

import base64
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import NoneType
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

import orjson
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
)
# By itself: its look-behind would keep `re` from skipping to the others' first letters.
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s:@]{1,100}:[^/\s@]{1,800}(?=@)")


PASSING_KEPT = 200  #: tokens that expire within the hour; older ones open nothing any more


class Masker:
    """Blanks what looks like a secret, and every secret that it was told, in four spellings."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._passing: list[str] = []
        self._longest_first: tuple[str, ...] = ()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str, *, passing: bool = False) -> None:
        """Blank this value from now on: plain, base64, hex and URL-encoded.

        Of `passing` ones, which expire by themselves, the newest `PASSING_KEPT` are kept.
        """
        if len(secret) < MIN_SECRET or secret in self._known:
            return
        if passing:
            self._passing.append(secret)
            for old in self._passing[:-PASSING_KEPT]:
                self._known -= _spellings(old)
            self._passing = self._passing[-PASSING_KEPT:]
        self._known |= _spellings(secret)
        self._longest_first = tuple(sorted(self._known, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """The text with every secret replaced by `[secret]`."""
        if len(text) < MIN_SECRET:
            return text
        # A search for each beats one pattern of all: that takes 200 ms to compile.
        for secret in self._longest_first:
            if secret in text:
                text = text.replace(secret, MASK)
        text = _PATTERNS.sub(MASK, text)
        return _IN_ADDRESS.sub(MASK, text) if "://" in text else text

    def finds(self, text: str) -> bool:
        """Whether there is anything to blank."""
        return self(text) != text


def _spellings(secret: str) -> set[str]:
    """A secret as it may turn up: plain, base64, hex, URL-encoded, with its lines escaped."""
    raw = secret.encode()
    padded = base64.b64encode(raw).decode()
    quoted = quote(secret, safe="")
    return {
        secret,
        padded,
        padded.rstrip("="),
        *_inside_base64(raw),
        raw.hex(),
        raw.hex().upper(),
        quoted,
        _lower_escapes(quoted),
        quote_plus(secret),
        secret.replace("\n", "\\n"),
    }


def _inside_base64(raw: bytes) -> Iterator[str]:
    """What stands for `raw` in the base64 of any longer text: it begins at one of three places."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        inner = encoded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        yield from (inner, inner.replace("+", "-").replace("/", "_"))


def _lower_escapes(quoted: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), quoted)


mask = Masker()  #: the process's masker: one, because a secret learned anywhere counts everywhere


_PLAIN = frozenset((str, int, float, bool, NoneType))
_AS_EVER = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME  #: by `repr`


def masked(value: Any) -> Any:
    """A JSON value without secrets: inside JSON text a key's line breaks would hide it."""
    match value:
        case str():
            return mask(value)
        case dict():
            return {k: masked(v) for k, v in value.items()}
        case list() | tuple():
            return [masked(v) for v in value]
        case _:
            return value


def _mask_event(_logger: Any, _name: str, event: structlog.types.EventDict) -> Any:
    """The event without secrets. Nearly every line has none, which one look at all of it tells."""
    values = event.values()
    if _PLAIN.issuperset(map(type, values)) and not mask.finds("\n".join(map(str, values))):
        return event
    return masked(dict(event))


def _to_json(event: structlog.types.EventDict, *, default: Callable[[Any], Any]) -> str:
    """One line of ASCII, whatever the stream encodes to.

    The quick writer has no escapes for other letters and refuses lone surrogates; the patient one
    has the line then.
    """
    try:
        line = orjson.dumps(event, default, _AS_EVER)
    except TypeError:
        return json.dumps(event, default=default)
    return line.decode() if line.isascii() else json.dumps(event, default=default)


def set_up(*, level: str = "INFO", json: bool | None = None, stream: TextIO | None = None) -> None:
    """Log to `stream` (standard error by default): JSON, or lines for people on a terminal.

    Those are coloured unless NO_COLOR is set (https://no-color.org/). An error's traceback is made
    text before it is masked: the console's own would show what variables hold.
    """
    out = stream if stream is not None else sys.stderr
    as_json = json if json is not None else not out.isatty()
    render: Any = (
        structlog.processors.JSONRenderer(_to_json)
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=out.isatty() and not os.environ.get("NO_COLOR"),
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask_event,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    logging.getLogger().addHandler(_FROM_LIBRARIES)


class _FromLibraries(logging.Handler):
    """What libraries tell the standard library's logging, asyncio among them, as lines of ours.

    Python would print their words and tracebacks as they are, secrets included. The same words are
    told once in `AGAIN_S`: of a connection that there is no file for, asyncio tells as often as its
    backlog is long, two thousand times at once (`BaseSelectorEventLoop._accept_connection`).
    """

    AGAIN_S = 1.0

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last = ("", -self.AGAIN_S)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text, now = record.getMessage(), time.monotonic()
            said, at = self._last
            if text == said and now - at < self.AGAIN_S:
                return
            self._last = (text, now)
            logger = get(record.name)
            tell = logger.error if record.levelno >= logging.ERROR else logger.warning
            tell(text, exc_info=record.exc_info)
        except Exception:  # as every handler: to log must not break what logs
            self.handleError(record)


_FROM_LIBRARIES = _FromLibraries()  #: one, for the standard library keeps every one it is given


def bound(name: str) -> str:
    """An id that was bound at the door for what is being done now; empty where there is none."""
    return str(structlog.contextvars.get_contextvars().get(name, ""))


def get(name: str) -> Any:
    """A logger for one room."""
    return structlog.get_logger(room=name)
