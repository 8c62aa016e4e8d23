"""The model of `.github/chimera.yml`: how one repository wants to be worked on.

Each attribute's docstring becomes its description in the JSON Schema and in the reference.
Values are plain and frozen; how several files become one is in `layers`.
"""

import shlex
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.config.choices import (
    AgentUse,
    ApprovalMode,
    DependencyRule,
    DeployOrder,
    MergeMethod,
    RepoRole,
    RollbackMode,
    Verb,
)
from bot.config.values import (
    BranchName,
    Colour,
    HostName,
    LabelName,
    Line,
    RepoPath,
    WebAddress,
    WorkflowFile,
)


class Section(BaseModel):
    """What every part of the file has in common: unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Trigger(Section):
    label: LabelName = "chimera"
    """The label that starts a task, and whose removal cancels it."""
    color: Colour = "5319e7"
    """Its colour, where Chimera has to create it."""
    roles: tuple[RepoRole, ...] = (
        RepoRole.TRIAGE,
        RepoRole.WRITE,
        RepoRole.MAINTAIN,
        RepoRole.ADMIN,
    )
    """Who may start a task, by GitHub's role names. A nearer file can only remove roles."""


class AgentChoice(Section):
    use: AgentUse | None = None
    """Which kind of agent; null: as the server says."""
    model: Line | None = None
    """Provider and model, such as `anthropic:…`; null: as the server says."""


class Agents(Section):
    e2e_tester: AgentChoice = AgentChoice()
    """Writes the end-to-end tests."""
    coder: AgentChoice = AgentChoice()
    """Writes the change."""
    guardian: AgentChoice = AgentChoice()
    """Reviews it, read-only."""
    deployment: AgentChoice = AgentChoice()
    """Plans the deployments."""


class E2E(Section):
    path: RepoPath = "tests/e2e"
    """Where end-to-end tests live; the tester can write nowhere else."""
    test: Line = "pytest -q {path}"
    """Runs them; `{path}` is the path above. The served address is in `E2E_BASE_URL`."""
    import_red: bool | None = None
    """Whether a failing import of what is not there yet is a red proof; null: on local runs only,
    and only where nothing is served."""
    serve: Line = ""
    """Serves the application on `{port}`; empty: it cannot be served."""
    ready: Line = "/"
    """The path that answers below 500 once the application is up."""
    version_url: Line = ""
    """The path, or address, that answers with the deployed commit; empty: not asked."""
    target_url: WebAddress = ""
    """Where to validate, when neither the deployment nor the task says."""
    hosts: tuple[HostName, ...] = ()
    """Hosts that a task's `target_url` may name, besides those that the server allows."""

    @property
    def test_command(self) -> str:
        """The command with its path filled in."""
        return self.test.replace("{path}", self.path)


class Checks(Section):
    test: Line = "pytest -q"
    """The repository's own tests; exit code 0 is green. Nothing is served beside them: with
    `e2e.serve`, this default leaves out the end-to-end tests, and a command of yours has to."""


class Protect(Section):
    paths: tuple[Line, ...] = (".github/**", "*.lock")
    """Globs that no agent may change. A nearer file can only add."""
    max_files: int = Field(default=100, ge=1, le=3000)
    """Files in one change. Tightens only."""
    max_patch_kb: int = Field(default=4096, ge=1, le=65536)
    """Size of one change in KiB. Tightens only."""
    new_dependencies: DependencyRule = DependencyRule.REPORT
    """What becomes of a change that adds a dependency. Tightens only."""


class Staging(Section):
    workflow: WorkflowFile = ""
    """The workflow on the default branch that deploys; empty: served once, in the cage."""
    environment: Line = "staging"
    """The environment's name, given to the workflow as an input."""
    url: WebAddress = ""
    """Where staging answers, when the deployment does not say."""


class Production(Section):
    workflow: WorkflowFile = ""
    """The workflow on the default branch that deploys; empty: the merge is the end."""
    environment: Line = "production"
    """The environment's name, given to the workflow as an input."""
    url: WebAddress = ""
    """Where production answers, when the deployment does not say."""
    approval: ApprovalMode = ApprovalMode.REQUIRED
    """What opens the gate: required, on-merge or automatic. Tightens only."""
    prevent_self_approval: bool = False
    """Whether the one who asked may not approve. Tightens only."""
    revalidate: bool = Field(default=True, alias="validate")
    """Whether the end-to-end tests run once more against production."""
    rollback: RollbackMode = RollbackMode.AUTOMATIC
    """Who puts a red production back."""
    revert: bool = False
    """Whether a rollback also opens a pull request that reverts the merge."""
    order: DeployOrder = DeployOrder.MERGE_FIRST
    """Whether the merge or the deployment comes first."""


class Deploy(Section):
    staging: Staging = Staging()
    """The environment where the change is tried."""
    production: Production = Production()
    """The environment that people use."""


