"""`chimera demo`."""

import os
from pathlib import Path

import click

from bot.cli.talk import as_json_option, emit, say


@click.command(short_help="See it work: one issue, all seven phases, on this machine.")
@click.option("--keep", is_flag=True, help="Leave the hub's page and the bot's page open.")
@click.option(
    "--approve",
    type=click.Choice(["auto", "ask"]),
    default="auto",
    show_default=True,
    help="Who approves production.",
)
@click.option(
    "--session",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Play this recorded session instead of the one that comes along.",
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Work here and keep everything. [default: a temporary directory]",
)
@click.option("--alter", default="", help="Alter one recorded answer: a name, or `list`.")
@as_json_option
def demo(
    keep: bool,
    approve: str,
    session: Path | None,
    directory: Path | None,
    alter: str,
    as_json: bool,
) -> None:
    """Take a labelled issue through all seven phases, on a GitHub of this machine.

    Of the settings it heeds CHIMERA_CAGE alone: `none` plays it without a sandbox, where there is
    none to be had, and says so.

    Exits 0 when it ends COMPLETED, 1 when it ends otherwise, 69 without a sandbox or without git.
    Ctrl-C ends everything that was started; the exit code is 130 then.
    """
    from bot import log
    from bot.cli.interrupts import until_interrupted
    from bot.config.choices import CageKind
    from bot.config.environment import load_settings
    from bot.demo.sample import alterations
    from bot.demo.story import DemoOptions, run_demo
    from bot.workflow.report.words import hanging

    if alter == "list":
        for name, about in alterations().items():
            click.echo(hanging(f"{name:<22}  ", about))
        return
    log.set_up(level="ERROR", json=False)
    heeded = {name: value for name, value in os.environ.items() if name == "CHIMERA_CAGE"}
    options = DemoOptions(
        keep=keep,
        ask=approve == "ask",
        alter=alter,
        session=session,
        directory=directory,
        caged=load_settings(heeded).cage is not CageKind.NONE,
    )
    document = until_interrupted(run_demo(options, say))
    if as_json:
        emit(document)
    if document["task"]["status"] != "COMPLETED":
        raise SystemExit(1)
