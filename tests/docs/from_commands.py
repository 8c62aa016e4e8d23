"""Tables of what people can say, type and call: comments, command line, routes."""

from collections.abc import Iterator

import click

from bot.cli.main import cli
from bot.web.routes import API, PAGES
from bot.workflow.commands import BUTTONS, PHASE_WORDS, TABLE
from tests.docs.blocks import code, fenced, table


def commands() -> str:
    rows = [
        [
            code(spec.usage),
            spec.least.value,
            spec.does,
            "any" if len(spec.statuses) == 7 else ", ".join(sorted(spec.statuses)),
            ", ".join(code(alias) for alias in spec.aliases),
        ]
        for spec in TABLE
    ]
    return table(["Command", "Least role", "Does", "In status", "Also"], rows)


def buttons() -> str:
    rows = [[code(name), code(f"/chimera {command.verb}")] for name, command in BUTTONS.items()]
    return table(["Button's identifier", "Counts as"], rows)


def phase_words() -> str:
    return table(["Word", "Phase"], [[code(w), code(p)] for w, p in PHASE_WORDS.items()])


def command_line() -> str:
    """The help of every command, as it is printed."""
    return "\n\n".join(f"### `{path}`\n\n{fenced(text)}" for path, text in helps())


def helps() -> Iterator[tuple[str, str]]:
    """The path of every command, and its help at 88 columns."""
    yield from _helps(cli, "chimera", None)


def routes() -> str:
    rows = [
        [row.method, code(row.path), row.scope.value, _first_line(row.handler.__doc__ or "")]
        for row in (*API, *PAGES)
    ]
    return table(["Method", "Path", "Scope", "What it does"], rows)


def _helps(
    command: click.Command, path: str, parent: click.Context | None
) -> Iterator[tuple[str, str]]:
    ctx = click.Context(
        command,
        info_name=path.rpartition(" ")[2],
        parent=parent,
        help_option_names=command.context_settings.get("help_option_names"),
        terminal_width=88,
        max_content_width=88,
    )
    yield path, command.get_help(ctx)
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _helps(command.commands[name], f"{path} {name}", ctx)


def _first_line(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split())
