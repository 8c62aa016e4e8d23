"""Starts bubblewrap, or nothing at all for `none`, and knows how to end what was started."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.agents.cage_cgroup import join_group, make_group, may_need_group, remove_group
from bot.agents.cage_policy import (
    MIB,
    PARTS,
    Bind,
    CageLimits,
    View,
    WayOut,
    bwrap_options,
    made_files,
)
from bot.agents.cage_seccomp import call_filter
from bot.errors import MachineFailed

BRIDGE = Path(__file__).parent / "inside" / "bridge.py"
OWN_TASKS = 2  #: the sandbox's own processes in the tree
_NICE = 10  #: our watch must get its turn when a cage is full of runnable processes
_OOM_MORE = 500  #: as GitHub's own runner has it for its steps: half of the memory there is
_BOUND_S = 10.0  #: for the first process inside to bind its life to ours
_LOOK_S = 0.0003  #: between two looks at how far it is
MAX_REPORT = 4096  #: bytes; bubblewrap's are some hundred
LEASH = 'read -r _ <"/proc/self/fd/$0" && exec "$@"'  #: end of file: nobody is there who cares


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to run, on what, and within which bounds."""

    view: View
    argv: Sequence[str]
    limits: CageLimits
    network: Sequence[WayOut]
    stdin: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A process and our ends of its output."""

    process: asyncio.subprocess.Process
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    transports: Sequence[asyncio.ReadTransport]

    def close(self) -> None:
        """Gives our ends back."""
        for transport in self.transports:
            transport.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """A run that is under way."""

    started: Started
    root_pid: int  #: of the tree to be watched
    root_fd: int | None  #: a pidfd, which cannot come to mean another process; None: it has ended
    status_fd: int | None = None  #: bubblewrap's report
    group: Path | None = None

    def kill(self) -> None:
        """Ends the first process inside; the kernel then ends all others before it is reaped."""
        with contextlib.suppress(ProcessLookupError):
            if self.root_fd is not None:
                signal.pidfd_send_signal(self.root_fd, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            if self.status_fd is None:
                os.killpg(self.root_pid, signal.SIGKILL)

    def setup_failed(self) -> bool:
        """The process has ended, and bubblewrap never got as far as starting the command."""
        if self.status_fd is None or self.started.process.returncode != 1:
            return False
        return b"exit-code" not in os.pread(self.status_fd, MAX_REPORT, 0)

    def close(self) -> None:
        """Gives back everything that the run held; only after its end."""
        self.started.close()
        for fd in (self.root_fd, self.status_fd):
            if fd is not None:
                os.close(fd)
        if self.group is not None:
            remove_group(self.group)


async def spawn(program: Path | None, job: Job) -> Spawned:
    """Starts `job` under bubblewrap at `program`. Raises MachineFailed where it cannot."""
    return await (_spawn_bare(job) if program is None else _spawn_bwrap(program, job))


async def _spawn_bwrap(program: Path, job: Job) -> Spawned:
    """bwrap makes the namespaces, names its child, and holds it until its bounds are set.

    The command itself is on a leash: a word that it waits for and that only we can say. When we
    die, bwrap dies and its child with it, each from a certain moment on (`--die-with-parent`); what
    would have gone on without us until then reads an end of file and ends. The report goes to
    memory and not into a pipe: bwrap would die of one that nobody reads, after it has made a child
    that waits for its word for ever (bubblewrap.c, `child_wait_fd`).
    """
    group = make_group(job.limits.pids + OWN_TASKS) if may_need_group() else None
    status_fd = os.memfd_create("chimera-status")
    hold_end, release_fd = os.pipe()
    leash_end, leash_fd = os.pipe()
    try:
        with contextlib.ExitStack() as theirs:
            for end in (hold_end, leash_end):
                theirs.callback(os.close, end)
            argv, fds = _bwrap_argv(theirs, job, leash_end)
            reports = ["--json-status-fd", str(status_fd), "--block-fd", str(hold_end)]
            started = await _start(
                [str(program), *reports, *argv],
                stdin=_memory_file(theirs, job.stdin or b""),
                env={},  # bwrap is process 1 inside; /proc/1/environ shows what it started with
                cwd="/",
                pass_fds=(*fds, status_fd, hold_end, leash_end),
            )
        try:
            pid = await asyncio.to_thread(_child_pid, status_fd, started.process)
            root_fd = os.pidfd_open(pid)
            _bound(pid, job.limits, group)
            os.write(release_fd, b"1")
            await asyncio.to_thread(_until_it_dies_with_us, pid)
            os.write(leash_fd, b"go\n")
        except (OSError, ValueError) as problem:
            raise MachineFailed(await _last_words(started, problem)) from problem
    except BaseException:
        os.close(status_fd)
        if group is not None:
            remove_group(group)
        raise
    finally:
        os.close(release_fd)
        os.close(leash_fd)
    return Spawned(started=started, root_pid=pid, root_fd=root_fd, status_fd=status_fd, group=group)


async def _spawn_bare(job: Job) -> Spawned:
    ways = [f"{way.port}={way.socket}" for way in job.network]
    with contextlib.ExitStack() as theirs:
        started = await _start(
            [*_bridge(str(BRIDGE), ways), *job.argv],
            stdin=_memory_file(theirs, job.stdin or b""),
            env={**job.view.env, "HOME": os.environ.get("HOME", "/")},
            cwd=str(job.view.workspace),
            pass_fds=(),
        )
    pid, root_fd = started.process.pid, None
    with contextlib.suppress(ProcessLookupError):
        root_fd = os.pidfd_open(pid)
        _bound(pid, job.limits, None)
    return Spawned(started=started, root_pid=pid, root_fd=root_fd)


def _bwrap_argv(stack: contextlib.ExitStack, job: Job, leash: int) -> tuple[list[str], list[int]]:
    """What follows the program's name, and the descriptors that it reads."""
    view = replace(job.view, binds=[*job.view.binds, *_bridge_binds(job.network)])
    data = {path: _memory_file(stack, text.encode()) for path, text in made_files().items()}
    fds = list(data.values())
    words = b"".join(os.fsencode(option) + b"\0" for option in bwrap_options(view, data))
    if (program := call_filter()) is not None:
        filter_fd = _memory_file(stack, program)
        words += f"--seccomp\0{filter_fd}\0".encode()
        fds.append(filter_fd)
    fds.append(_memory_file(stack, words))
    ways = [f"{way.port}={PARTS}/{index}.sock" for index, way in enumerate(job.network)]
    command = ["/bin/sh", "-c", LEASH, str(leash), *_bridge(f"{PARTS}/bridge.py", ways), *job.argv]
    return ["--args", str(fds[-1]), "--", *command], fds


