"""What every phase has at hand, and the short words in which it answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot.agents.agent import Agent
from bot.agents.cage import Cage
from bot.agents.roster import Prompts
from bot.config.repo import RepoConfig
from bot.domain import (
    Cause,
    Outcome,
    Phase,
    RepoRef,
    Role,
    StepResult,
    Task,
    Verdict,
    Wait,
    WaitFor,
)
from bot.errors import SetupFailed
from bot.facts import Facts, Spend
from bot.github.repo import Repo
from bot.workflow.breakers import Breakers
from bot.workflow.effects import Effects
from bot.workflow.purse import Purse
from bot.workflow.report.view import Links, View
from bot.workflow.transcripts import AgentRun
from bot.workflow.trial import Bench
from bot.workflow.workspace import Workspace

AgentsRegistry = Mapping[Role, Agent]
Probe = Callable[[str], Awaitable[str | None]]  #: GET a small text, or None
Heard = Callable[[str], Awaitable[Mapping[str, str]]]  #: what deliveries said under a key
Note = Callable[[str, Mapping[str, str]], Awaitable[None]]  #: keep such a saying
Transcribe = Callable[[AgentRun], Awaitable[None]]


class Meter:
    """Sums what the agents of one step used, so that a step that breaks is paid for, too."""

    def __init__(self) -> None:
        self.total = Spend()

    def add(self, spend: Spend) -> None:
        self.total = self.total + spend


@dataclass(frozen=True, slots=True, kw_only=True)
class Ctx:
    """The context of one step."""

    now: Callable[[], float]
    config: RepoConfig
    effects: Effects
    workspace: Workspace
    bench: Bench
    agents: AgentsRegistry
    cage: Cage
    prompts: Prompts
    meter: Meter
    repo: Repo | None  #: None: a local run without a hub
    links: Links
    hmac_key: bytes  #: signs the first line of every text of ours
    probe: Probe
    heard: Heard
    note: Note
    transcribe: Transcribe
    purse: Purse
    take: Callable[[Task, str], Awaitable[None]]  #: an environment; raises Parked while in use
    open_pulls: Callable[[Task], Awaitable[int]]  #: of the repository, that wait for people
    breakers: Breakers
    paint: Callable[[Task], Awaitable[None]]  #: have GitHub show this state now
    allowed_hosts: frozenset[str] = frozenset()  #: of target URLs, by the server

    def view(self, task: Task) -> View:
        """What texts about `task` are made of."""
        return View(task=task, config=self.config, links=self.links, hmac_key=self.hmac_key)


Run = Callable[[Task, Ctx], Awaitable[StepResult]]


def passed(facts: Facts, summary: str, *, evidence: str = "") -> StepResult:
    return _result(facts, Verdict(outcome=Outcome.PASS, summary=summary), evidence)


def skipped(task: Task, facts: Facts, reason: str) -> StepResult:
    """The phase does not apply; the reason is kept for the result."""
    noted = (*facts.skipped, f"{task.phase}: {reason}")
    return _result(
        replace(facts, skipped=tuple(dict.fromkeys(noted))),
        Verdict(outcome=Outcome.SKIP, summary=reason),
    )


def again(facts: Facts, summary: str, cause: Cause, *feedback: str) -> StepResult:
    """Another turn of the same agent, which is told why."""
    return _result(
        replace(facts, feedback=feedback),
        Verdict(outcome=Outcome.AGAIN, summary=summary, cause=cause),
    )


def back(facts: Facts, summary: str, cause: Cause, *feedback: str) -> StepResult:
    """Back to the coder, who is told why."""
    return _result(
        replace(facts, feedback=feedback, wip_sha="", last_failure=""),
        Verdict(outcome=Outcome.BACK, summary=summary, cause=cause, to=Phase.CODE_IMPLEMENTATION),
    )


def restage(facts: Facts, summary: str, cause: Cause) -> StepResult:
    """Stage and validate again; nobody has to write anything."""
    return _result(
        facts,
        Verdict(outcome=Outcome.BACK, summary=summary, cause=cause, to=Phase.STAGING_DEPLOYMENT),
    )


def review_again(facts: Facts, summary: str) -> StepResult:
    """Somebody else's commits have to be reviewed before anything goes on."""
    verdict = Verdict(
        outcome=Outcome.BACK, summary=summary, cause=Cause.CONFLICT, to=Phase.GUARDIAN_REVIEW
    )
    return _result(replace(facts, approval=None), verdict)


def failed(facts: Facts, summary: str, cause: Cause) -> StepResult:
    return _result(facts, Verdict(outcome=Outcome.FAIL, summary=summary, cause=cause))


def waiting(
    facts: Facts, on: WaitFor, reason: str, *, key: str = "", until: float | None = None
) -> StepResult:
    wait = Wait(on=on, reason=reason, key=key, until=until)
    return _result(facts, Verdict(outcome=Outcome.WAIT, summary=reason, wait=wait))


def repo_of(task: Task) -> RepoRef:
    """The task's repository; only called where there is a hub."""
    if task.repo is None:
        raise AssertionError("a task without a repository reached a phase that needs a hub")
    return task.repo


def tail(text: str, limit: int = 6000) -> str:
    """The end of a log, which is where a test runner says what went wrong."""
    return text if len(text) <= limit else "…\n" + text[-limit:]


def _result(facts: Facts, verdict: Verdict, evidence: str = "") -> StepResult:
    return StepResult(verdict=verdict, facts=facts, evidence=evidence)


async def trial_at(ctx: Ctx, sha: str) -> Path:
    """A fresh checkout, set up, in which tests may run. Raises SetupFailed with the log's end."""
    checkout = await ctx.workspace.lay("trial", sha)
    trouble = await ctx.bench.setup(checkout)
    if trouble is not None:
        raise SetupFailed(f"The set-up steps fail on `{sha[:7]}`:\n{tail(trouble, 1500)}")
    return checkout
