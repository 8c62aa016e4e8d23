"""`chimera db …`: the store's file."""

from pathlib import Path

import click

from bot.cli.options import data_dir_option
from bot.cli.talk import as_json_option, emit, say


@click.group()
def db() -> None:
    """The store: upgrade, back up, check."""


@db.command()
@data_dir_option
def upgrade(data_dir: Path | None) -> None:
    """Bring the store to this version; `serve` does the same when it starts."""
    from bot.cli.stores import store_path, with_store
    from bot.tasks.sqlite import SqliteStore

    async def nothing_more(store: SqliteStore) -> None:
        say(f"{store.path} is up to date")

    path = store_path(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    with_store(path, nothing_more)


@db.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@data_dir_option
def backup(target: Path, data_dir: Path | None) -> None:
    """Copy the store to TARGET, also while a server uses it."""
    from bot.cli.stores import existing_store, with_store

    if target.exists():
        raise click.UsageError(f"{target} exists; a backup overwrites nothing.")
    with_store(existing_store(data_dir), lambda store: store.backup(target))
    say(f"{target}: {target.stat().st_size} bytes. Restore it by putting it in the store's place.")


@db.command()
@data_dir_option
@as_json_option
def check(data_dir: Path | None, as_json: bool) -> None:
    """Read every page of the store and compare every index. Exits 1 when something is wrong."""
    from bot.cli.stores import existing_store
    from bot.tasks.sqlite import check as problems_of

    path = existing_store(data_dir)
    problems = problems_of(path)
    if as_json:
        emit({"store": str(path), "ok": not problems, "problems": problems})
    else:
        for problem in problems:
            click.echo(problem)
        say(f"{path}: {'broken; restore a backup' if problems else 'ok'}")
    if problems:
        raise SystemExit(1)
