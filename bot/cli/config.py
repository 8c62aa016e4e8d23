"""`chimera config …`: a repository's chimera.yml, before it is pushed."""

import json
from pathlib import Path
from typing import Any

import click

from bot.cli.talk import as_json_option, emit, say, table
from bot.errors import ConfigError

_FILE = click.argument(
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(".github/chimera.yml"),
)
_UNDER = click.option(
    "--under",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A farther file, such as the owner's, then the server's; may be said again.",
)


@click.group()
def config() -> None:
    """Check and explain a repository's configuration."""


@config.command()
@_FILE
@_UNDER
@as_json_option
def check(file: Path, under: tuple[Path, ...], as_json: bool) -> None:
    """Check FILE; every problem has its line. Exits 78 when there is one."""
    try:
        notes = list(_effective(file, under).notes)
    except ConfigError as error:
        if not as_json:
            raise
        emit({"file": str(file), "ok": False, "problems": error.problems})
        raise SystemExit(ConfigError.exit_code) from error
    if as_json:
        emit({"file": str(file), "ok": True, "problems": [], "notes": notes})
        return
    for note in notes:
        say(note)
    if file.exists():
        say(f"{file}: ok")


@config.command(short_help="Every value that counts, and where it was written.")
@_FILE
@_UNDER
@as_json_option
def show(file: Path, under: tuple[Path, ...], as_json: bool) -> None:
    """Every value that counts, defaults included, and where it was written."""
    from bot.config.layers import flat_values

    effective = _effective(file, under)
    values = flat_values(effective.config)
    if as_json:
        emit({key: {"value": v, "origin": effective.origin(key)} for key, v in values.items()})
        return
    rows = [(key, _short(value), effective.origin(key)) for key, value in values.items()]
    table(("KEY", "VALUE", "FROM"), rows)


@config.command(short_help="What KEY means, what it is, and where that was written.")
@click.argument("key")
@_FILE
@_UNDER
@as_json_option
def explain(key: str, file: Path, under: tuple[Path, ...], as_json: bool) -> None:
    """What KEY (`limits.rounds`) means, what it is, and where that was written."""
    from bot.config.layers import flat_values
    from bot.config.meant import nearest
    from bot.config.repo import json_schema

    effective = _effective(file, under)
    values = flat_values(effective.config)
    if key not in values:
        near = nearest(key, values)
        hint = f" Did you mean {near!r}?" if near else " `chimera config show` lists them."
        raise click.UsageError(f"There is no key {key!r}.{hint}")
    meaning = _described(json_schema(), key.split("."))
    told = {"key": key, "value": values[key], "origin": effective.origin(key), "meaning": meaning}
    if as_json:
        emit(told)
        return
    click.echo(f"{key} = {_short(values[key])}  ({told['origin']})")
    click.echo(meaning)
    for note in effective.notes:
        if f": {key} is " in note:
            say(note)


@config.command()
def schema() -> None:
    """The JSON Schema of chimera.yml, for editors."""
    from bot.config.repo import json_schema

    emit(json_schema())


def _effective(file: Path, under: tuple[Path, ...]) -> Any:
    """The files over the defaults; without any the defaults alone. Raises ConfigError."""
    from bot.config.layers import load_repo_config

    if not file.exists():
        say(f"{file}: not there; {'what lies under it counts' if under else 'the defaults count'}")
    there = [one for one in (file, *under) if one.exists()]
    return load_repo_config([(str(one), one.read_bytes()) for one in there])


def _described(schema: dict[str, Any], path: list[str]) -> str:
    """The description that stands at this path of a JSON Schema."""
    definitions, here = schema.get("$defs", {}), schema
    text = ""
    for step in path:
        here = here.get("properties", {}).get(step, {})
        text = here.get("description", text)
        ref = here.get("$ref") or next(
            (a["$ref"] for a in here.get("allOf", []) if "$ref" in a), ""
        )
        if ref:
            here = definitions.get(ref.rpartition("/")[2], {})
    return text


def _short(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
