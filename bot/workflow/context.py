"""Makes the context of a step, and everything else that is made per task."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.agents.agent import Agent
from bot.agents.cage import Cage
from bot.agents.roster import Prompts
from bot.config.repo import AgentChoice, RepoConfig
from bot.domain import RepoRef, Role, Status, Task
from bot.errors import ConfigError
from bot.github.app import App
from bot.github.client import GitHub
from bot.github.git import Git, Signature
from bot.github.repo import Repo
from bot.tasks.lasting import Lasting
from bot.tasks.ledger import Ledger
from bot.tasks.queue import TaskQueue
from bot.tasks.views import Lane
from bot.workflow import given
from bot.workflow.authorship import Authorship
from bot.workflow.blocked import not_waited_for
from bot.workflow.breakers import Breakers
from bot.workflow.effects import Effects, place_of
from bot.workflow.environments import Environments
from bot.workflow.ground import Survey
from bot.workflow.pace import work_from
from bot.workflow.paint import Easel, Painter
from bot.workflow.phases.step import AgentsRegistry, Ctx, Meter, Probe, Transcribe
from bot.workflow.purse import Purse
from bot.workflow.repoconfig import Configs
from bot.workflow.report.view import Eta, Links, View
from bot.workflow.setup_steps import with_setup_steps
from bot.workflow.starting import limit_lane
from bot.workflow.tidying import folder_name
from bot.workflow.transcripts import AgentRun, packed, stored_name
from bot.workflow.trial import Bench
from bot.workflow.workspace import NOBODY, Origin, Workspace

NO_HUB = "No GitHub App is configured: `chimera setup`, or CHIMERA_APP_ID and its private key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the workflow room is given, once, by whoever builds the program."""

    queue: TaskQueue
    ledger: Ledger
    lasting: Lasting
    git: Git
    cage: Cage
    agents: AgentsRegistry
    prompts: Prompts
    configs: Configs
    origin_of: Callable[[RepoRef | None], Origin]
    now: Callable[[], float]
    probe: Probe
    folder: Path  #: where workspaces are laid out
    hmac_key: bytes
    github: GitHub | None = None  #: None: local runs only
    links: Links = field(default_factory=Links)
    allowed_hosts: frozenset[str] = frozenset()
    chosen: Callable[[Role, AgentChoice], Agent] | None = None  #: None: repositories cannot choose
    daily_usd: float | None = None  #: for models, all tasks together
    quiet_s: float = 60.0
    settle_s: float = 10.0


