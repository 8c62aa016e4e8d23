"""Agents that follow a script: they really edit the checkout and answer in their role's words.

A script has a turn for each run; the last one is played again when there are no more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from bot.agents.agent import Brief, Emit, Outcome, Reply, Usage, UsageSource
from bot.agents.replies import (
    Comment,
    Decision,
    DeployPlan,
    Review,
    Risk,
    Severity,
)
from bot.domain import Role
from tests.stories.sample import code, e2e_test

Edit = Mapping[str, str | None]  #: path → content; None deletes
Turn = Callable[[Brief], Awaitable[BaseModel]]

TOKENS = Usage(
    requests=1, input_tokens=100, output_tokens=10, cost_usd=0.01, source=UsageSource.LIBRARY
)


@dataclass(slots=True)
class Actor:
    """One agent of a story."""

    role: Role
    turns: list[Turn] = field(default_factory=list)
    briefs: list[Brief] = field(default_factory=list)  #: of every run, in order
    began: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        return "scripted"

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        """See `Agent.run`."""
        if "/confirm-" in brief.run_id:  # the second look at one's own remarks: they all stand
            turn = self.turns[min(len(self.briefs) - 1, len(self.turns) - 1)]
        else:
            turn = self.turns[min(len(self.briefs), len(self.turns) - 1)]
            self.briefs.append(brief)
        self.began.set()
        output = await turn(brief)
        return Reply(outcome=Outcome.COMPLETED, output=output, usage=TOKENS)

    def writes(self, *edits: Edit | Callable[[Brief], Edit]) -> None:
        """One set of files for each run; a function makes them of the brief."""
        self.turns = [self._writing(edit) for edit in edits]

    def says(self, *words: BaseModel) -> None:
        """One answer for each run, without touching a file."""
        self.turns = [_answering(word) for word in words]

    def hangs(self, then: Turn | None = None) -> None:
        """A command in the cage that never ends, at the first run; `then` at the next ones."""
        self.turns = [_hanging, *([then] if then is not None else [])]

    def _writing(self, edit: Edit | Callable[[Brief], Edit]) -> Turn:
        async def turn(brief: Brief) -> BaseModel:
            for path, text in (edit(brief) if callable(edit) else edit).items():
                file = brief.workspace / path
                if text is None:
                    file.unlink()
                    continue
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            return brief.reply_type.model_validate({"summary": f"{self.role} wrote it"})

        return turn


def _answering(word: BaseModel) -> Turn:
    async def turn(_brief: Brief) -> BaseModel:
        return word

    return turn


async def _hanging(brief: Brief) -> BaseModel:
    limits = brief.limits.for_cage(wall_s=600)
    await brief.cage.run("sleep 600", workspace=brief.workspace, limits=limits)
    return brief.reply_type.model_validate({"summary": "it was let go on"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The four agents; without another script they make the happy path."""

    e2e_tester: Actor
    coder: Actor
    guardian: Actor
    deployment: Actor

    def registry(self) -> dict[Role, Actor]:
        return {a.role: a for a in (self.e2e_tester, self.coder, self.guardian, self.deployment)}


def cast() -> Cast:
    """The four agents as the happy path has them."""
    made = Cast(
        e2e_tester=Actor(Role.E2E_TESTER),
        coder=Actor(Role.CODER),
        guardian=Actor(Role.GUARDIAN),
        deployment=Actor(Role.DEPLOYMENT),
    )
    made.e2e_tester.writes(e2e_test("goodbye", "Goodbye"))
    made.coder.writes(code("goodbye", "Goodbye"))
    made.guardian.says(approve())
    made.deployment.says(plan())
    return made


def approve(*comments: Comment) -> Review:
    return Review(
        decision=Decision.APPROVE, summary="It does what was asked.", comments=[*comments]
    )


def request_changes(body: str, *, path: str = "pages/goodbye.txt", line: int = 1) -> Review:
    remark = Comment(path=path, line=line, severity=Severity.BLOCKER, body=body)
    return Review(
        decision=Decision.REQUEST_CHANGES, summary="Something has to change.", comments=[remark]
    )


def nit(body: str, *, path: str = "pages/goodbye.txt", line: int = 1) -> Comment:
    return Comment(path=path, line=line, severity=Severity.NIT, body=body)


def plan(*, proceed: bool = True) -> DeployPlan:
    return DeployPlan(
        what="one page",
        where="the environment that was asked for",
        proceed=proceed,
        risk=Risk.LOW if proceed else Risk.HIGH,
        rollback="deploy the commit before",
        summary="Deploy it." if proceed else "Not on a Friday.",
    )
