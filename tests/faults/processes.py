"""The bot's processes in a history: started, killed, frozen, told to end, and started again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.app import House
from bot.errors import StoreError
from tests.faults.boot import Boot
from tests.faults.house import Ground, open_house
from tests.faults.points import Stop
from tests.faults.wire import Inward

LOOK_S = 15.0  #: how often it is looked whether a process has to be stopped
RESTART_S = 10.0  #: until a process that has ended by itself is started again
GRACE_S = 45.0  #: for a process that was told to end
THAWED_S = 120.0  #: how long two processes are at work on one store


@dataclass(slots=True, kw_only=True)
class Processes:
    """One boot after the other, each of which is reached by `door`."""

    ground: Ground
    door: Inward
    struck: Callable[[str], None]  #: hears how a process has ended
    boots: int = 0
    _newest: House | None = None
    _houses: dict[Boot, House] = field(default_factory=dict)  #: of those that live

    @property
    def house(self) -> House:
        """The one that was started last."""
        assert self._newest is not None, "no process was started yet"
        return self._newest

    async def start(self, name: str) -> None:
        """A new process of the machine of this name."""
        self.boots += 1
        boot = Boot(self.boots, name)
        ready: asyncio.Future[House] = asyncio.get_running_loop().create_future()

        async def process() -> None:
            async with open_house(self.ground, boot) as house:
                ready.set_result(house)
                try:
                    await house.daemon.run()
                except StoreError:  # it ends, and what watches over it starts it again
                    self.ground.script.asked.append((boot, Stop(down_s=RESTART_S)))
                    await boot.never()

        running = boot.run(process())
        await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()  # raises what kept it from opening
        self._newest = self._houses[boot] = ready.result()
        self.door.listens[boot] = self.house.web

    async def go_on(self, seconds: float) -> None:
        """Let so much time pass; whatever process reaches a crash point in it is stopped."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            await asyncio.sleep(min(LOOK_S, until - loop.time()))
            while self.ground.script.asked:
                await self._stop(*self.ground.script.asked.pop(0))

    async def kill_all(self) -> None:
        """The end of the history."""
        for boot in list(self._houses):
            await boot.kill()

    async def _stop(self, boot: Boot, stop: Stop) -> None:
        """What a reached crash point asks for."""
        if boot not in self._houses:  # it reached two points, and ended at the first
            return
        if stop.terms:
            await self._term(boot)
        elif stop.freeze_s:
            await self._freeze(boot, stop.freeze_s)
        else:
            await self._kill(boot, stop)

    async def _term(self, boot: Boot) -> None:
        """SIGTERM: it drains and ends by itself; a second one would end it at once."""
        self.struck("SIGTERM")
        self.door.listens.pop(boot, None)
        self._houses[boot].daemon.stop()
        await asyncio.sleep(GRACE_S)
        del self._houses[boot]
        await boot.kill()
        await self.start(boot.name)

    async def _freeze(self, boot: Boot, seconds: float) -> None:
        """It stands still while another goes on, wakes, and goes on for a while itself."""
        self.struck("frozen")
        await self.start(boot.name)
        await asyncio.sleep(seconds)
        boot.going.set()
        await asyncio.sleep(THAWED_S)
        self.door.listens.pop(boot, None)
        del self._houses[boot]
        await boot.kill()

    async def _kill(self, boot: Boot, stop: Stop) -> None:
        del self._houses[boot]
        self.door.listens.pop(boot, None)
        self.struck("killed")
        await boot.kill()
        if stop.new_disk:
            self.ground.git.forget()
        await asyncio.sleep(stop.down_s)
        await self.start(boot.name)
