"""One history: issues are labelled, trouble strikes as planned, and in the end all must be well."""

import asyncio
import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import process_time

from bot.domain import JournalLine, Outcome, Role, Status, Task, WaitFor
from bot.errors import RateLimited
from bot.localhub.state_runs import Run
from tests.faults import invariants
from tests.faults.boot import remember_boots
from tests.faults.cast import Mood
from tests.faults.chance import seeded
from tests.faults.clock import SimLoop
from tests.faults.evidence import Left, left_by
from tests.faults.house import Ground, Protections
from tests.faults.meddling import GONE, Act, Meddler
from tests.faults.people import People
from tests.faults.plan import Plan
from tests.faults.points import Script
from tests.faults.post import Post
from tests.faults.processes import Processes
from tests.faults.runs import Fate, Runs
from tests.faults.simgit import SimGit
from tests.faults.stage import Stage, open_stage
from tests.faults.store import Watch
from tests.faults.weather import Kind, Weather
from tests.faults.wire import Inward, Line

LONGEST_S = 96 * 3600.0  #: in which a history has to come to rest
REST_S = 60.0  #: how often it is looked whether everything has come to rest
CALM_S = 1000.0  #: after it has come to rest: longer than any sweep's interval
SHM = Path("/dev/shm")

_TRYING = {WaitFor.RETRY, WaitFor.QUIET, WaitFor.RATE_LIMIT, WaitFor.BREAKER}


@dataclass(slots=True, kw_only=True)
class Told:
    """What a history has come to."""

    plan: Plan
    problems: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    reached: list[tuple[str, str, str]] = field(default_factory=list)
    recovery_s: list[tuple[str, float]] = field(default_factory=list)
    stranded: Counter[str] = field(default_factory=Counter)
    simulated_s: float = 0.0
    cpu_s: float = 0.0  #: of this process; git's own come on top
    trace: str = ""  #: hash of every call of the bot's, with its time
    journal: list[str] = field(default_factory=list)


def tell(plan: Plan, protections: Protections | None = None) -> Told:
    """Live through a plan. Never raises for what goes wrong in it: `problems` says it."""
    with seeded(plan.seed):
        return _tell(plan, protections or Protections())


def _tell(plan: Plan, protections: Protections) -> Told:
    started = process_time()
    loop = SimLoop()
    folder = Path(tempfile.mkdtemp(prefix="chimera-sim-", dir=SHM if SHM.is_dir() else None))
    told = Told(plan=plan)
    try:
        asyncio.set_event_loop(loop)
        remember_boots(loop)
        history = History(plan, folder, loop, told, protections)
        loop.run_until_complete(history.live())
    except Exception as error:
        told.problems.append(f"the simulation broke: {type(error).__name__}: {error}")
    finally:
        loop.run_until_complete(_end_all())
        asyncio.set_event_loop(None)
        loop.close()
        shutil.rmtree(folder, ignore_errors=True)
    told.simulated_s, told.cpu_s = loop.time(), process_time() - started
    return told


