"""`chimera deliveries …`: what GitHub has sent to a running server."""

import os
from pathlib import Path
from typing import Any

import click

from bot.cli.options import data_dir_option, server_options
from bot.cli.talk import as_json_option, emit, say, table
from bot.cli.task import ask, change


@click.group()
def deliveries() -> None:
    """Webhook deliveries: what came, what became of it, once more."""


@deliveries.command("list")
@click.option("--state", type=click.Choice(["new", "done", "failed"]))
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--cursor", help="`next` of the page before.")
@server_options
@as_json_option
def list_(
    state: str | None, limit: int, cursor: str | None, server_url: str, as_json: bool
) -> None:
    """Stored deliveries, newest first."""
    page = ask(server_url, "/api/deliveries", state=state, limit=limit, cursor=cursor)
    if as_json:
        emit(page)
        return
    table(
        ("RECEIVED", "DELIVERY", "EVENT", "STATE", "TRIES", "NOTE"),
        [
            (
                each["received_at"],
                each["delivery_id"],
                f"{each['event']}.{each['action']}".rstrip("."),
                each["state"],
                each["tries"],
                each["error"] or each["note"],
            )
            for each in page["deliveries"]
        ],
    )
    if page["next"] is not None:
        say(f"There are more: --cursor {page['next']}")


@deliveries.command()
@click.argument("delivery_id")
@server_options
@as_json_option
def replay(delivery_id: str, server_url: str, as_json: bool) -> None:
    """Read a stored delivery once more; nothing is done twice by it."""
    done = change(server_url, f"/api/deliveries/{delivery_id}/replay")
    emit(done) if as_json else say(f"{delivery_id} will be read again")


@deliveries.command(short_help="Have GitHub send again what it could not deliver.")
@data_dir_option
@as_json_option
def sweep(data_dir: Path | None, as_json: bool) -> None:
    """Have GitHub send again what it could not deliver, at most three times each.

    A running server does the same every five minutes.
    """
    import asyncio

    from bot import log
    from bot.config.environment import load_settings

    log.set_up(level="WARNING", json=False)
    asked = asyncio.run(_swept(load_settings(os.environ, overrides={"data_dir": data_dir})))
    if as_json:
        emit({"asked": asked})
        return
    for guid in asked:
        click.echo(guid)
    say(f"GitHub was asked for {len(asked)} deliveries")


async def _swept(settings: Any) -> list[str]:
    """The GUIDs that GitHub was asked for. Raises ConfigError without an App."""
    from bot.agents.cage import Cage, CageKind
    from bot.app import create_app
    from bot.errors import ConfigError

    cage = await Cage.open(CageKind.NONE)  # nothing is run here
    async with create_app(settings, agents={}, cage=cage) as house:
        if house.reconciler is None:
            raise ConfigError("no GitHub App is configured: run `chimera setup`")
        return await house.reconciler.redeliver()
