"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bot.domain import Phase

F = TypeVar("F", bound=Callable[..., Any])

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The directory of the store. [default: CHIMERA_DATA_DIR]",
)

from_phase_option = click.option(
    "--from",
    "phase",
    type=click.Choice([phase for phase in Phase if phase not in {Phase.COMPLETE, Phase.FAILED}]),
    help="From this phase on. [default: the one that ended it]",
)


def server_options(command: F) -> F:
    """--server, and the token, which is read from the environment only."""
    with_server = click.option(
        "--server",
        "server_url",
        envvar="CHIMERA_SERVER",
        default="http://127.0.0.1:8000",
        show_default=True,
        show_envvar=True,
        help="The server's address; its token is read from CHIMERA_TOKEN.",
    )
    return with_server(command)
