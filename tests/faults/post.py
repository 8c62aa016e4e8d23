"""The post between hub and bot: deliveries are lost, late, doubled, out of order, or come again."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.faults.plan import Plan
from tests.faults.stage import Stage
from tests.faults.wire import Inward
from tests.fuzz.mutate import garbled

LATEST_S = 7200.0  #: of a delivery
LATE_S = 60.0
REPLAYED_S = 7200.0  #: for so long from the start, old deliveries come again


@dataclass(slots=True, kw_only=True)
class Post:
    """How bad it is, as the plan says; `hits` counts what it did."""

    stage: Stage
    plan: Plan
    door: Inward
    passed: Callable[[], float]  #: seconds since the start
    hits: Counter[str]
    dice: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        hooks, plan = self.stage.hub.webhooks, self.plan
        self.dice.seed(plan.seed)
        hooks.random = random.Random(plan.seed)
        hooks.transport = self.door
        hooks.drop = lambda _: self._lost()
        hooks.duplicate = lambda _: self._chance(plan.duplicate, "delivery: repeated")
        hooks.reorder = lambda _: self._chance(plan.reorder, "delivery: out of order")
        hooks.delay_s = lambda _: self._late()

    def mend(self) -> None:
        """From now on everything arrives, once and at once."""
        hooks = self.stage.hub.webhooks
        hooks.drop = hooks.duplicate = hooks.reorder = 0.0
        hooks.delay_s = 0.0

    async def replay(self) -> None:
        """Somebody sends old deliveries again, with valid signatures and new GUIDs."""
        hooks, world = self.stage.hub.webhooks, self.stage.hub.world
        while self.passed() < REPLAYED_S:
            await asyncio.sleep(120.0)
            if not hooks.log or not self._chance(self.plan.replay, "delivery: new GUID"):
                continue
            old = self.dice.choice(hooks.log)
            if self._chance(self.plan.garble, "delivery: garbled"):
                wrong = garbled(json.loads(old.body), self.dice)
                old = replace(old, body=json.dumps(wrong).encode())
            guid = f"{self.dice.getrandbits(128):032x}"
            hooks.enqueue(replace(old, id=world.new_id(), guid=guid))

    def _lost(self) -> bool:
        if self.passed() < self.plan.deaf_s:
            self.hits["delivery: all dropped for an hour"] += 1
            return True
        return self._chance(self.plan.drop, "delivery: dropped")

    def _late(self) -> float:
        delay_s = min(LATEST_S, self.dice.expovariate(1.0) * self.plan.delay_s)
        self.hits["delivery: late by minutes to hours"] += delay_s > LATE_S
        return delay_s

    def _chance(self, chance: float, kind: str) -> bool:
        struck = self.dice.random() < chance
        self.hits[kind] += struck
        return struck
