"""Houses that lack one protection each: a simulator that stayed green on them proves nothing."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bot.domain import Task
from bot.effects import Effect, EffectState
from bot.tasks.store import Tx
from tests.faults.house import QUIET_S, Protections
from tests.faults.store import SimLedger, SimQueue

_TRIED = (EffectState.SENT, EffectState.UNCERTAIN)


class WithoutIntent(SimLedger):
    """Nothing is written down before it is done, so nobody knows what was tried."""

    async def intend(self, *args: Any, **given: Any) -> Effect:
        effect = await super().intend(*args, **given)
        return await self.forget(effect.key) if effect.state in _TRIED else effect


class WithoutLookUp(SimLedger):
    """What was tried is tried again, once it is quiet."""

    async def intend(self, *args: Any, **given: Any) -> Effect:
        effect = await super().intend(*args, **given)
        quiet = self._now() >= effect.intent_at + QUIET_S
        return await self.forget(effect.key) if effect.state in _TRIED and quiet else effect


class WithoutFence(SimLedger):
    """Whoever had the task once may act for it for ever."""

    async def intend(self, *args: Any, **given: Any) -> Effect:
        return await super().intend(*args, **(given | {"fence": None}))

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


class WithoutSnapshot(SimQueue):
    """The text is read when work begins, and not when the label is put on."""

    async def claim_some(self, owner: str, at_most: int) -> list[Task]:
        tasks = await super().claim_some(owner, at_most)
        text_of = self._watch.text_of
        return [replace(t, feature=f"{t.title}\n\n{text_of(t.issue)}") for t in tasks]


WITHOUT = {
    "the ledger's intent": replace(Protections(), ledger=WithoutIntent),
    "the look-up": replace(Protections(), ledger=WithoutLookUp),
    "the fence check": replace(Protections(), queue=Unfenced, ledger=WithoutFence),
    "the quiet window": replace(Protections(), quiet_s=0.0),
    "the signal before the park": replace(Protections(), queue=Forgetful),
    "the snapshot": replace(Protections(), queue=WithoutSnapshot),
}
