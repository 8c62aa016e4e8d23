"""`chimera config …`: a repository's chimera.yml, before it is pushed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

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
    source = click.get_current_context().get_parameter_source("file")
    if source is ParameterSource.COMMANDLINE and not file.exists():
        raise click.UsageError(f"{file} is not there.")
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
    shown = _shown(effective, flat_values(effective.config))
    emit(shown) if as_json else _table(shown)


@config.command(short_help="What KEY means, what it is, and where that was written.")
@click.argument("key")
@_FILE
@_UNDER
@as_json_option
def explain(key: str, file: Path, under: tuple[Path, ...], as_json: bool) -> None:
    """What KEY (`limits.rounds`) means, what it is, and where that was written.

    Of a section (`limits`): every key in it.
    """
    from bot.config.layers import flat_values
    from bot.config.meant import nearest
    from bot.config.repo import json_schema

    effective = _effective(file, under)
    values = flat_values(effective.config)
    below = {name: value for name, value in values.items() if name.startswith(f"{key}.")}
    if below:
        _section(key, _shown(effective, below), as_json=as_json)
        return
    if key not in values:
        near = nearest(key, values)
        hint = f" Did you mean {near!r}?" if near else " `chimera config show` lists them."
        raise click.UsageError(f"There is no key {key!r}.{hint}")
    meaning = _described(json_schema(), key)
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


def _shown(effective: Any, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {key: {"value": v, "origin": effective.origin(key)} for key, v in values.items()}


def _section(key: str, shown: Mapping[str, dict[str, Any]], *, as_json: bool) -> None:
    from bot.config.repo import json_schema

    meaning = _described(json_schema(), key)
    if as_json:
        emit({"key": key, "meaning": meaning, "keys": shown})
        return
    click.echo(meaning)
    _table(shown)


def _table(shown: Mapping[str, dict[str, Any]]) -> None:
    rows = [(key, _short(each["value"]), each["origin"]) for key, each in shown.items()]
    table(("KEY", "VALUE", "FROM"), rows)


def _described(schema: dict[str, Any], key: str) -> str:
    """The description that stands at this dotted key of a JSON Schema."""
    definitions, here = schema.get("$defs", {}), schema
    text = ""
    for step in key.split("."):
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
