"""What an agent needs from outside, each with a breaker: one that is down is not asked again and
again, and who has another one goes straight to that.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from bot.errors import AuthFailed, MachineFailed, Parked, RateLimited, StepError, Transient

#: Trouble that another provider may not have; MachineFailed apart, which is a Transient of ours.
OUTSIDE = (Transient, AuthFailed, RateLimited, Parked)


class Breakers(Protocol):
    """One for each dependency, by its name."""

    async def admit(self, name: str) -> None:
        """Raises Parked while the dependency is left alone."""
        ...

    async def succeeded(self, name: str) -> None:
        """It has answered."""
        ...

    async def failed(self, name: str, error: StepError) -> None:
        """It has not, or it has refused everybody."""
        ...


class NoBreakers:
    """Everything is asked, whatever became of it before."""

    async def admit(self, name: str) -> None: ...

    async def succeeded(self, name: str) -> None: ...

    async def failed(self, name: str, error: StepError) -> None: ...


def provider_name(provider: str, base_url: str) -> str:
    """A provider of models, whoever asks it: `model:openai`.

    A server of one's own is told apart by a hash of its address, which is nobody else's business:
    people outside read the name in comments.
    """
    if not base_url:
        return f"model:{provider}"
    return f"model:{provider}#{hashlib.sha256(base_url.encode()).hexdigest()[:6]}"


def agent_name(name: str) -> str:
    """An agent as a dependency, by what it calls itself: its program may be broken."""
    return f"agent:{name}"


@asynccontextmanager
async def told(name: str, breakers: Breakers) -> AsyncIterator[None]:
    """The breaker of `name` hears how this went; an error that names nothing yet names it."""
    try:
        yield
    except (MachineFailed, Parked):
        raise
    except StepError as error:
        if not error.counted:
            error.dependency, error.counted = error.dependency or name, True
            await breakers.failed(error.dependency, error)
        raise
    await breakers.succeeded(name)


def soonest(parked: list[Parked]) -> Parked:
    """Of several that are left alone, the one that is tried again first."""
    return min(parked, key=lambda one: one.retry_at or 0.0)
