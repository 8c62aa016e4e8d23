"""What the doctor sees in one repository: configuration, labels, workflows, rules."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.config.layers import load_repo_config
from bot.config.repo import Production, RepoConfig, Staging
from bot.errors import ConfigError
from bot.github.repo import Repo
from bot.github.types import Environment, Workflow
from bot.setup.finding import Finding, bad, good, warning
from bot.setup.gifts import labels_of, workflow_link
from bot.setup.rules import MERGE_GROUP, example_branch, rules_of_merge, rules_of_push
from bot.setup.workflow_file import MAX_INPUTS_FILE, dispatch_problems
from bot.workflow import setup_steps
from bot.workflow.repoconfig import PATH

MAX_CONFIG = 256 * 1024  #: bytes; more than is accepted, so that too much is told as such


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A repository, and what counts there besides its own file."""

    repo: Repo
    hub: str  #: GitHub's pages
    permissions: Mapping[str, str]  #: granted by the installation
    events: Sequence[str]  #: that the App hears of
    layers: Sequence[tuple[str, bytes]] = field(default=())  #: the organisation's, the server's

    @property
    def area(self) -> str:
        return self.repo.repo.full_name

    @property
    def branch(self) -> str:
        return self.repo.repo.default_branch


async def repository(visit: Visit) -> AsyncIterator[Finding]:
    """Everything about one repository. Raises as `GitHub.call` does."""
    own = await visit.repo.file(PATH, ref=visit.branch, limit=MAX_CONFIG)
    layers = [*([(PATH, own)] if own is not None else []), *visit.layers]
    try:
        effective = load_repo_config(layers)
    except ConfigError as error:
        for problem in error.problems:
            yield bad(visit.area, problem, "New tasks wait until it is mended.")
        return
    yield _configuration(visit, own is not None)
    for note in effective.notes:
        yield warning(visit.area, note, "")
    config = effective.config
    yield await _labels(visit, config)
    async for one in _deployments(visit, config):
        yield one
    async for one in _steps(visit, config):
        yield one
    hears_queue = "merge_queues" in visit.permissions and MERGE_GROUP in visit.events
    asked = await visit.repo.rules(visit.branch)
    for one in rules_of_merge(visit.area, visit.branch, asked, config, hears_queue=hears_queue):
        yield one
    example = example_branch(config)
    for one in rules_of_push(visit.area, example, await visit.repo.rules(example)):
        yield one


async def _steps(visit: Visit, config: RepoConfig) -> AsyncIterator[Finding]:
    """What of the set-up for another agent cannot be done here."""
    if config.setup:
        return
    text = await visit.repo.file(setup_steps.PATH, ref=visit.branch, limit=setup_steps.MAX_BYTES)
    for left_out in setup_steps.read_steps(text or b"").left_out:
        fix = "Where the tests need it, write `setup` in chimera.yml; it goes before that file."
        yield warning(visit.area, f"{setup_steps.PATH}: {left_out}: left out", fix)


def _configuration(visit: Visit, is_there: bool) -> Finding:
    if is_there:
        return good(visit.area, f"{PATH} is valid")
    fix = "`chimera setup` opens a pull request with one."
    return warning(visit.area, f"has no {PATH}: the defaults count", fix)


async def _labels(visit: Visit, config: RepoConfig) -> Finding:
    have = {name.lower() for name in await visit.repo.labels()}
    missing = [label.name for label, _ in labels_of(config) if label.name.lower() not in have]
    if not missing:
        return good(visit.area, "has every label that Chimera uses")
    fix = "`chimera setup` makes them."
    text = f"lacks the labels {', '.join(missing)}"
    if config.trigger.label in missing:
        return bad(visit.area, f"{text}; without the first nobody can start a task", fix)
    return warning(visit.area, text, fix)


async def _deployments(visit: Visit, config: RepoConfig) -> AsyncIterator[Finding]:
    stages: list[Staging | Production] = [config.deploy.staging, config.deploy.production]
    used = [stage for stage in stages if stage.workflow]
    if not used:
        yield good(visit.area, "deploys nothing: staging is ephemeral, the merge is the end")
        return
    if visit.permissions.get("actions") != "write":
        fix = "Give the App actions: write (`chimera setup`: the standard permissions)."
        yield bad(visit.area, "its workflows cannot be dispatched", fix)
    workflows = {one.path.rpartition("/")[2]: one for one in await visit.repo.workflows()}
    for name in sorted({stage.workflow for stage in used}):
        environments = [stage.environment for stage in used if stage.workflow == name]
        yield await _workflow(visit, name, workflows.get(name), environments)
    for one in _environments(visit, used, await visit.repo.environments()):
        yield one


async def _workflow(
    visit: Visit, name: str, known: Workflow | None, environments: Sequence[str]
) -> Finding:
    path = f".github/workflows/{name}"
    text = await visit.repo.file(path, ref=visit.branch, limit=MAX_INPUTS_FILE)
    if text is None:
        fix = f"Commit it to {visit.branch}: {workflow_link(visit.hub, visit.repo.repo)}"
        return bad(visit.area, f"{path} is not on {visit.branch}", fix)
    problems = dispatch_problems(text, environments)
    if problems:
        fix = "The template, `deploy.yml` in the data directory after `chimera setup`, has them."
        return bad(visit.area, f"{path}: {'; '.join(problems)}", fix)
    if known is None:
        fix = "Look again in a minute; if it stays so, Actions are switched off in the settings."
        return bad(visit.area, f"{path} is there, but Actions do not know it", fix)
    if known.state != "active":
        return bad(visit.area, f"{path} is {known.state}", "Enable it under Actions.")
    return good(visit.area, f"{path} takes a dispatch with our inputs")


def _environments(
    visit: Visit, used: Sequence[Staging | Production], found: Sequence[Environment]
) -> Iterator[Finding]:
    known = {one.name.lower(): one for one in found}
    for stage in used:
        name = stage.environment
        one = known.get(name.lower())
        if one is None:
            fix = "Make it under Settings, or let the first run do so, without protection."
            yield warning(visit.area, f"has no environment {name!r} yet", fix)
        elif "required_reviewers" in one.protection:
            fix = "A person approves in Actions, besides the approval that Chimera asks for."
            yield warning(visit.area, f"environment {name!r} has required reviewers", fix)
        else:
            yield good(visit.area, f"environment {name!r} exists")
