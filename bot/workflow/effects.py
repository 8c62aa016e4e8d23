"""`ensure()`: the protocol by which anything of ours reaches GitHub, at most once.

1. Write the intent down, in the same transaction that checks the claim.
2. Confirmed before? Then return what is known; no call is made.
3. Tried before, with no answer that we could read? Wait until the quiet window has passed, so
   that the platform's own lag cannot hide the object, look it up, and adopt what is found.
4. Check the claim once more, mark it sent, and call once.
5. A 2xx with an id confirms; "already exists" is looked up and adopted; a final no is kept as
   failed; no readable answer is *uncertain* and goes back to 3, later.

Effects that are idempotent by the platform (a label, a reaction, an edit to a stated text) have
no look-up: repeating them is harmless.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain import RepoRef, WaitFor
from bot.effects import Effect, EffectKind, EffectState
from bot.errors import (
    AuthFailed,
    Conflict,
    MachineFailed,
    Parked,
    RateLimited,
    Refused,
    Transient,
    Uncertain,
)
from bot.log import get
from bot.tasks.ledger import NOWHERE, Ledger, Place
from bot.workflow import tracing

log = get("workflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What GitHub holds because of an effect."""

    id: str
    url: str = ""


HELD_UP_S = 5.0  #: or half the quiet window: far below it, far above any healthy pause

Call = Callable[[], Awaitable[Remote]]
LookUp = Callable[[float], Awaitable[Remote | None]]  #: given the intent's time, Unix seconds


class Effects:
    """The effects of one task under one claim (`fence`), or of its painter (`fence=None`)."""

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], float],
        *,
        task_id: str,
        fence: int | None,
        quiet_s: float,
        place: Place = NOWHERE,
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._task_id = task_id
        self._fence = fence
        self._quiet_s = quiet_s
        self._place = place

    async def ensure(
        self,
        kind: EffectKind,
        name: str,
        request: Mapping[str, Any],
        call: Call,
        look_up: LookUp | None = None,
    ) -> Remote:
        """Have GitHub hold this effect, once; `name` makes it unique within the task and kind.

        Raises `Parked` while an earlier unanswered call has to become visible first, and the
        wire's own errors where the call surely had no effect.
        """
        key = f"{self._task_id}/{kind}/{name}"
        effect = await self._ledger.intend(
            key,
            task_id=self._task_id,
            kind=kind,
            fence=self._fence,
            request_hash=_hash(request),
            at=self._now(),
            place=self._place,
        )
        if effect.state is EffectState.CONFIRMED:
            return Remote(id=effect.remote_id, url=effect.remote_url)
        if effect.state in (EffectState.SENT, EffectState.UNCERTAIN) and look_up is not None:
            adopted = await self._adopt_after_quiet(effect, look_up)
            if adopted is not None:
                return adopted
        elif effect.state is not EffectState.INTENDED:  # refused before, or harmless to repeat
            await self._ledger.forget(key)
        effect = await self._ledger.sent(key, fence=self._fence)
        self._check_not_held_up(effect)
        return await self._send(effect, call, look_up)

    def _check_not_held_up(self, effect: Effect) -> None:
        """A process that stood still for long since it said "sent" may have been replaced by one
        that looked, found nothing and made the call: then this one must not. Raises MachineFailed.
        """
        held_s = self._now() - effect.intent_at
        if held_s > max(HELD_UP_S, self._quiet_s / 2):
            raise MachineFailed(
                f"held up for {held_s:.0f} s before {effect.kind}; nothing was sent"
            )

    async def tried(self, kind: EffectKind) -> list[tuple[str, EffectState]]:
        """The names of all effects of a kind that this task ever intended, and their states."""
        return [(name, row.state) for name, row in await self._rows(kind)]

    async def made(self, kind: EffectKind) -> list[tuple[str, str]]:
        """The names of all effects of a kind that GitHub surely holds, and their ids there."""
        rows = await self._rows(kind)
        return [(name, row.remote_id) for name, row in rows if row.state is EffectState.CONFIRMED]

    async def _rows(self, kind: EffectKind) -> list[tuple[str, Effect]]:
        prefix = f"{self._task_id}/{kind}/"
        rows = await self._ledger.of_task(self._task_id)
        return [(row.key.removeprefix(prefix), row) for row in rows if row.kind is kind]

    async def _adopt_after_quiet(self, effect: Effect, look_up: LookUp) -> Remote | None:
        visible_at = effect.intent_at + self._quiet_s
        if self._now() < visible_at:
            raise Parked(
                WaitFor.QUIET,
                f"GitHub did not answer ({effect.kind.value.replace('_', ' ')}); "
                "looking for it before trying again",
                until=visible_at,
            )
        found = await look_up(effect.intent_at)
        if found is None:
            await self._ledger.forget(effect.key)
            return None
        await self._confirm(effect, found, "effect_adopted")
        return found

    async def _send(self, effect: Effect, call: Call, look_up: LookUp | None) -> Remote:
        key = effect.key
        try:
            with tracing.effect(effect.kind, key):
                remote = await call()
        except Uncertain as error:
            await self._ledger.uncertain(key, error=str(error))
            if look_up is None:
                raise Transient(str(error)) from error  # repeating is harmless
            raise Parked(
                WaitFor.QUIET, str(error), until=effect.intent_at + self._quiet_s
            ) from error
        except (RateLimited, AuthFailed, Transient):
            await self._ledger.forget(key)  # it surely did not happen
            raise
        except (Refused, Conflict) as error:
            remote = await self._adopt_or_fail(effect, error, look_up)
        await self._confirm(effect, remote, "effect_confirmed")
        return remote

    async def _confirm(self, effect: Effect, remote: Remote, what: str) -> None:
        await self._ledger.confirm(effect.key, remote_id=remote.id, remote_url=remote.url)
        log.info(what, task=self._task_id, kind=effect.kind, effect=effect.key, url=remote.url)

    async def _adopt_or_fail(
        self, effect: Effect, error: Refused | Conflict, look_up: LookUp | None
    ) -> Remote:
        """A final no; unless it says that the object exists already, which is ours to adopt."""
        found = await look_up(effect.intent_at) if look_up is not None and _exists(error) else None
        if found is None:
            await self._ledger.fail(effect.key, error=str(error))
            raise error
        return found


def place_of(repo: RepoRef | None, issue: int = 0) -> Place:
    """Where effects in a repository count; `issue` is the one that hears of them."""
    if repo is None:
        return NOWHERE
    return Place(installation_id=repo.installation_id, repo_id=repo.id, issue=issue)


def _exists(error: Refused | Conflict) -> bool:
    return isinstance(error, Refused) and error.status == 422 and "already exists" in error.body


def _hash(request: Mapping[str, Any]) -> str:
    text = json.dumps(request, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
