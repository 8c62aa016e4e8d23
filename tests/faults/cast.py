"""Scripted agents: what they write is right, unless a history wants them in another mood."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from bot.agents.agent import Brief, Emit, Outcome, Reply, Usage, UsageSource
from bot.agents.replies import Comment, Decision, DeployPlan, Review, Risk, Severity
from bot.domain import Role
from bot.errors import RateLimited, Transient
from tests.faults import sample

WORK_S = 20.0  #: what one run of an agent takes
USED = Usage(
    requests=1, input_tokens=100, output_tokens=10, cost_usd=0.01, source=UsageSource.LIBRARY
)
_WISH = re.compile(r"page(\d+) should say")


class Mood(StrEnum):
    """How one run of an agent goes."""

    GOOD = "good"
    BAD_JSON = "bad JSON"  #: no readable answer
    EMPTY = "empty"  #: a readable answer, and nothing done
    RAISES = "raises"  #: an error that nobody has foreseen
    PROVIDER_DOWN = "provider down"
    PROVIDER_LIMIT = "provider limit"
    WRONG = "wrong"  #: says that it is done, and it is not; a guardian asks for changes
    SLOW = "slow"  #: an hour, which no phase has
    ADVISES_AGAINST = "advises against"  #: the deployment agent says no


Checkouts = Mapping[Path, dict[str, bytes]]
Moods = Callable[[Role], Mood]


@dataclass(slots=True, kw_only=True)
class SimAgent:
    """One role's agent; `alive` is awaited where its process could have ended."""

    role: Role
    work: Checkouts
    mood: Moods
    now: Callable[[], float]
    alive: Callable[[], Awaitable[None]]
    drafts: Iterator[int]  #: no two runs of an agent write the same

    @property
    def name(self) -> str:
        return "simulated"

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        """See `Agent.run`."""
        await self.alive()
        mood = self.mood(self.role)
        await asyncio.sleep(3600.0 if mood is Mood.SLOW else WORK_S)
        await self.alive()
        match mood:
            case Mood.BAD_JSON:
                return Reply(outcome=Outcome.FAILED, error="the answer is not JSON", usage=USED)
            case Mood.RAISES:
                raise RuntimeError("an agent broke in a way that nobody has foreseen")
            case Mood.PROVIDER_DOWN:
                raise Transient("the model's provider answers 529")
            case Mood.PROVIDER_LIMIT:
                raise RateLimited("the model's provider answers 429", retry_at=self.now() + 90)
        return Reply(outcome=Outcome.COMPLETED, output=self._answer(brief, mood), usage=USED)

    def _answer(self, brief: Brief, mood: Mood) -> BaseModel:
        wish = _WISH.search(brief.prompt)
        number = int(wish[1]) if wish is not None else 0
        files = self.work[brief.workspace]
        idle, wrong = mood is Mood.EMPTY, mood is Mood.WRONG
        match self.role:
            case Role.E2E_TESTER:
                path, text = sample.test_of(number)
                _write(files, path, text + self._draft(), unless=idle or wrong)
            case Role.CODER:
                path, text = sample.page_of(number)
                _write(files, path, b"Nothing of the kind\n" if wrong else text, unless=idle)
                _write(files, f"notes/page{number}.txt", self._draft(), unless=idle)
            case Role.GUARDIAN:
                return _review(sample.page_of(number)[0], wrong=wrong)
            case Role.DEPLOYMENT:
                return _plan(proceed=mood is not Mood.ADVISES_AGAINST)
        return brief.reply_type.model_validate({"summary": f"{self.role} wrote it"})

    def _draft(self) -> bytes:
        return f"# draft {next(self.drafts)}\n".encode()


def _write(files: dict[str, bytes], path: str, text: bytes, *, unless: bool) -> None:
    if not unless:
        files[path] = text


def _review(path: str, *, wrong: bool) -> Review:
    if not wrong:
        return Review(decision=Decision.APPROVE, summary="It does what was asked.")
    remark = Comment(path=path, line=1, severity=Severity.BLOCKER, body="This is not it.")
    return Review(decision=Decision.REQUEST_CHANGES, summary="Look again.", comments=[remark])


def _plan(*, proceed: bool) -> DeployPlan:
    return DeployPlan(
        what="one page",
        where="the environment that was asked for",
        proceed=proceed,
        risk=Risk.LOW,
        rollback="the commit before",
        summary="Deploy it." if proceed else "Not on a Friday.",
    )