class Contexts:
    """Makes contexts for the executor, easels for the painter, views for whoever writes."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.survey = Survey(app_of=self.app, repo_of=self.repo)
        self.painter = Painter(tools.queue, self.easel_for, self.survey, tools.now)
        self.breakers = Breakers(tools.lasting, tools.now)
        self._authorship = Authorship(tools.lasting)
        self._purse = Purse(lasting=tools.lasting, now=tools.now, daily_usd=tools.daily_usd)
        self._environments = Environments(queue=tools.queue, lasting=tools.lasting, now=tools.now)

    def app(self) -> App:
        return App(self._hub())

    def repo(self, ref: RepoRef) -> Repo:
        return Repo(self._hub(), ref)

    def _hub(self) -> GitHub:
        """Raises ConfigError without one."""
        if self._tools.github is None:
            raise ConfigError(NO_HUB)
        return self._tools.github

    async def context_for(self, task: Task, meter: Meter) -> Ctx:
        """The context of the task's next step. Raises ConfigError for a broken chimera.yml."""
        tools = self._tools
        origin = tools.origin_of(task.repo)
        config = (await tools.configs.of_task(task, origin)).config
        if task.repo is not None and not task.facts.base_sha:  # new; it may have come by API
            await limit_lane(tools.lasting, task.repo, config)
        workspace = Workspace(
            tools.git, origin, tools.folder / folder_name(task), author=await self._author(task)
        )
        # A new task's configuration was read a moment ago, and the branch fetched with it.
        base = task.facts.base_sha or await workspace.at(origin.default_branch)
        config = await with_setup_steps(config, workspace, base)
        return Ctx(
            now=tools.now,
            config=config,
            effects=self._effects(task, task.fence),
            workspace=workspace,
            bench=Bench(tools.cage, config, tools.now, config.limits.phase_minutes * 60),
            agents=self._agents(config),
            cage=tools.cage,
            prompts=tools.prompts,
            meter=meter,
            repo=self.repo(task.repo) if task.repo is not None else None,
            links=self._links(task),
            hmac_key=tools.hmac_key,
            probe=tools.probe,
            heard=tools.lasting.said,
            note=self._note,
            transcribe=self._transcriber(task),
            purse=self._purse,
            take=self._environments.take,
            open_pulls=self._open_pulls,
            breakers=self.breakers,
            paint=self._paint_now,
            allowed_hosts=tools.allowed_hosts,
        )

    async def _author(self, task: Task) -> Signature:
        if task.repo is None:
            return NOBODY
        return await self._authorship.of(self.app(), task.repo)

    def _agents(self, config: RepoConfig) -> AgentsRegistry:
        """The server's agents, with the repository's own choice of model where it has one."""
        tools = self._tools
        if tools.chosen is None:
            return tools.agents
        choices = (
            (Role.E2E_TESTER, config.agents.e2e_tester),
            (Role.CODER, config.agents.coder),
            (Role.GUARDIAN, config.agents.guardian),
            (Role.DEPLOYMENT, config.agents.deployment),
        )
        own = {role: tools.chosen(role, one) for role, one in choices if one.use or one.model}
        return {**tools.agents, **own}

    async def _open_pulls(self, task: Task) -> int:
        if task.repo is None:
            return 0
        live = await self._tools.queue.live_of_repo(task.repo.id)
        return sum(
            bool(one.facts.pull) and one.wait is not None and one.wait.on.needs_person
            for one in live
            if one.status is Status.WAITING and one.id != task.id
        )

    async def easel_for(self, task: Task) -> Easel | None:
        """What painting the task needs; None where there is no issue to paint on."""
        if task.repo is None or not task.issue or self._tools.github is None:
            return None
        return Easel(
            repo=self.repo(task.repo),
            effects=self._effects(task, None),
            view=await self.view(task),
            now=self._tools.now(),
            settle_s=self._tools.settle_s,
            spare_at=self._tools.github.spare_at(task.repo.installation_id),
        )

    async def view(self, task: Task) -> View:
        """Everything that may be said about a task now."""
        tools = self._tools
        try:
            effective = await tools.configs.shown(task)
        except ConfigError:
            effective = None
        queued = task.status is Status.QUEUED
        lane = await tools.queue.lane(task.repo) if queued else Lane()
        view = View(
            task=task,
            limit=lane.limit,
            held=" ".join(
                filter(None, (lane.held_by, lane.hold_reason and f"({lane.hold_reason})"))
            ),
            journal=tuple(await tools.queue.journal(task.id)),
            links=self._links(task),
            position=await tools.queue.position(task.id) if queued else None,
            eta=await self._eta(task),
            answers=await given.shown(tools.lasting, task),
            notes=(*(effective.notes if effective is not None else ()), *not_waited_for(task)),
            hmac_key=tools.hmac_key,
        )
        return replace(view, config=effective.config) if effective is not None else view

    async def _eta(self, task: Task) -> Eta | None:
        """What is left, from the repository's own history; None without, or at a person's turn."""
        if task.status.ended or (task.wait is not None and task.wait.on.needs_person):
            return None
        left = work_from(task.phase, await self._tools.queue.pace_of(task.repo))
        return None if left is None else Eta(p50_s=left[0], p90_s=left[1])

    def _links(self, task: Task) -> Links:
        links = self._tools.links
        page = f"{links.task_page}/tasks/{task.id}" if links.task_page else ""
        return replace(links, task_page=page)

    def _effects(self, task: Task, fence: int | None) -> Effects:
        tools = self._tools
        return Effects(
            tools.ledger,
            tools.now,
            task_id=task.id,
            fence=fence,
            quiet_s=tools.quiet_s,
            place=place_of(task.repo, task.issue),
        )

    async def _note(self, key: str, said: Mapping[str, str]) -> None:
        await self._tools.lasting.add(key, **said)

    async def _paint_now(self, task: Task) -> None:
        await self.painter.paint_now(task)

    def _transcriber(self, task: Task) -> Transcribe:
        async def keep(run: AgentRun) -> None:
            name = stored_name(run.run_id, task.fence)
            text = await asyncio.to_thread(packed, run)  # masking much text takes its time
            await self._tools.lasting.save_transcript(task.id, name, run.role.value, text)

        return keep
