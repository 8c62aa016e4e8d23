"""`chimera setup`."""

import os
from pathlib import Path

import click

from bot.cli.options import data_dir_option
from bot.cli.talk import say


@click.command(short_help="Make the GitHub App and prepare a repository.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]")
@click.option(
    "--minutes",
    type=click.FloatRange(0.01, 24 * 60),
    default=60,
    show_default=True,
    help="How long the pages exist.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@data_dir_option
def setup(
    no_browser: bool, port: int, minutes: float, as_json: bool, data_dir: Path | None
) -> None:
    """Make the GitHub App and prepare a repository, with pages on this machine only.

    The App's credentials go into settings.yml in the data directory, where `chimera serve` finds
    them. Started again, it goes on where it was. Exits 130 on Ctrl-C.
    """
    import json
    import webbrowser

    from bot import log
    from bot.cli.interrupts import until_interrupted
    from bot.config.environment import SETTINGS_FILE, load_settings
    from bot.setup.serving import run_wizard

    log.set_up(level="WARNING", json=False)
    settings = load_settings(os.environ, overrides={"data_dir": data_dir})

    def tell(address: str) -> None:
        if as_json:
            click.echo(json.dumps({"event": "listening", "url": address}))
        else:
            say("Open this address, which works once, on this machine:")
            click.echo(address)
        if not no_browser:
            webbrowser.open(address)

    try:
        outcome = until_interrupted(run_wizard(settings, tell, port=port, life_s=minutes * 60))
    except OSError as error:
        raise click.UsageError(f"--port {port}: {error.strerror}") from error
    path = settings.data_dir / SETTINGS_FILE
    if as_json:
        ended = {"event": "ended", "finished": outcome.finished, "app_id": outcome.app_id}
        click.echo(json.dumps({**ended, "settings": str(path)}))
    elif outcome.app_id is not None:
        say(f"The App {outcome.app_id} is set up in {path}. Next: `chimera doctor`.")
    if outcome.app_id is None:
        say("No App was made.")
        raise SystemExit(1)
