"""Set-up commands that a repository has written down for coding agents already.

GitHub's own agent prepares its machine by the job `copilot-setup-steps` of a workflow file; its
`run:` steps serve us, too, where `setup` is empty. Each becomes one line for the cage, with its
shell, folder and variables. What needs Actions itself (an action, a secret, an expression) is left
out, and `left_out` says so.
https://docs.github.com/en/copilot/customizing-copilot/customizing-the-development-environment-for-copilot-coding-agent
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

import yaml

from bot.config.repo import RepoConfig
from bot.errors import BadOutput
from bot.workflow.workspace import Workspace

PATH = ".github/workflows/copilot-setup-steps.yml"
MAX_BYTES = 64 * 1024
MAX_STEPS = 50
JOB = "copilot-setup-steps"

#: As Actions starts a step's text; without `shell` it is the first.
_SHELLS = {
    "": "bash -e -c",
    "bash": "bash --noprofile --norc -eo pipefail -c",
    "sh": "sh -e -c",
    "python": "python -c",
}
#: Where a step tells later ones something. Nothing is told here: what lasts is the checkout.
_TOLD_BY = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
_CHECKOUT = "actions/checkout@"  #: done already
_EXPRESSION = "${{"
_ENV = re.compile(r"\$\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_NEVER = re.compile(r"false|(failure|cancelled)\(\s*\)")  #: an `if` for when something went wrong
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What such a file comes to."""

    lines: tuple[str, ...] = ()  #: for a shell at the root of a checkout, in order
    left_out: tuple[str, ...] = ()  #: each step that cannot be run here, and why


class _LeftOutError(Exception):
    """Why a step cannot be run here."""


async def with_setup_steps(config: RepoConfig, workspace: Workspace, sha: str) -> RepoConfig:
    """The configuration; where it has no `setup`, with the steps that the commit's file has.

    An empty `sha` has no files.
    """
    if config.setup or not sha:
        return config
    if not await workspace.known(sha):  # another machine began with it
        await workspace.refresh()
    try:
        found = await workspace.read(sha, PATH, MAX_BYTES)
    except BadOutput:  # larger than any such file is
        return config
    lines = read_steps(found or b"").lines
    return config.model_copy(update={"setup": lines}) if lines else config


def read_steps(text: bytes) -> Steps:
    """The job's steps; none where the file is not what it should be."""
    try:
        workflow = yaml.safe_load(text)
        job = workflow["jobs"][JOB]
        steps = [step for step in job["steps"][:MAX_STEPS] if isinstance(step, dict)]
    except (yaml.YAMLError, LookupError, TypeError, ValueError, RecursionError):
        return Steps()
    lines, left_out = list[str](), list[str]()
    for number, step in enumerate(steps, start=1):
        try:
            lines += _lines(step, (workflow, job, step))
        except _LeftOutError as reason:
            left_out.append(f"step {number} ({_called(step)}) {reason}")
    return Steps(lines=tuple(lines), left_out=tuple(left_out))


def _lines(step: dict[Any, Any], levels: tuple[Any, ...]) -> Iterator[str]:
    """The step's line, if it is one that would run. Raises _LeftOutError."""
    if _NEVER.fullmatch(_condition(step)):
        return
    if str(step.get("uses", "")).startswith(_CHECKOUT):
        return
    if "uses" in step:
        raise _LeftOutError("is an action, and this is no runner")
    if not isinstance(step.get("run"), str):
        raise _LeftOutError("has no `run`")
    env = _variables(levels)
    text = _ENV.sub(lambda found: env.get(found[1], ""), step["run"]).strip("\n")
    shell, folder = _default(levels, "shell"), _default(levels, "working-directory")
    if _EXPRESSION in f"{text}{shell}{folder}":
        raise _LeftOutError("has an expression that only Actions can fill in")
    if shell not in _SHELLS:
        raise _LeftOutError(f"wants the shell {shell!r}")
    env = {name: "/dev/null" for name in _TOLD_BY if name in text} | env
    into = f"cd {quote(folder)} && " if folder else ""
    set_to = "".join(f"{name}={quote(value)} " for name, value in env.items())
    line = f"{into}{set_to}{_SHELLS[shell]} {quote(text)}"
    yield f"{line} || true" if step.get("continue-on-error") is True else line


def _condition(step: Mapping[Any, Any]) -> str:
    """The step's `if`, bare; whatever is no plain word of ours counts as true."""
    said = step.get("if", "true")
    text = str(said).lower() if isinstance(said, bool) else str(said)
    return text.strip().removeprefix(_EXPRESSION).removesuffix("}}").strip()


def _default(levels: tuple[Any, ...], key: str) -> str:
    """The step's own word, else that of `defaults.run` of its job, or of the workflow."""
    workflow, job, step = levels
    for level in (step, _run_defaults(job), _run_defaults(workflow)):
        if key in level:
            return str(level[key])
    return ""


def _run_defaults(level: Mapping[Any, Any]) -> Mapping[Any, Any]:
    defaults = level.get("defaults")
    run = defaults.get("run") if isinstance(defaults, dict) else None
    return run if isinstance(run, dict) else {}


def _variables(levels: tuple[Any, ...]) -> dict[str, str]:
    """Those of workflow, job and step, the nearest last; one that is an expression is left out."""
    found: dict[str, str] = {}
    for level in levels:
        given = level.get("env")
        for name, value in given.items() if isinstance(given, dict) else ():
            if _NAME.fullmatch(str(name)) and _EXPRESSION not in str(value):
                found[str(name)] = _as_actions_has_it(value)
    return found


def _as_actions_has_it(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _called(step: Mapping[Any, Any]) -> str:
    return str(step.get("name") or step.get("uses") or step.get("run") or "").split("\n")[0][:60]
