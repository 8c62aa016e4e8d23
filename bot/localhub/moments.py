"""Instants as GitHub writes them."""

from datetime import UTC, datetime


def iso(at: float | None) -> str | None:
    """An instant that may be missing."""
    return None if at is None else stamp(at)


def stamp(at: float) -> str:
    """An instant that is there: UTC, whole seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(text: str) -> float:
    """The instant that an ISO 8601 text names. Raises ValueError."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