class History:
    """The hub, its people, and one boot of the bot after the other."""

    def __init__(
        self, plan: Plan, folder: Path, loop: SimLoop, told: Told, protections: Protections
    ) -> None:
        self.plan, self.told, self.loop = plan, told, loop
        self.stage: Stage = open_stage(folder, loop, Runs(self._fate), automatic=plan.automatic)
        self.line = Line(
            self.stage.hub,
            loop.wall,
            [replace(one) for one in plan.troubles],
            installation=self.stage.installation,
        )
        self.line.on_hit = self._struck
        self.door = Inward()
        self.script = Script(stops=list(plan.stops))
        self.watch = Watch(on_step=self._stepped)
        self._moods = {role: list(plan.moods.get(role, ())) for role in Role}
        self._fates = list(plan.fates)
        self.weather = Weather(passed=loop.time, storms=plan.storms, on_hit=self._felt)
        self.line.down = self.weather.status
        self.meddler = Meddler(stage=self.stage, meddling=plan.meddling, on_act=self._meddled)
        self._pending: list[tuple[str, float]] = []
        self.acted_at = 0.0  #: when somebody meddled
        self.seen: dict[str, list[Status]] = {}
        git = SimGit(folder / "bot" / "git", self.stage.objects, self.stage.pushed, self.line.git)
        self.ground = Ground(
            folder=folder,
            stage=self.stage,
            line=self.line,
            git=git,
            script=self.script,
            watch=self.watch,
            mood=self._mood,
            now=lambda: loop.wall() + self.weather.skew_s(),
            weather=self.weather,
            protections=protections,
        )
        self.processes = Processes(ground=self.ground, door=self.door, struck=self._struck)
        self.people = People(self.stage, plan)
        self.watch.text_of = lambda number: self.stage.repository.issues[number].body or ""
        self.post = Post(
            stage=self.stage, plan=plan, door=self.door, passed=loop.time, hits=told.hits
        )
        self.stage.hub.faults.lag_s = plan.lag_s

    async def live(self) -> None:
        """From the first boot to the last look."""
        self.stage.hub.webhooks.kick()  # what the hub had to say before there was a loop
        for number in range(self.plan.replicas):
            await self.processes.start(f"replica-{number}")
        asking = asyncio.create_task(self.people.ask())
        meddling = asyncio.create_task(self.meddler.meddle())
        acting = asyncio.create_task(self.people.act())
        replaying = asyncio.create_task(self.post.replay())
        await self._until_rest()
        asking.cancel()
        replaying.cancel()
        self.weather.over = True
        self.line.troubles.clear()
        self.stage.hub.faults.clear()
        self.post.mend()
        await self.processes.go_on(CALM_S)
        await self._until_rest()
        acting.cancel()
        meddling.cancel()
        await self._look()
        await self.processes.kill_all()
        await self.stage.hub.aclose()

    async def _until_rest(self) -> None:
        deadline = self.loop.time() + LONGEST_S
        while not await self._rests():
            if self.loop.time() > deadline:
                self.told.problems.append(f"I6: no rest after {LONGEST_S / 3600:.0f} h")
                return
            await self.processes.go_on(REST_S)

    async def _rests(self) -> bool:
        """Nothing is on its way, and nothing waits for anything but a person."""
        house = self.processes.house
        if not (self.people.asked_all and self.meddler.done and self.stage.hub.webhooks.idle):
            return False
        if await house.queue.next_delivery() is not None:
            return False
        tasks = (await house.queue.page()).tasks
        self._see(tasks)
        hub = self.stage.repository.issues
        wanted = {number for number in self.people.issues if invariants.still_asked(hub[number])}
        if self._did(Act.UNINSTALLED):
            wanted = set()  # what was not heard before is not heard any more
        if not {task.issue for task in tasks} >= wanted:
            return False
        if any(not _at_rest(task) or self.people.will_act(task) for task in tasks):
            return False
        return await house.queue.next_picture() is None or not self._can_be_shown()

    def _can_be_shown(self) -> bool:
        """Whether there is a place left at the hub where a picture could hang."""
        return not self._did(*GONE, Act.UNINSTALLED)

    def _did(self, *acts: Act) -> bool:
        """Whether somebody has done one of these."""
        meddling = self.meddler.meddling
        return self.meddler.acted and meddling is not None and meddling.act in acts

    def _see(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            known = self.seen.setdefault(task.id, [])
            if not known or known[-1] is not task.status:
                known.append(task.status)

    # ── what the plan says ───────────────────────────────────────────────────────────────────

    def _mood(self, role: Role) -> Mood:
        left = self._moods[role]
        mood = left.pop(0) if left else Mood.GOOD
        if mood is not Mood.GOOD:
            self.told.hits[f"agent: {mood}"] += 1
            self._struck(f"agent: {mood}")
        return mood

    def _fate(self, run: Run) -> Fate:
        fate = self._fates.pop(0) if self._fates else Fate.SUCCEEDS
        if fate is not Fate.SUCCEEDS:
            self.told.hits[f"run: {fate}"] += 1
        return fate

    def _felt(self, kind: Kind) -> None:
        self.told.hits[kind] += 1
        self._struck(kind)

    def _meddled(self, act: Act) -> None:
        self.told.hits[f"people: {act}"] += 1
        self.acted_at = self.ground.now()

    # ── what is learnt ───────────────────────────────────────────────────────────────────────

    def _struck(self, kind: str) -> None:
        self._pending.append((kind, self.loop.wall()))

    def _stepped(self, task: Task, line: JournalLine) -> None:
        self._see([task])
        wait = task.wait.on if task.wait is not None else None
        if line.outcome is Outcome.WAIT and wait in _TRYING:
            return
        now = self.loop.wall()
        if task.status is Status.DEAD or (
            wait is not None and wait.needs_person and wait is not WaitFor.APPROVAL
        ):
            self.told.stranded.update(kind for kind, _ in self._pending)
        else:
            self.told.recovery_s += [(kind, now - at) for kind, at in self._pending]
        self._pending.clear()

    async def _look(self) -> None:
        """Everything that has to be true, and what there is to count."""
        told, house = self.told, self.processes.house
        for task in (await house.queue.page()).tasks:
            wait = f" for {task.wait.on}" if task.wait is not None else ""
            told.outcomes[f"{task.status}{wait}"] += 1
            told.journal.append(f"{task.id} {task.status}{wait} {task.phase} {task.summary}")
            for line in await house.queue.journal(task.id):
                at = line.started_at - self.loop.wall() + self.loop.time()
                told.journal.append(
                    f"  {at:9.1f} {line.phase} {line.outcome}: {line.summary[:200]}"
                )
        told.hits += self.line.hits
        told.hits["people: a task is tried again"] += self.people.retried.total()
        told.hits["people: an approval takes eight hours"] += bool(self.plan.patience_s)
        told.hits["people: nobody is asked before production"] += self.plan.automatic
        told.hits["two replicas on one store"] += self.plan.replicas > 1
        told.points, told.reached = self.script.hits, self.script.reached
        calls = [f"{one.at} {one.method} {one.path}" for one in self.stage.hub.calls]
        told.trace = hashlib.sha256("\n".join(calls).encode()).hexdigest()
        told.problems += self.watch.problems
        told.problems += invariants.violations(await self._left())

    async def _left(self) -> Left:
        """Asked of the house, which keeps to a limit that the hub has named before it rested."""
        while True:
            try:
                return await left_by(
                    self.processes.house,
                    self.stage,
                    issues=self.people.issues,
                    accepted=self.door.accepted,
                    seen=self.seen,
                    commanded=self.people.commanded,
                    meddler=self.meddler,
                    acted_at=None if self.weather.skew_s() else self.acted_at,
                    automatic=self.plan.automatic,
                )
            except RateLimited:
                await self.processes.go_on(REST_S)


async def _end_all() -> None:
    """Nothing of a history is left on its loop."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _at_rest(task: Task) -> bool:
    waits_for_a_person = task.wait is not None and task.wait.on.needs_person
    return task.status.ended or (task.status is Status.WAITING and waits_for_a_person)
