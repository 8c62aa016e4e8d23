"""What a caged program may see: the words that bubblewrap is started with, as pure functions.

Source of each option: bwrap(1), https://github.com/containers/bubblewrap. The order matters:
a later mount covers an earlier one, and the root is made read-only last.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bot.errors import BadOutput

WORKSPACE = "/workspace"
PARTS = "/run/chimera"  #: our own files and sockets inside the cage
HOME = "/tmp/home"  # noqa: S108 - a private tmpfs inside the cage
UID = 1000  #: nobody is root inside, whoever runs us
MIB = 1024 * 1024

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt/hostedtoolcache")
_ETC = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "debian_version",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "os-release",
    "pki/ca-trust",
    "pki/tls/certs",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
_HOST_TALES = (
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
)
_FILES = {
    "/etc/passwd": f"agent:x:{UID}:{UID}:agent:{HOME}:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "/etc/group": f"agent:x:{UID}:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost cage\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CageLimits:
    """Bounds of one caged run; what is None is not bounded by itself."""

    wall_s: float = 600
    idle_s: float | None = None  #: without a byte of output
    cpu_s: float | None = 1800  #: of the whole tree
    memory_mb: int = 4096  #: of the whole tree, shared pages counted once
    pids: int = 512  #: processes and threads
    file_mb: int = 2048  #: of one file
    open_files: int = 4096
    spare_disk_mb: int = 256  #: a run that leaves less free beside the checkout is ended
    kept_kb: int = 1024  #: of output, its beginning and its end
    flood_mb: int = 64  #: of output in all, beyond which the run is ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A host path that is shown inside."""

    host: Path
    inside: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """A port on the cage's own loopback that leads to a unix socket outside, and nowhere else."""

    port: int
    socket: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that one run may see."""

    workspace: Path
    writable: bool
    read_only: Sequence[str]
    binds: Sequence[Bind]
    toolchains: Sequence[Path]
    env: Mapping[str, str]
    memory_mb: int


def bwrap_options(view: View, data_fd: Mapping[str, int]) -> list[str]:
    """The options for `view`; `data_fd` has a readable descriptor for each of `made_files()`."""
    words = [
        "--unshare-all", "--unshare-user", "--disable-userns",
        "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        "--uid", str(UID), "--gid", str(UID), "--hostname", "cage",
    ]  # fmt: skip
    words += _system_mounts()
    words += ["--proc", "/proc", *_masked(), "--remount-ro", "/proc", "--dev", "/dev"]
    size = str(view.memory_mb * MIB)
    for place in ("/tmp", "/run", "/dev/shm"):  # noqa: S108 - private tmpfs
        words += ["--size", size, "--tmpfs", place]
    words += ["--dir", HOME, "--remount-ro", "/dev"]
    for name, fd in data_fd.items():
        words += ["--perms", "0444", "--ro-bind-data", str(fd), name]
    for path in outermost([*view.toolchains, *_alternates(view.workspace)]):
        words += ["--ro-bind", str(path), str(path)]
    words += _workspace_mounts(view)
    for bind in view.binds:
        words += ["--bind" if bind.writable else "--ro-bind", str(bind.host), bind.inside]
    words += ["--remount-ro", "/", "--chdir", WORKSPACE, "--clearenv"]
    for variable, value in view.env.items():
        words += ["--setenv", variable, value]
    return words


def made_files() -> Mapping[str, str]:
    """Small files of /etc that the cage has instead of the host's."""
    return _FILES


def frozen_paths(workspace: Path, names: Sequence[str]) -> Iterator[str]:
    """Those of `names` that exist, relative to `workspace`.

    Raises BadOutput where a name leaves the workspace or passes through a link: mounting it
    would show a place of the host that somebody inside has chosen.
    """
    for name in names:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            raise BadOutput(f"{name}: a protected path must lie inside the checkout")
        if os.path.realpath(workspace / pure) != str(workspace / pure):
            raise BadOutput(f"{name}: a symbolic link stands where a protected path should be")
        if (workspace / pure).exists():
            yield str(pure)


def real_path(path: Path) -> Path:
    """`path` without a symbolic link in it."""
    return Path(os.path.realpath(path))


def outermost(paths: Sequence[Path]) -> list[Path]:
    """`paths` without repetitions, without what /usr already shows, parents first."""
    kept: list[Path] = []
    for path in sorted({real_path(path) for path in paths} | set(paths)):
        inside_kept = any(path.is_relative_to(k) for k in [*kept, Path("/usr")])
        if path.is_dir() and not path.is_symlink() and not inside_kept and path != Path("/"):
            kept.append(path)
    return kept


def _system_mounts() -> list[str]:
    words: list[str] = []
    for place in _SYSTEM:
        if os.path.islink(place):
            words += ["--symlink", os.readlink(place), place]
        elif os.path.isdir(place):
            words += ["--ro-bind", place, place]
    for name in _ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return words


def _masked() -> list[str]:
    """Kernel files that tell about the host.

    All of /proc is read-only besides: when root runs us, a caged program still has root's number
    for the kernel, and without any capability could write /proc/sys/kernel/core_pattern.
    """
    words: list[str] = []
    for name in filter(os.path.exists, _HOST_TALES):
        words += ["--tmpfs", name] if os.path.isdir(name) else ["--ro-bind", "/dev/null", name]
    return words


def _workspace_mounts(view: View) -> list[str]:
    words = ["--bind" if view.writable else "--ro-bind", str(view.workspace), WORKSPACE]
    for name in frozen_paths(view.workspace, [".git", *view.read_only]):
        words += ["--ro-bind", str(view.workspace / name), f"{WORKSPACE}/{name}"]
    return words


def _alternates(workspace: Path) -> list[Path]:
    """Object stores that a `git clone --shared` borrows from; git needs them to read history."""
    try:
        with open(workspace / ".git/objects/info/alternates", encoding="utf-8") as lines:
            found = [Path(line.strip()) for line in lines]
    except OSError:
        return []
    return [path for path in found if path.is_absolute() and _is_object_store(path)]


def _is_object_store(path: Path) -> bool:
    try:
        return path.name == "objects" and stat.S_ISDIR((path / "pack").lstat().st_mode)
    except OSError:
        return False
