"""Running git so that nothing in a repository can run code here.

No shell, a clean environment, no configuration but ours, no hooks, no prompts, no pager, a deadline
that ends the whole process group, and a bound on what is read. The token goes through the
environment of this one process (`GIT_CONFIG_COUNT`): never on the command line, never on a disk.
https://git-scm.com/docs/git-config#ENVIRONMENT
"""

import asyncio
import base64
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import BadOutput, Deadline
from bot.log import mask

LOCAL_S = 120.0
NETWORK_S = 600.0  #: a first fetch of a large repository
MAX_OUTPUT = 64 * 1024 * 1024  #: bytes of standard output
MAX_ERROR = 16 * 1024  #: bytes kept of standard error, its end

_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.symlinks": "true",
    "core.quotePath": "false",
    "core.autocrlf": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.askPass": "",
    "credential.helper": "",
    "safe.bareRepository": "explicit",
    "protocol.allow": "never",
    "diff.ignoreSubmodules": "all",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "push.gpgSign": "false",
    "init.defaultBranch": "main",
    "advice.detachedHead": "false",
    # A redirect would take the token to another host.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
}

# What a machine's administrator sets to reach the network at all.
_PASSED_ON = (
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A git that came to its end by itself."""

    code: int
    out: bytes
    error: str  #: the end of standard error, masked

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "replace").strip()


async def git(
    args: Sequence[str],
    *,
    git_dir: Path | None = None,
    work_tree: Path | None = None,
    remote: str = "",
    token: str = "",
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float = LOCAL_S,
    limit: int = MAX_OUTPUT,
) -> Finished:
    """Run git with these arguments and return whatever exit code it has.

    `git_dir` is always named rather than found, so that no other repository can be picked up.
    `remote` is the URL (or path) that this call may speak with, `token` the one sent to it.
    Raises Deadline when the time is over, and BadOutput when more than `limit` bytes come.
    """
    argv = ["git", "--no-pager", "--no-replace-objects"]
    if git_dir is not None:
        argv.append(f"--git-dir={git_dir}")
    if work_tree is not None:
        argv.append(f"--work-tree={work_tree}")
    process = await _started(
        [*argv, *args],
        cwd=work_tree if work_tree is not None else git_dir,
        env=_environment(remote, token) | dict(env or {}),
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, error = await _talk(process, stdin, limit, args[0])
    except TimeoutError as late:
        raise Deadline(f"git {args[0]} took longer than {timeout_s:.0f} s") from late
    finally:
        await asyncio.shield(_end(process))
    text = mask(error.decode("utf-8", "replace"))
    return Finished(code=process.returncode or 0, out=out, error=text)


def is_local(remote: str) -> bool:
    """Whether a remote is a directory of this machine."""
    return remote.startswith("/")


async def _started(
    argv: Sequence[str], *, cwd: Path | None, env: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """A git in a session of its own; cancelled meanwhile, it ends the whole session.

    Left to itself, a start that is cancelled would end git and none of its helpers, or wait for
    ever for the pipes that it has not joined yet (asyncio's `base_subprocess.py`, `_try_finish`).
    """
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.shield(_abandon(starting))
        raise


async def _abandon(starting: "asyncio.Task[asyncio.subprocess.Process]") -> None:
    with contextlib.suppress(OSError):  # there is no git
        await _end(await starting)


async def _talk(
    process: asyncio.subprocess.Process, stdin: bytes, limit: int, verb: str
) -> tuple[bytes, bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.TaskGroup() as group:
        group.create_task(_write(process.stdin, stdin))
        out = group.create_task(_read(process.stdout, limit + 1))
        error = group.create_task(_read_end(process.stderr))
        if len(await out) > limit:
            _kill(process)
    if len(out.result()) > limit:
        raise BadOutput(f"git {verb}: more than {limit} bytes of output")
    await process.wait()
    return out.result(), error.result()


async def _write(pipe: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # git did not want to hear it all
        pipe.write(data)
        await pipe.drain()
    with contextlib.suppress(ConnectionError):
        pipe.close()
        await pipe.wait_closed()


async def _read(pipe: asyncio.StreamReader, limit: int) -> bytes:
    found = bytearray()
    while len(found) < limit and (chunk := await pipe.read(min(65_536, limit - len(found)))):
        found += chunk
    return bytes(found)


async def _read_end(pipe: asyncio.StreamReader) -> bytes:
    found = b""
    while chunk := await pipe.read(65_536):
        found = (found + chunk)[-MAX_ERROR:]
    return found


async def _end(process: asyncio.subprocess.Process) -> None:
    """Nothing of the group is left, its helpers included."""
    _kill(process)
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _environment(remote: str, token: str) -> dict[str, str]:
    settings = list(_SETTINGS.items())
    if is_local(remote):
        settings.append(("protocol.file.allow", "always"))
    elif remote:
        settings += [("protocol.https.allow", "always"), ("protocol.http.allow", "always")]
        settings += [(f"http.{remote}.extraHeader", _authorization(token))] if token else []
    numbered: dict[str, str] = {"GIT_CONFIG_COUNT": str(len(settings))}
    for n, (key, value) in enumerate(settings):
        numbered[f"GIT_CONFIG_KEY_{n}"] = key
        numbered[f"GIT_CONFIG_VALUE_{n}"] = value
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return (
        passed
        | numbered
        | {
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_PROTOCOL_FROM_USER": "0",
        }
    )


def _authorization(token: str) -> str:
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    mask.learn(token, passing=True)
    mask.learn(basic, passing=True)
    return f"Authorization: Basic {basic}"
