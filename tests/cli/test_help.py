"""What `--help` says of the commands, on the narrowest terminal that is usual."""

import click
import pytest
from click.testing import CliRunner

from bot import __version__
from bot.cli.main import cli

WIDTH = 78  #: what click leaves of 80 columns


def groups(group: click.Group, *words: str) -> dict[tuple[str, ...], click.Group]:
    """The group and those below it, by what is typed behind `chimera`."""
    found = {words: group}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= groups(command, *words, name)
    return found


def test_the_version_is_told_in_both_ways_in_which_people_ask() -> None:
    by_command, by_option = (CliRunner().invoke(cli, [word]) for word in ("version", "--version"))
    assert by_command.stdout == by_option.stdout == f"chimera {__version__}\n"


@pytest.mark.parametrize(("words", "group"), groups(cli).items())
def test_no_command_is_cut_short_in_the_list_of_commands(
    words: tuple[str, ...], group: click.Group
) -> None:
    # Through the program, for a command keeps the names of its help option from its first context.
    said = CliRunner().invoke(cli, [*words, "--help"], terminal_width=WIDTH).stdout
    listed = said.partition("Commands:")[2].splitlines()
    assert len(listed) > len(group.commands)
    assert [line for line in listed if line.endswith("...")] == []
