"""`chimera deliveries …`: what GitHub has sent to a running server."""

import click

from bot.cli.options import server_options
from bot.cli.talk import as_json_option, emit, say, table
from bot.cli.task import ask, change


@click.group()
def deliveries() -> None:
    """Webhook deliveries: what came, what became of it, and once more."""


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
