"""`chimera token …`: who may use the API."""

import time
from dataclasses import asdict
from pathlib import Path

import click

from bot.cli.options import data_dir_option
from bot.cli.talk import as_json_option, emit, instant, say, table

_DAY_S = 86_400


@click.group()
def token() -> None:
    """API tokens of this machine's store."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["read", "write", "approve"]),
    default="write",
    show_default=True,
    help="write includes read; approve, for the gate of production, includes both.",
)
@click.option("--repo-id", "repos", type=int, multiple=True, help="Only this repository's tasks.")
@click.option("--days", type=click.IntRange(min=1), help="Days until it expires.")
@data_dir_option
def create(
    name: str, scope: str, repos: tuple[int, ...], days: int | None, data_dir: Path | None
) -> None:
    """Make a token and print it: the only time that it can be seen."""
    from bot.cli.stores import store_place, with_store
    from bot.tasks.store import Store
    from bot.tasks.tokens import Tokens

    async def made(store: Store) -> str:
        until = None if days is None else time.time() + days * _DAY_S
        tokens = Tokens(store, time.time)
        return await tokens.create(name, scopes=(scope,), repos=repos, expires_at=until)

    place = store_place(data_dir)
    click.echo(with_store(place, made))
    say(f"It opens the server of {place}; from now on every client of its API needs a token.")
    say("Keep it safe.")


@token.command("list")
@data_dir_option
@as_json_option
def list_(data_dir: Path | None, as_json: bool) -> None:
    """Every token that was made; the tokens themselves are kept nowhere."""
    from bot.cli.stores import existing_store, with_store
    from bot.tasks.store import Store
    from bot.tasks.tokens import ApiToken, Tokens

    async def all_of(store: Store) -> list[ApiToken]:
        return await Tokens(store, time.time).all()

    found = with_store(existing_store(data_dir), all_of)
    if as_json:
        emit({"tokens": [asdict(each) for each in found]})
        return
    table(
        ("ID", "NAME", "SCOPES", "REPOSITORIES", "CREATED", "EXPIRES", "REVOKED"),
        [
            (
                each.id,
                each.name,
                ",".join(each.scopes),
                ",".join(map(str, each.repos)) or "all",
                instant(each.created_at),
                instant(each.expires_at),
                instant(each.revoked_at),
            )
            for each in found
        ],
    )


@token.command()
@click.argument("token_id")
@data_dir_option
def revoke(token_id: str, data_dir: Path | None) -> None:
    """End a token at once, and the dashboard sessions that it opened."""
    from bot.cli.stores import existing_store, with_store
    from bot.tasks.tokens import Tokens

    with_store(existing_store(data_dir), lambda store: Tokens(store, time.time).revoke(token_id))
    say(f"{token_id} is revoked")
