"""`chimera health`: is the server well? For people, and for whatever keeps a container alive."""

import os
from typing import Any

import click

from bot.cli.options import server_options
from bot.cli.talk import as_json_option, emit, say, table


@click.command(short_help="Ask a server how its parts are.")
@click.option("--strict", is_flag=True, help="Exit 1 also where only a part is not well.")
@server_options
@as_json_option
def health(server_url: str, as_json: bool, strict: bool) -> None:
    """Ask a server how its parts are, and what to do where one is not well.

    Exits 0 while deliveries are stored and tasks are worked on, 75 where it answers and cannot
    store, 69 where nobody answers.
    """
    from bot.cli.remote import Server, TryAgain

    with Server(server_url, os.environ.get("CHIMERA_TOKEN", "")) as server:
        document = server.health()
    if as_json:
        emit(document)
    else:
        table(("PART", "STATE", "DETAIL", "WHAT TO DO"), [_row(one) for one in document["parts"]])
    if not document["ready"]:
        stored = all(part["ok"] for part in document["parts"] if part["name"] == "store")
        why = "is starting or stopping" if stored else "can store nothing"
        raise TryAgain(f"{server_url}: the server {why}")
    if document["status"] != "ok":
        say(f"{server_url}: {document['status']}")
        raise SystemExit(1 if strict else 0)


def _row(part: dict[str, Any]) -> tuple[str, str, str, str]:
    return part["name"], "ok" if part["ok"] else "not well", part["detail"], part["fix"]
