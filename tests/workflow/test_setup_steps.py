"""`copilot-setup-steps.yml`: what people write there does here what it does on a runner."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.agents.cage import Cage
from bot.config.repo import RepoConfig
from bot.workflow.setup_steps import JOB, read_steps
from bot.workflow.trial import Bench

Step = dict[str, Any]


def written(*steps: Step, job: Step | None = None, **top: Any) -> bytes:
    jobs = {JOB: {"runs-on": "ubuntu-latest", **(job or {}), "steps": list(steps)}}
    return yaml.safe_dump(
        {"on": "workflow_dispatch", **top, "jobs": jobs}, sort_keys=False
    ).encode()


async def ran(folder: Path, *steps: Step, job: Step | None = None, **top: Any) -> str | None:
    """The steps, run in the cage on this folder: the failing one's log, or None."""
    lines = read_steps(written(*steps, job=job, **top)).lines
    config = RepoConfig().model_copy(update={"setup": lines})
    return await Bench(await Cage.open(), config, lambda: 0.0, 60.0).setup(folder)


async def test_every_part_of_a_step_counts_when_it_runs(tmp_path: Path) -> None:
    (tmp_path / "web app").mkdir()
    trouble = await ran(
        tmp_path,
        {"uses": "actions/checkout@v4"},
        {"run": 'echo "$A $B $C $D ${{ env.A }}" > said', "env": {"B": "a step's", "C": True}},
        {"run": "pwd\ncp ../said .", "working-directory": "web app"},
        {"shell": "python", "run": "open('by_python', 'w').write('it\\'s \"quoted\"')"},
        {"run": "[[ -f said ]]\nx=(1 2)\necho ${#x[@]} > by_bash", "shell": "bash"},
        {"run": 'echo "A=2" >> "$GITHUB_ENV"\necho bin >> $GITHUB_PATH'},
        {"run": "false", "continue-on-error": True},
        {"run": "touch never", "if": False},
        {"run": "touch never", "if": "${{ failure() }}"},
        {"run": "touch always", "if": "steps.cache.outputs.cache-hit != 'true'"},
        env={"A": "workflow", "TOKEN": "${{ secrets.TOKEN }}"},
        job={"env": {"B": "job", "D": 4}},
    )
    assert trouble is None
    assert (tmp_path / "said").read_text() == "workflow a step's true 4 workflow\n"
    assert (tmp_path / "web app" / "said").is_file()
    assert (tmp_path / "by_python").read_text() == 'it\'s "quoted"'
    assert (tmp_path / "by_bash").read_text() == "2\n"
    assert (tmp_path / "always").is_file()
    assert not (tmp_path / "never").exists()


async def test_the_first_line_of_a_step_that_fails_ends_it_as_on_a_runner(tmp_path: Path) -> None:
    trouble = await ran(tmp_path, {"run": "ls no-such-package\ntouch went-on"})
    assert "no-such-package" in str(trouble)
    assert not (tmp_path / "went-on").exists()


async def test_the_defaults_of_job_and_workflow_count(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "api").mkdir()
    trouble = await ran(
        tmp_path,
        {"run": "touch here"},
        {"run": "touch there", "working-directory": "api"},
        job={"defaults": {"run": {"working-directory": "web"}}},
        defaults={"run": {"shell": "sh", "working-directory": "nowhere"}},
    )
    assert trouble is None
    assert (tmp_path / "web" / "here").is_file()
    assert (tmp_path / "api" / "there").is_file()


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"uses": "actions/setup-node@v4"}, "step 1 (actions/setup-node@v4) is an action"),
        ({"name": "Log in", "run": "x ${{ secrets.T }}"}, "step 1 (Log in) has an expression"),
        ({"run": "x", "working-directory": "${{ matrix.at }}"}, "has an expression"),
        ({"run": "x", "shell": "pwsh"}, "wants the shell 'pwsh'"),
        ({"run": ["x"]}, "has no `run`"),
    ],
)
def test_what_needs_a_runner_is_left_out_and_named(step: Step, why: str) -> None:
    found = read_steps(written(step, {"run": "make deps"}))
    assert found.lines == ("bash -e -c 'make deps'",)
    assert [why in one for one in found.left_out] == [True]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[",
        b"- a",
        b"jobs: {}",
        b"jobs: {build: {steps: [{run: x}]}}",
        b"jobs: {copilot-setup-steps: {steps: none}}",
        b"jobs: {copilot-setup-steps: {steps: {run: x}}}",
        b"when: 2026-13-45\njobs: {copilot-setup-steps: {steps: [{run: x}]}}",
        b"\xff",
        b"[" * 5000,
    ],
)
def test_a_file_that_is_something_else_prepares_nothing(text: bytes) -> None:
    assert read_steps(text).lines == ()


def test_a_job_without_end_is_cut() -> None:
    assert len(read_steps(written(*[{"run": "true"}] * 80)).lines) == 50
