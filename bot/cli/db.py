"""`chimera db …`: the store's file."""

from pathlib import Path

import click

from bot.cli.options import data_dir_option
from bot.cli.talk import as_json_option, emit, say


@click.group()
def db() -> None:
    """The store: upgrade, back up, check."""


@db.command(short_help="Bring the store to this version, as `serve` does.")
@data_dir_option
def upgrade(data_dir: Path | None) -> None:
    """Bring the store to this version; `serve` does the same when it starts.

    An empty PostgreSQL gets its tables; a file that is not there is not made.
    """
    from bot.cli.stores import existing_store, with_store
    from bot.tasks.store import Store

    place = existing_store(data_dir)

    async def nothing_more(store: Store) -> None:
        del store
        say(f"{place} is up to date")

    with_store(place, nothing_more)


@db.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@data_dir_option
def backup(target: Path, data_dir: Path | None) -> None:
    """Copy the store to TARGET as it is, also while a server uses it."""
    import asyncio

    from bot.cli.stores import existing_store

    if target.exists():
        raise click.UsageError(f"{target} exists; a backup overwrites nothing.")
    place = existing_store(data_dir)
    asyncio.run(place.backup(target))
    how = f"with `pg_restore --no-owner --dbname=… {target}`, into an empty database"
    how = how if place.url else "by putting it in the store's place"
    say(f"{target}: {target.stat().st_size} bytes. Restore it {how}.")


@db.command()
@data_dir_option
@as_json_option
def check(data_dir: Path | None, as_json: bool) -> None:
    """Read every page of the store and compare every index. Exits 1 when something is wrong."""
    from bot.cli.stores import existing_store
    from bot.tasks.sqlite import check as problems_of

    place = existing_store(data_dir)
    if place.url:
        raise click.UsageError("PostgreSQL checks itself; pg_amcheck does it on demand.")
    problems = problems_of(place.path)
    if as_json:
        emit({"store": str(place), "ok": not problems, "problems": problems})
    else:
        for problem in problems:
            click.echo(problem)
        say(f"{place}: {'broken; restore a backup' if problems else 'ok'}")
    if problems:
        raise SystemExit(1)
