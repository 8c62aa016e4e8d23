"""Houses that lack one protection each: a simulator that stayed green on them proves nothing."""

from collections.abc import Iterable
from dataclasses import replace

from bot.domain import Effect, EffectKind, EffectState
from bot.tasks.sqlite import Tx
from tests.faults.house import Protections
from tests.faults.store import SimLedger, SimQueue

_TRIED = (EffectState.SENT, EffectState.UNCERTAIN)


class WithoutIntent(SimLedger):
    """Nothing is written down before it is done, so nobody knows what was tried."""

    async def intend(
        self,
        key: str,
        task_id: str,
        kind: EffectKind,
        fence: int | None,
        request_hash: str,
        *,
        at: float | None = None,
    ) -> Effect:
        effect = await super().intend(key, task_id, kind, fence, request_hash, at=at)
        if effect.state in _TRIED:
            effect = await self.forget(key)
        return effect


class WithoutLookUp(SimLedger):
    """What was tried is tried again, once it is quiet."""

    async def intend(
        self,
        key: str,
        task_id: str,
        kind: EffectKind,
        fence: int | None,
        request_hash: str,
        *,
        at: float | None = None,
    ) -> Effect:
        effect = await super().intend(key, task_id, kind, fence, request_hash, at=at)
        if effect.state in _TRIED and self._now() >= effect.intent_at + 60.0:
            effect = await self.forget(key)
        return effect


class WithoutFence(SimLedger):
    """Whoever had the task once may act for it for ever."""

    async def intend(
        self,
        key: str,
        task_id: str,
        kind: EffectKind,
        fence: int | None,
        request_hash: str,
        *,
        at: float | None = None,
    ) -> Effect:
        return await super().intend(key, task_id, kind, None, request_hash, at=at)

    async def sent(self, key: str, fence: int | None) -> Effect:
        effect = await super().sent(key, None)
        await self._check_claim(effect, fence)
        return effect


class Unfenced(SimQueue):
    """A heartbeat that does not look whose claim it renews."""

    async def heartbeat(self, claims: Iterable[tuple[str, int]]) -> set[str]:
        return {task_id for task_id, _ in claims}


class Forgetful(SimQueue):
    """A wake that comes before the park is lost."""

    async def wake(self, key: str, *, inbox_id: int | None = None) -> list[str]:
        woken = await super().wake(key, inbox_id=inbox_id)

        def forget(tx: Tx) -> int:
            return tx.run("DELETE FROM signal WHERE key = :key", {"key": key})

        await self._store.write(forget)
        return woken


WITHOUT = {
    "the ledger's intent": replace(Protections(), ledger=WithoutIntent),
    "the look-up": replace(Protections(), ledger=WithoutLookUp),
    "the fence check": replace(Protections(), queue=Unfenced, ledger=WithoutFence),
    "the quiet window": replace(Protections(), quiet_s=0.0),
    "the signal before the park": replace(Protections(), queue=Forgetful),
}
