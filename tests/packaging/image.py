"""Builds what the Containerfile says without a container engine, and tries the result.

    sudo unshare --mount python -m tests.packaging.image FOLDER

The base is a Debian root by debootstrap, which is what the image's base is made by, too. Each RUN
line is run in it with chroot, each COPY copied; then the program is tried as the image's user, on a
root that cannot be written: its version, its health, the sandbox, and the whole demo. Needs root;
the mount namespace of its own is what cleans up. While building, what this machine trusts is
trusted, for a network may have an authority of its own.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.packaging.containerfile import Stage, read

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config" / "container" / "Containerfile"
SUITE = "bookworm"
BUNDLE = "/tmp/certificates.pem"  #: inside, while building
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"  #: what this machine trusts
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*_cache")
HEALTH_S = 60.0
#: What a line is run with: nothing of this machine's. The bundle is there if one was given.
PLAIN = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND=noninteractive",
    f"PIP_CERT={BUNDLE}",
)
#: Tried in this order; the first that fails ends it.
TRIALS = (
    "chimera version --json",
    "chimera config show --json",
    "python3 -c 'import asyncio; from bot.agents.cage import Cage; "
    "print(asyncio.run(Cage.open()).describe())'",
    "chimera demo --json",
)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--again", action="store_true", help="try what was built before")
    given = parser.parse_args(words)
    made: dict[str, Path] = {}
    for stage in read(FILE):
        root = given.folder / (stage.name or "image")
        if not given.again:
            _bootstrap(given.folder / "base", root)
            with _mounted(root):
                _follow(stage, root, made)
        made[stage.name] = root
    return _try(stage, root)


def _bootstrap(base: Path, root: Path) -> None:
    if not (base / "etc/debian_version").exists():
        _run(["debootstrap", "--variant=minbase", SUITE, str(base)])
    shutil.rmtree(root, ignore_errors=True)
    _run(["cp", "-a", str(base), str(root)])


def _follow(stage: Stage, root: Path, made: dict[str, Path]) -> None:
    for one in stage.instructions:
        print(f"{one.word} {one.rest}", flush=True)
        match one.word:
            case "RUN":
                _run(["chroot", str(root), "/usr/bin/env", "-i", *PLAIN, "/bin/sh", "-c", one.rest])
            case "COPY":
                _copy(one.rest, root, made)
            case _:  # what the image's configuration says; looked up when it is tried
                continue


def _copy(rest: str, root: Path, made: dict[str, Path]) -> None:
    *sources, target = rest.split()
    context = ROOT
    if sources[0].startswith("--from="):
        context = made[sources.pop(0).removeprefix("--from=")]
    for source in sources:
        there, here = context / source.lstrip("/"), root / target.lstrip("/")
        if there.is_dir():
            shutil.copytree(there, here, symlinks=True, dirs_exist_ok=True, ignore=LEFT_OUT)
        else:
            here.mkdir(parents=True, exist_ok=True)
            shutil.copy2(there, here)


def _try(stage: Stage, root: Path) -> int:
    """As the image's user, on a root that cannot be written, with /tmp and the data directory."""
    variables = shlex.split(" ".join(stage.all("ENV")))
    user, _, group = stage.all("USER")[-1].partition(":")
    with _mounted(root), _sealed(root, stage.all("VOLUME")[-1]):
        own = [*_inside(root, user, group), "/usr/bin/env", "-i", *variables]
        for trial in TRIALS:
            print(f"TRY {trial}", flush=True)
            done = subprocess.run([*own, "sh", "-c", trial], capture_output=True, check=False)
            print(done.stdout.decode()[-400:], done.stderr.decode()[-2000:], flush=True)
            if done.returncode:
                return done.returncode
        return _served(own)


def _inside(root: Path, user: str, group: str) -> list[str]:
    """As an engine starts a process: another root (in a mere chroot the kernel lets nobody make
    user namespaces, see user_namespaces(7)), another user, no capability, and none to be had.
    """
    place = f"cd {shlex.quote(str(root))} && pivot_root . mnt && umount --lazy /mnt && exec"
    rights = ["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    who = ["setpriv", f"--reuid={user}", f"--regid={group}", *rights]
    return ["unshare", "--mount", "sh", "-c", f'{place} "$@"', "sh", *who]


def _served(own: Sequence[str]) -> int:
    """Whether the image's own command becomes healthy, and ends on the signal to stop."""
    server = subprocess.Popen([*own, "tini", "--", "chimera", "serve"])
    try:
        deadline = time.monotonic() + HEALTH_S
        while subprocess.run([*own, "chimera", "health"], check=False).returncode:
            if time.monotonic() > deadline:
                print("it did not become healthy")
                return 1
            time.sleep(1.0)
    finally:
        server.terminate()
        ended = server.wait()
    print(f"healthy; ended with {ended}")
    return ended


@contextmanager
def _mounted(root: Path) -> Iterator[None]:
    """What an engine mounts: /proc, /dev, names; and a bundle to trust while building."""
    with ExitStack() as stack:
        stack.enter_context(_mount(["-t", "proc", "proc"], root / "proc"))
        stack.enter_context(_mount(["--bind", "/dev"], root / "dev"))
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        bundle = root / BUNDLE.lstrip("/")
        shutil.copy(TRUSTED, bundle)
        yield
        bundle.unlink(missing_ok=True)


@contextmanager
def _sealed(root: Path, volume: str) -> Iterator[None]:
    data = root / volume.lstrip("/")
    with ExitStack() as stack:
        stack.enter_context(_mount(["--rbind", str(root)], root))
        stack.enter_context(_mount(["-t", "tmpfs", "tmpfs"], root / "tmp"))
        stack.enter_context(_mount(["--bind", str(data)], data))
        _run(["mount", "-o", "remount,bind,ro", str(root)])
        yield
        _run(["mount", "-o", "remount,bind,rw", str(root)])


@contextmanager
def _mount(options: Sequence[str], place: Path) -> Iterator[None]:
    _run(["mount", *options, str(place)])
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


def _run(argv: Sequence[str]) -> None:
    subprocess.run(argv, check=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