async def _start(
    argv: Sequence[str], *, stdin: int, env: Mapping[str, str], cwd: str, pass_fds: tuple[int, ...]
) -> Started:
    """With pipes of our own: asyncio's `wait()` would also wait for whoever inherited its pipes."""
    out_fd, out_end = os.pipe()
    err_fd, err_end = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=stdin,
            stdout=out_end,
            stderr=err_end,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    except BaseException:
        os.close(out_fd)
        os.close(err_fd)
        raise
    finally:
        os.close(out_end)
        os.close(err_end)
    (stdout, one), (stderr, two) = await _reader(out_fd), await _reader(err_fd)
    return Started(process=process, stdout=stdout, stderr=stderr, transports=(one, two))


async def _reader(fd: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0)
    )
    return reader, transport


async def _last_words(started: Started, problem: Exception) -> str:
    with contextlib.suppress(ProcessLookupError):
        started.process.kill()
    await started.process.wait()
    said = (await started.stderr.read(4096)).decode("utf-8", "replace").strip()
    started.close()
    return f"the cage could not be set up: {said or problem}"


def _child_pid(status_fd: int, process: asyncio.subprocess.Process) -> int:
    """From bubblewrap's first report, which it writes as soon as the namespaces exist."""
    deadline = time.monotonic() + _BOUND_S
    while not (said := os.pread(status_fd, MAX_REPORT, 0)).endswith(b"\n"):
        if process.returncode is not None or time.monotonic() > deadline:
            raise ValueError("bubblewrap ended before it had made its namespaces")
        time.sleep(_LOOK_S)
    return int(json.loads(said.splitlines()[0])["child-pid"])


def _until_it_dies_with_us(pid: int) -> None:
    """Returns once the first process inside has bound its life to bubblewrap's, and so to ours.

    The kernel does not show that; but the filter of system calls is what bubblewrap's init puts
    on next (bubblewrap.c, `do_init`). Where there is no filter, or it has ended, that is all.
    """
    ours, deadline = _filters("self"), time.monotonic() + _BOUND_S
    while call_filter() is not None and 0 <= _filters(str(pid)) <= ours:
        if time.monotonic() > deadline:
            raise ValueError("the cage's first process did not come up")
        time.sleep(_LOOK_S)


def _filters(pid: str) -> int:
    """Filters of system calls on a process; -1 where it has ended or the kernel does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return -1
    said = dict(line.split(":\t", 1) for line in status.splitlines())
    return -1 if said["State"].startswith("Z") else int(said.get("Seccomp_filters", -1))


def _bound(pid: int, limits: CageLimits, group: Path | None) -> None:
    """Bounds the held child; it is in its own user namespace, where RLIMIT_NPROC counts anew."""
    for kind, value in (
        (resource.RLIMIT_NPROC, limits.pids),
        (resource.RLIMIT_FSIZE, limits.file_mb * MIB),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.prlimit(pid, kind, (value, value))
    os.setpriority(os.PRIO_PROCESS, pid, _NICE)
    _ended_first(pid)
    if group is not None:
        join_group(group, pid)


def _ended_first(pid: int) -> None:
    """When memory runs out, the kernel's choice is what runs in a cage, and not the server.

    It takes whoever uses most, so tests of many small processes would cost the server its life.
    Source: proc_pid_oom_score_adj(5); not below our own, which takes a privilege.
    """
    with contextlib.suppress(OSError):
        ours = int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))
        more = min(1000, ours + _OOM_MORE)
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(more), encoding="ascii")


def _memory_file(stack: contextlib.ExitStack, content: bytes) -> int:
    fd = os.memfd_create("chimera")
    stack.callback(os.close, fd)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _bridge(script: str, ways: Sequence[str]) -> list[str]:
    return [sys.executable, "-I", "-S", script, *ways, "--"] if ways else []


def _bridge_binds(network: Sequence[WayOut]) -> list[Bind]:
    if not network:
        return []
    sockets = [
        Bind(host=way.socket, inside=f"{PARTS}/{index}.sock") for index, way in enumerate(network)
    ]
    return [Bind(host=BRIDGE, inside=f"{PARTS}/bridge.py"), *sockets]
