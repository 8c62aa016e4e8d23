"""What an answer of GitHub's means: one pure function from status, headers and body to an error.

Limits come as 403 or 429, with `retry-after`, with `x-ratelimit-remaining: 0`, or with nothing but
a sentence in the body. A write that met a 5xx may have happened; only the ledger may ask again.
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import AuthFailed, Conflict, RateLimited, Refused, StepError, Transient, Uncertain
from bot.github.fields import Fields
from bot.log import mask

SAFE_METHODS = frozenset({"GET", "HEAD"})
LONGEST_WAIT_S = 3_900.0  #: a primary limit resets within the hour
SILENT_WAIT_S = 60.0  #: where a limit names no time; doubles with every repetition
MAX_QUOTED = 600  #: characters of a body in an error

_LIMIT_WORDS = re.compile(r"rate limit|abuse detection|submitted too quickly", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, read to the end."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes

    @property
    def is_write(self) -> bool:
        return self.method not in SAFE_METHODS

    def json(self) -> Any:
        """The body's value; None for an empty one. Raises Transient or Uncertain if unreadable."""
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise self.lost("the answer is not JSON") from error

    def lost(self, why: str) -> StepError:
        """The error for an answer that does not say what happened."""
        return lost(self.method, self.path, why)

    @property
    def unchanged(self) -> bool:
        """Whether it is as it was under the tag that was asked with; such answers are free.

        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
        """
        return self.status == 304

    @property
    def next_page(self) -> str:
        """The URL of the next page in the `link` header; empty on the last."""
        found = re.search(r'<([^<>]{1,2000})>;\s*rel="next"', self.headers.get("link", ""))
        return found.group(1) if found is not None else ""


def lost(method: str, path: str, why: str) -> StepError:
    """No readable answer: a read may be repeated, a write may have happened."""
    text = f"{method} {path}: {mask(why)}"
    return Transient(text) if method in SAFE_METHODS else Uncertain(text)


def error_in(answer: Answer, *, now: float, repetition: int = 0) -> StepError | None:
    """The error that this answer is, or None for a 2xx and for "unchanged".

    `now` in Unix seconds; `repetition` counts the limit answers before this one that named no
    time, each of which doubles the wait.
    """
    status = answer.status
    if 200 <= status < 300 or answer.unchanged:
        return None
    text = f"{answer.method} {answer.path}: {status} {_message(answer)}"
    if status in {403, 429} and (wait := _limit_wait(answer, now, repetition)) is not None:
        return RateLimited(text, retry_at=now + wait)
    return _final(text, answer) if 300 <= status < 500 else _after_5xx(text, answer, now)


def _final(text: str, answer: Answer) -> StepError:
    match answer.status:
        case 401:
            return AuthFailed(text)
        case 409:
            return Conflict(text)
        case 301 | 302 | 307 | 308:
            return Conflict(f"{text}: the repository was renamed or moved; nothing was written")
        case _:
            body = mask(answer.body[:20_000].decode("utf-8", "replace"))
            return Refused(text, status=answer.status, body=body)


def graphql_error(answer: Answer, found: Fields, *, now: float) -> StepError | None:
    """The error in a GraphQL answer, which comes with status 200; `found` is the answer's JSON.

    https://docs.github.com/en/graphql/guides/using-graphql-clients
    """
    error = next(found.items("errors"), Fields(None))
    if not error:
        return None if found["data"] else answer.lost("the answer has no data")
    text = mask(f"GraphQL: {error.text('type')} {error.text('message', limit=500)}")
    match error.text("type"):
        case "RATE_LIMITED":
            wait = _limit_wait(answer, now, 0)
            return RateLimited(text, retry_at=now + (wait if wait is not None else SILENT_WAIT_S))
        case "NOT_FOUND":
            return Refused(text, status=404)
        case "FORBIDDEN":
            return Refused(text, status=403)
        case "":
            return answer.lost(text)  # "Something went wrong while executing your query"
        case _:
            return Refused(text, status=422)


def _after_5xx(text: str, answer: Answer, now: float) -> StepError:
    wait = _seconds(answer.headers.get("retry-after", ""))
    retry_at = now + min(wait, LONGEST_WAIT_S) if wait is not None else None
    kind = Uncertain if answer.is_write else Transient
    return kind(text, retry_at=retry_at)


def _limit_wait(answer: Answer, now: float, repetition: int) -> float | None:
    """Seconds until this limit ends; None where the answer is no limit but a plain refusal."""
    asked = _seconds(answer.headers.get("retry-after", ""))
    if asked is not None:
        return min(asked, LONGEST_WAIT_S)
    reset = _seconds(answer.headers.get("x-ratelimit-reset", ""))
    if answer.headers.get("x-ratelimit-remaining", "").strip() == "0" and reset is not None:
        return min(max(reset - now, 1.0), LONGEST_WAIT_S)
    if answer.status == 429 or _LIMIT_WORDS.search(_message(answer)):
        return min(SILENT_WAIT_S * 2.0 ** min(repetition, 10), LONGEST_WAIT_S)
    return None


def _seconds(text: str) -> float | None:
    """A header's whole number of seconds; zero is a value."""
    given = text.strip()
    return float(given) if given.isascii() and given.isdigit() and len(given) <= 12 else None


def _message(answer: Answer) -> str:
    """GitHub's own words, with the field errors of a 422; masked, on one line."""
    try:
        said = Fields(json.loads(answer.body[:20_000]))
    except (ValueError, RecursionError):
        return mask(answer.body[:MAX_QUOTED].decode("utf-8", "replace")).strip()
    problems = [e.text("message") or _field_error(e) for e in said.items("errors")]
    words = [said.text("message"), *problems, *said.texts("errors")]
    return mask("; ".join(" ".join(word.split()) for word in words if word))[:MAX_QUOTED]


def _field_error(error: Fields) -> str:
    return " ".join(error.text(name) for name in ("resource", "field", "code")).strip()
