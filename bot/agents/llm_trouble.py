"""What a provider's refusal of the model library means for the task."""

import time

import pydantic_ai.exceptions as library

from bot.errors import AuthFailed, RateLimited, StepError, Transient

_RETRY_AFTER_S = 60.0  #: where a provider limits us and does not say for how long


def words_of(problem: library.ModelAPIError) -> str:
    """For people."""
    return f"the model provider failed: {problem}"


def trouble_of(problem: library.ModelAPIError) -> StepError | None:
    """The provider's trouble; None where it refuses this one request and would take another."""
    text = words_of(problem)
    match problem:
        case library.ModelHTTPError(status_code=401 | 403):
            return AuthFailed(text)
        case library.ModelHTTPError(status_code=429):
            return RateLimited(text, retry_at=time.time() + _retry_after(problem))
        case library.ModelHTTPError(status_code=code) if 400 <= code < 500 and code != 408:
            return None
        case _:
            return Transient(text)


def _retry_after(problem: library.ModelHTTPError) -> float:
    """Seconds, by the provider's word (RFC 9110 allows a date too, which none of them sends)."""
    try:
        return max(0.0, float((problem.headers or {})["retry-after"]))
    except (KeyError, ValueError):
        return _RETRY_AFTER_S
