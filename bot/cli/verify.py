"""`chimera verify`: does the evidence hold?"""

from pathlib import Path
from typing import Any

import click

from bot.cli.talk import as_json_option, emit, say


@click.command(short_help="Check an evidence bundle; play its red and green again.")
@click.argument("bundle", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--repo",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="A clone that has the commits. [default: the present directory]",
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A chimera.yml under the repository's own.",
)
@as_json_option
def verify(bundle: Path, repo: Path, file: Path | None, as_json: bool) -> None:
    """Check an evidence BUNDLE: its chain, then red and green once more, in the cage.

    A bundle comes from a task's page, from /api/tasks/ID/evidence, or from the last commit of a
    local run. Exit code 0: everything is as it says.
    """
    import asyncio

    from bot import log
    from bot.workflow.evidence import last_link
    from bot.workflow.verifying import read_bundle, verify

    log.set_up(level="WARNING", json=False)
    document = read_bundle(bundle.read_bytes())
    layer = (str(file), file.read_bytes()) if file is not None else None
    checks = asyncio.run(verify(document, repo, config=layer, say=_tell))
    whole = all(check.ok for check in checks)
    if as_json:
        shown = [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]
        emit({"ok": whole, "checks": shown, "link": last_link(document) if whole else ""})
    elif whole:
        click.echo(f"holds {last_link(document)}")
    if not whole:
        raise SystemExit(1)


def _tell(check: Any) -> None:
    say(f"{'✓' if check.ok else '✗'} {check.name}: {check.detail}")
