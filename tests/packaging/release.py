"""Runs the release workflow's own build steps on this machine: `python -m tests.packaging.release`.

What GitHub alone can do is left out and listed: the actions (checkout, attestations, upload), and
the publishing. Needs the package index, and some minutes; the result stands in FOLDER/dist.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from bot import __version__
from tests.packaging.tools import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
REFUSES = "Refuse"  #: a tag without a dated chapter of changes: right to say no before a release
BILL = "dist/chimera.cdx.json"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(folder: Path) -> None:
    """Run the steps of the job `build` on a copy of what git knows, below FOLDER."""
    source, scratch = folder.resolve() / "source", folder.resolve() / "scratch"
    shutil.rmtree(folder, ignore_errors=True)
    scratch.mkdir(parents=True)
    _copied(source)
    python = _own_python(folder.resolve() / "python")
    for name, script in _steps():
        click.echo(f"── {name}")
        text = script.replace("/tmp/", f"{scratch}/")
        done = subprocess.run(["bash", "-e", "-c", text], cwd=source, env=python, check=False)
        click.echo(f"── ended with {done.returncode}")
        if done.returncode and not name.startswith(REFUSES):
            raise SystemExit(done.returncode)
    for line in _result(source):
        click.echo(line)


def _copied(target: Path) -> None:
    """What a checkout would hold: the files that git tracks, as they are now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _own_python(place: Path) -> dict[str, str]:
    """The environment of a step: a Python with nothing but pip comes first on PATH."""
    venv.create(place, with_pip=True)
    clean = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return clean | {"PATH": f"{place}/bin:{os.environ['PATH']}", "TAG": f"v{__version__}"}


def _steps() -> Iterator[tuple[str, str]]:
    """Name and script of each step; the actions are said to be left out."""
    for step in yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]["build"]["steps"]:
        if "run" in step:
            yield step["name"], step["run"]
        else:
            click.echo(f"── left out: {step['uses']}")


def _result(source: Path) -> Iterator[str]:
    bill = json.loads((source / BILL).read_text("utf-8"))
    for file in sorted((source / "dist").iterdir()):
        yield f"{file.stat().st_size:>9,} {file.name}"
    kind = f"{bill['bomFormat']} {bill['specVersion']}"
    yield f"bill of materials: {kind}, {len(bill['components'])} components"


if __name__ == "__main__":
    sys.exit(main())
