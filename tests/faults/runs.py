"""Scripted Actions runs: they deploy, or fail in one of the ways that runs fail in."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from bot.localhub import deploying, events
from bot.localhub.state import Repository
from bot.localhub.state_runs import Run
from bot.localhub.world import World

RUN_S = 40.0
LATE_S = 1500.0
APPROVED_S = 86_400.0


class Fate(StrEnum):
    """What becomes of a run."""

    SUCCEEDS = "succeeds"
    FAILS = "fails"
    LATE = "late"
    NEVER_STARTS = "never starts"
    NEVER_ENDS = "never ends"
    DELETED = "deleted"
    WRONG_SHA = "succeeds with the wrong SHA"
    BROKEN = "deploys what does not work"
    WAITS = "waits for approval for a day"


@dataclass(slots=True)
class Runs:
    """Carries out runs; remembers what is live where."""

    fate: Callable[[Run], Fate]
    live: dict[str, str] = field(default_factory=dict)  #: environment → commit
    broken: set[str] = field(default_factory=set)  #: environments

    async def __call__(self, world: World, repo: Repository, run: Run) -> None:
        fate = self.fate(run)
        if fate is Fate.NEVER_STARTS:
            await _for_ever()
        if fate is Fate.WAITS:
            run.status = "waiting"
            await asyncio.sleep(APPROVED_S)
        await asyncio.sleep(5.0)
        run.status, run.started_at = "in_progress", world.now()
        events.workflow_run(world, repo, run, "in_progress")
        job = run.jobs[0]
        deploying.start_job(world, repo, run, job)
        if fate is Fate.NEVER_ENDS:
            await _for_ever()
        await asyncio.sleep(LATE_S if fate is Fate.LATE else RUN_S)
        if fate is Fate.DELETED:
            del repo.runs[run.id]
            await _for_ever()
        environment = run.inputs["environment"]
        if fate is not Fate.FAILS:
            self._deploy(environment, run.inputs["sha"], fate)
        url = f"http://{environment}.test"
        done = "failure" if fate is Fate.FAILS else "success"
        deploying.end_job(world, repo, run, job, done, url=url if done == "success" else "")

    def _deploy(self, environment: str, sha: str, fate: Fate) -> None:
        self.live[environment] = "0" * 40 if fate is Fate.WRONG_SHA else sha
        self.broken.discard(environment)
        if fate is Fate.BROKEN:
            self.broken.add(environment)


async def _for_ever() -> None:
    await asyncio.Event().wait()
