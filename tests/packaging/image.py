"""Builds the image with podman, and runs it as the compose file does.

    sudo unshare --mount python -m tests.packaging.image FOLDER [--bootstrap]

What is tried: its version, its settings, the sandbox, the whole demo; then its own command, by its
own health check, and its end on the signal to stop. All of it as the image's user, without a
capability, on a root that cannot be written. `--bootstrap` makes the base by debootstrap, which is
what Debian's image is made by too, where there is no registry to pull from. Everything stands below
FOLDER. The mount namespace is for a machine that still mounts cgroups of version 1.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from tests.packaging.tools import ROOT

FILE = ROOT / "config" / "container" / "Containerfile"
COMPOSE = ROOT / "config" / "compose" / "compose.yml"
SUITE = "bookworm"
BASE = "localhost/debian:bookworm-slim"
IMAGE = "localhost/chimera:tried"
CGROUPS = "/sys/fs/cgroup"
TRUSTED = (
    "/etc/ssl/certs/ca-certificates.crt"  #: what this machine trusts; a network may have its own
)
BUNDLE = "/run/certificates.pem"  #: the same, inside, while building
HEALTH_S = 60.0
STOP_S = 90
SPELT = {"systempaths=unconfined": "unmask=ALL"}  #: Docker's name and podman's
#: Tried in this order, as words for the image's entry point; the first that fails ends it.
TRIALS = (("version", "--json"), ("config", "show", "--json"), ("demo", "--json"))
CAGED = (
    "import asyncio; from bot.agents.cage import Cage; print(asyncio.run(Cage.open()).describe())"
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--bootstrap", is_flag=True, help="make the base by debootstrap")
def main(folder: Path, bootstrap: bool) -> None:
    """Build the image below FOLDER, and try it."""
    engine = Engine(folder.resolve())
    engine.build(*(_bootstrapped(engine) if bootstrap else ()))
    for words in TRIALS:
        click.echo(f"TRY chimera {' '.join(words)}")
        engine("run", "--rm", "--no-healthcheck", *sealed(), IMAGE, *words)
    click.echo("TRY the sandbox")
    python = ("--entrypoint=python3", IMAGE, "-c", CAGED)
    engine("run", "--rm", "--no-healthcheck", *sealed(), *python)
    click.echo("TRY chimera serve")
    _served(engine)


class Engine:
    """podman with its storage below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        own = folder / "containers.conf"
        own.write_text("[containers]\ndefault_ulimits = []\n")  # raising one may not be allowed
        self._env = os.environ | {"CONTAINERS_CONF": str(own)}
        if not Path(CGROUPS, "cgroup.controllers").exists():
            subprocess.run(["umount", "--recursive", CGROUPS], check=True)
            subprocess.run(["mount", "-t", "cgroup2", "cgroup2", CGROUPS], check=True)

    def __call__(self, *words: str, check: bool = True) -> int:
        """A command of podman's; its exit code. Raises CalledProcessError where none may fail."""
        places = [f"--root={self.folder}/storage", f"--runroot={self.folder}/run"]
        without_systemd = ["--cgroup-manager=cgroupfs", "--events-backend=file"]
        argv = ["podman", *places, *without_systemd, *words]
        return subprocess.run(argv, env=self._env, check=check).returncode

    def build(self, *base: str) -> None:
        trusting = self.folder / "pip.conf"
        trusting.write_text(f"[global]\ncert = {BUNDLE}\n")
        mounts = [f"--volume={TRUSTED}:{BUNDLE}:ro", f"--volume={trusting}:/etc/pip.conf:ro"]
        how = ["--isolation=chroot", "--format=docker", *mounts, *base]
        self("build", *how, f"--tag={IMAGE}", f"--file={FILE}", str(ROOT))


def _bootstrapped(engine: Engine) -> tuple[str, ...]:
    """What makes the build start from a Debian of our own."""
    root = engine.folder / "base"
    if not (root / "etc/debian_version").exists():
        subprocess.run(["debootstrap", "--variant=minbase", SUITE, str(root)], check=True)
    packed = engine.folder / "base.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(packed), "."], check=True)
    engine("import", "--quiet", str(packed), BASE)
    packed.unlink()
    return (f"--build-arg=BASE={BASE}", "--pull=never")


def sealed() -> Iterator[str]:
    """The compose file's limits in podman's words; the network and cgroups are this machine's."""
    server = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["chimera"]
    yield from ("--network=host", "--cgroups=disabled")
    if server["read_only"]:
        yield "--read-only"
    yield from (f"--cap-drop={one}" for one in server["cap_drop"])
    yield from (f"--tmpfs={one}" for one in server["tmpfs"])
    yield from (f"--security-opt={SPELT.get(one, one)}" for one in server["security_opt"])


def _served(engine: Engine) -> None:
    """The image's own command gets healthy by its own check, and ends on the signal to stop."""
    name = f"chimera-{os.getpid()}"
    engine("run", "--detach", f"--name={name}", "--health-interval=disable", *sealed(), IMAGE)
    try:
        deadline = time.monotonic() + HEALTH_S
        while engine("healthcheck", "run", name, check=False):
            if time.monotonic() > deadline:
                raise click.ClickException("it did not become healthy")
            time.sleep(1.0)
        click.echo("healthy")
        engine("stop", f"--time={STOP_S}", name)
        engine("inspect", "--format=ended with {{.State.ExitCode}}", name)
    finally:
        engine("logs", name, check=False)
        engine("rm", "--force", name)


if __name__ == "__main__":
    main()
