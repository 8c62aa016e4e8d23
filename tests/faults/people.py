"""People at the hub: they ask for pages, and approve what is ready for production."""

import asyncio
from dataclasses import dataclass, field

from bot.domain import Status, Task, WaitFor
from tests.faults.plan import Plan
from tests.faults.sample import wish
from tests.faults.stage import Stage

LOOK_S = 120.0  #: how often a person looks
AGAIN_S = 3600.0  #: after which a person tries again what seems to have been lost


@dataclass(slots=True)
class People:
    """The people of one history."""

    stage: Stage
    plan: Plan
    issues: list[int] = field(default_factory=list)
    commanded: set[str] = field(default_factory=set)
    _pressed: dict[int, float] = field(default_factory=dict)

    @property
    def asked_all(self) -> bool:
        return len(self.issues) == self.plan.issues

    async def ask(self) -> None:
        """Open the issues and label them, half a minute apart."""
        owner, repository = self.stage.owner, self.stage.repository
        for number in range(1, self.plan.issues + 1):
            made = await owner.open_issue(repository, *wish(number))
            await asyncio.sleep(5.0)
            await owner.label(repository, made["number"], "chimera")
            self.issues.append(made["number"])
            await asyncio.sleep(25.0)

    async def act(self) -> None:
        """Press what there is to press, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            for check in list(self.stage.repository.checks.values()):
                offers = {action["identifier"] for action in check.actions}
                pressed = self._pressed.get(check.id, -AGAIN_S)
                now = asyncio.get_running_loop().time()
                if "approve" in offers and check.status == "completed" and now - pressed >= AGAIN_S:
                    self._pressed[check.id] = now
                    await self.stage.owner.press(self.stage.repository, check.id, "approve")

    def will_act(self, task: Task) -> bool:
        """Whether somebody is going to do something about this task."""
        waits = task.wait.on if task.wait is not None else None
        return task.status is Status.WAITING and waits is WaitFor.APPROVAL
