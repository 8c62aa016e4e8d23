"""`chimera doctor`."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bot.cli.options import data_dir_option
from bot.cli.talk import as_json_option, emit, plain, say


@click.command(short_help="Say what is missing or wrong, and how to mend it.")
@click.option("--repository", default="", help="Only this one of the App's: owner/name.")
@click.option("--models", is_flag=True, help="Ask each model one question; costs a little.")
@click.option("--offline", is_flag=True, help="Look at this machine only.")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The YAML file of settings that the server is started with.",
)
@data_dir_option
@as_json_option
def doctor(
    repository: str,
    models: bool,
    offline: bool,
    file: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Look at everything that Chimera needs; say what is wrong, and how to mend it.

    ✓ well, ! worth knowing, ✗ wrong. Models are asked with --models only. Exits 1 when something
    is wrong, 69 when GitHub does not answer.
    """
    import asyncio

    from bot import log
    from bot.setup.doctor import Wanted
    from bot.setup.finding import Finding, Mark, exit_code

    log.set_up(level="ERROR", json=False)
    wanted = Wanted(repository=repository, offline=offline, models=models)

    def told(finding: Finding) -> None:
        if not as_json:
            _print(finding)

    findings = asyncio.run(_examined(file, data_dir, wanted, told))
    code = exit_code(findings)
    if as_json:
        emit({"ok": code == 0, "findings": [asdict(one) for one in findings]})
    else:
        count = {mark: sum(one.mark is mark for one in findings) for mark in Mark}
        wrong, known = count[Mark.BAD], count[Mark.WARNING]
        say(f"{count[Mark.GOOD]} well, {known} worth knowing, {wrong} wrong")
    if code:
        raise SystemExit(code)


async def _examined(file: Path | None, data_dir: Path | None, wanted: Any, told: Any) -> list[Any]:
    """All findings; each was told as it came. Settings that cannot be read are findings, too."""
    from bot.config.environment import CONFIG_VARIABLE, load_settings
    from bot.errors import ConfigError
    from bot.log import mask
    from bot.setup.doctor import examine
    from bot.setup.finding import bad

    found = []
    environ = {**os.environ, **({CONFIG_VARIABLE: str(file)} if file is not None else {})}
    try:
        settings = load_settings(environ, overrides={"data_dir": data_dir})
    except ConfigError as error:
        found = [bad("settings", problem, "") for problem in error.problems]
        for finding in found:
            told(finding)
        return found
    for secret in settings.secrets():
        mask.learn(secret)
    async for finding in examine(settings, environ, wanted):
        told(finding)
        found.append(finding)
    return found


def _print(finding: Any) -> None:
    from bot.setup.finding import SIGNS

    click.echo(plain(f"{SIGNS[finding.mark]} {finding.area}: {finding.text}"))
    if finding.fix:
        click.echo(plain(f"    → {finding.fix}"))
