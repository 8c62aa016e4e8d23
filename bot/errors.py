"""The error tree, and who hears of each.

"No" is a Verdict; what stands here is broken machinery, or bad input at a door. One place, the
executor, decides what a `StepError` means for a task; the web layer and the command line turn
an `InputError` into an answer for the person who caused it.
"""

from bot.domain import Cause, WaitFor


class ChimeraError(Exception):
    """Every error that we raise on purpose. Its text says what, where and what to do."""

    exit_code = 1


class InputError(ChimeraError):
    """Somebody handed us something wrong; nothing was changed."""

    exit_code = 2


class ConfigError(InputError):
    """Settings or a chimera.yml that cannot be used; each problem has its line."""

    exit_code = 78

    def __init__(self, problems: "list[str] | str") -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class WrongField(InputError):
    """One member of a request cannot be as it is."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field, self.text = field, text


class NotFound(InputError):
    """No such task, delivery, effect …"""


class WrongState(InputError):
    """Possible in another state; the text says in which."""


class NotPermitted(InputError):
    exit_code = 77


class StoreError(ChimeraError):
    """The store cannot be read or written: nothing may be acknowledged."""

    exit_code = 75


class LeaseLost(ChimeraError):
    """Another claim holds the task now, or it was ended: the step stops and writes nothing."""


class StepError(ChimeraError):
    """A step could not be done; `cause` decides between retry, park and the end."""

    cause = Cause.BUG

    def __init__(self, text: str, *, retry_at: float | None = None) -> None:
        super().__init__(text)
        self.retry_at = retry_at  #: Unix seconds: not before this, where the other side said so
        self.dependency = ""  #: what failed, where it is not the hub: "model:…", "agent:…"
        self.counted = False  #: the dependency's breaker has heard of it


class Transient(StepError):
    """A network or server failure of a read, or of a write that surely did not happen."""

    cause = Cause.TRANSIENT


class MachineFailed(Transient):
    """This machine could not do it: nobody outside is to blame, or to be left alone."""


class Uncertain(StepError):
    """A write went out and no readable answer came back. Only the ledger may answer this."""

    cause = Cause.TRANSIENT


class RateLimited(StepError):
    """A limit was hit or is close; `retry_at` is always set."""

    cause = Cause.RATE_LIMIT


class AuthFailed(StepError):
    cause = Cause.AUTH


class Refused(StepError):
    """GitHub's final no (403 without a limit, 404, 410, 422 …)."""

    cause = Cause.PERMISSION

    def __init__(self, text: str, *, status: int, body: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.body = body

    @property
    def missing(self) -> bool:
        """Whether GitHub says that a thing is not there (any more), or hides it from us."""
        return self.status in {404, 410}


def is_gone(error: BaseException | None) -> bool:
    """Whether GitHub says that what was asked for is not there, or not there for us, any more.

    It has 422 for that, too: a check on a commit that is not there.
    """
    if isinstance(error, AuthFailed):
        return is_gone(error.__cause__)  # a token for an installation that is gone
    return isinstance(error, Refused) and (error.missing or error.status == 422)


class Conflict(StepError):
    """The branch, the base or the object changed under us."""

    cause = Cause.CONFLICT


class Deadline(StepError):
    cause = Cause.TIMEOUT


class BadOutput(StepError):
    """An agent's reply does not fit its schema or its limits."""

    cause = Cause.BAD_OUTPUT


class SetupFailed(StepError):
    """The repository cannot be set up or tested as it is configured; a person has to mend it."""

    cause = Cause.CONFIG


class CageMissing(StepError):
    """No sandbox on this machine; nothing untrusted is run without one."""

    cause = Cause.CONFIG
    exit_code = 69


class GitMissing(ChimeraError):
    """This machine has no git, or one that is too old for what is asked of it."""

    exit_code = 69

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}. {fix}")
        self.what, self.fix = what, fix


class CannotListen(ChimeraError):
    """The server's address is taken or not this machine's; that may change by itself."""

    exit_code = 75


class Parked(StepError):
    """Not an error: the step has to wait, from deep inside an effect."""

    cause = Cause.TRANSIENT

    def __init__(self, on: WaitFor, reason: str, *, until: float | None, key: str = "") -> None:
        super().__init__(reason, retry_at=until)
        self.on = on
        self.key = key