class Limits(Section):
    """Every number here tightens only."""

    rounds: int = Field(default=3, ge=1, le=20)
    """Times that the work may enter the code phase."""
    turns: int = Field(default=5, ge=1, le=50)
    """Turns of an agent in one phase."""
    attempts: int = Field(default=5, ge=1, le=20)
    """Deployments of one change to one environment."""
    phase_minutes: int = Field(default=30, ge=1, le=1440)
    """Minutes of work in one phase; waiting does not count."""
    wall_minutes: int = Field(default=240, ge=1, le=43200)
    """Minutes of work on one task, its waits for runs and checks included, and no others."""
    cost_usd: float = Field(default=5.0, ge=0, le=10000)
    """Dollars that one task may spend on models."""
    tokens: int = Field(default=5_000_000, ge=1000, le=1_000_000_000)
    """Tokens that one task may use; counts where a price is unknown, too."""
    concurrent: int = Field(default=2, ge=1, le=100)
    """Tasks of this repository at once."""
    open_pulls: int = Field(default=5, ge=1, le=100)
    """Pull requests that may wait for people before new work waits, too."""


class Cage(Section):
    """The sandbox around agents and tests. Tightens only."""

    setup_hosts: tuple[HostName, ...] = ()
    """Hosts that `setup` may reach, such as your package index; nothing else has a network."""
    memory_mb: int = Field(default=4096, ge=64, le=1_048_576)
    """Memory of everything inside, in MiB."""
    pids: int = Field(default=512, ge=16, le=32768)
    """Processes and threads inside."""


class Label(Section):
    name: LabelName
    """As it is shown."""
    color: Colour
    """Six hexadecimal digits without `#`."""


class Labels(Section):
    queued: Label = Label(name="chimera:queued", color="c5def5")
    """Waits for a slot, or for a machine."""
    running: Label = Label(name="chimera:running", color="1d76db")
    """Is being worked on."""
    needs_human: Label = Label(name="chimera:needs-human", color="fbca04")
    """Nothing goes on until a person says how."""
    done: Label = Label(name="chimera:done", color="0e8a16")
    """Ended well."""
    failed: Label = Label(name="chimera:failed", color="b60205")
    """Ended without reaching its goal."""
    cancelled: Label = Label(name="chimera:cancelled", color="cfd3d7")
    """Ended because a person said so."""
    priority_high: Label = Label(name="chimera:priority-high", color="d93f0b")
    """On the issue: goes before the others."""
    priority_low: Label = Label(name="chimera:priority-low", color="bfd4f2")
    """On the issue: lets the others go first."""
    weaker_tests: Label = Label(name="chimera:weaker-tests", color="fef2c0")
    """On issue or pull request, by somebody who may write: this task may weaken tests."""


class Pull(Section):
    branch: BranchName = "chimera/{issue}-{slug}"
    """The branch's name, of `{issue}`, `{slug}` and `{task}`."""
    title: Line = "{title}"
    """The title, of `{issue}` and `{title}`."""
    draft: bool = True
    """Whether it stays a draft until the guardian passes."""
    merge: MergeMethod = MergeMethod.SQUASH
    """How it is merged."""


class Comment(Section):
    pin: bool = True
    """Whether the status comment is pinned to the issue."""
    timeline: bool = True
    """Whether it carries the timeline."""


class RepoConfig(Section):
    """How Chimera works on this repository."""

    model_config = ConfigDict(title="Chimera: .github/chimera.yml")

    version: Literal[1] = 1
    """The version of this format."""
    trigger: Trigger = Trigger()
    """What starts a task, and who may."""
    agents: Agents = Agents()
    """Which agents think."""
    e2e: E2E = E2E()
    """The end-to-end tests."""
    checks: Checks = Checks()
    """The repository's own checks."""
    setup: tuple[Line, ...] = ()
    """Commands that prepare a fresh checkout before any test runs."""
    protect: Protect = Protect()
    """What a change may not do."""
    deploy: Deploy = Deploy()
    """Staging and production."""
    limits: Limits = Limits()
    """Where work stops."""
    cage: Cage = Cage()
    """The sandbox."""
    labels: Labels = Labels()
    """Names and colours."""
    pull: Pull = Pull()
    """The pull request."""
    comment: Comment = Comment()
    """The status comment."""
    commands: dict[Verb, RepoRole] = Field(default_factory=dict)
    """Another least role for a command than the usual one. A nearer file can only raise it."""

    @property
    def checks_command(self) -> str:
        """Runs the repository's own tests; by default without those that want a server."""
        command = self.checks.test
        served = self.e2e.serve and command == Checks().test
        return f"{command} --ignore={shlex.quote(self.e2e.path)}" if served else command


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that editors use for chimera.yml.

    No key is required: what a file leaves out, even half of a label, has its default.
    """
    schema = RepoConfig.model_json_schema(by_alias=True)
    for section in schema["$defs"].values():
        section.pop("required", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
