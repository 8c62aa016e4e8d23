"""What `--help` says of the commands, on the narrowest terminal that is usual."""

import click
import pytest

from bot.cli.main import cli

WIDTH = 78  #: what click leaves of 80 columns


def groups(group: click.Group, path: str = "chimera") -> dict[str, click.Group]:
    """The group and those below it, by what is typed."""
    found = {path: group}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= groups(command, f"{path} {name}")
    return found


@pytest.mark.parametrize(("path", "group"), groups(cli).items())
def test_no_command_is_cut_short_in_the_list_of_commands(path: str, group: click.Group) -> None:
    said = group.get_help(click.Context(group, info_name=path, terminal_width=WIDTH))
    listed = said.partition("Commands:")[2].splitlines()
    assert len(listed) > len(group.commands)
    assert [line for line in listed if line.endswith("...")] == []
