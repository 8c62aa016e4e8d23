"""`chimera version`."""

import platform
import sqlite3

import click

from bot import __version__
from bot.cli.talk import as_json_option, emit

#: The extras, each with what it brings.
EXTRAS = {"otel": "opentelemetry.sdk", "postgres": "psycopg", "profile": "pyinstrument"}


@click.command()
@as_json_option
def version(as_json: bool) -> None:
    """Say which Chimera this is, and what it stands on."""
    from importlib.util import find_spec

    from bot.tasks.schema import MIGRATIONS

    if not as_json:
        click.echo(f"chimera {__version__}")
        return
    emit(
        {
            "version": __version__,
            "store_schema": len(MIGRATIONS),
            "extras": {name: find_spec(package) is not None for name, package in EXTRAS.items()},
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "platform": platform.platform(),
        }
    )
