"""What a failed git says, as one of our errors.

git has two exit codes for everything, so its English (`LC_ALL=C.UTF-8`) is all there is to read.
"""

from bot.errors import AuthFailed, Conflict, MachineFailed, Refused, StepError, Transient, Uncertain
from bot.github.git_process import Finished

MAX_LINES = 6  #: of standard error that are quoted

_MOVED = ("stale info", "non-fast-forward", "fetch first", "cannot lock ref")
_RENAMED = ("redirect", *(f"returned error: {status}" for status in (301, 302, 307, 308)))
_NO_CREDENTIAL = ("authentication failed", "could not read username", "returned error: 401")
_GONE = (
    "returned error: 404",
    "not found",
    "does not appear to be a git repository",
    "does not exist",
    "couldn't find remote ref",
    "not our ref",
)
_NEVER_SENT = (
    "could not resolve host",
    "failed to connect",
    "couldn't connect",
    "connection refused",
    "returned error: 429",
)


def network_error(verb: str, done: Finished, *, wrote: bool) -> StepError:
    """The error of a git that spoke with a remote; `wrote` for a push."""
    said = f"{done.error}\n{done.text}".lower()
    text = _quoted(verb, done)
    if _has(said, _MOVED):
        return Conflict(text)
    if _has(said, _RENAMED):  # met by the first question, before anything is sent
        return Conflict(f"{text}: the repository was renamed or moved; nothing was written")
    if "[remote rejected]" in said or "returned error: 403" in said:
        return Refused(text, status=403, body=done.error)
    if _has(said, _NO_CREDENTIAL):
        return AuthFailed(text)
    if _has(said, _NEVER_SENT):
        return Transient(text)
    if _has(said, _GONE):
        return Refused(text, status=404, body=done.error)
    return Uncertain(text) if wrote else Transient(text)


def broken(verb: str, done: Finished) -> StepError:
    """The error of a git that worked on this machine alone: nothing outside was changed."""
    return MachineFailed(_quoted(verb, done))


def _has(said: str, words: tuple[str, ...]) -> bool:
    return any(word in said for word in words)


def _quoted(verb: str, done: Finished) -> str:
    lines = [line.strip() for line in f"{done.error}\n{done.text}".splitlines() if line.strip()]
    return f"git {verb} ended with {done.code}: {' | '.join(lines[-MAX_LINES:])}"[:2_000]
