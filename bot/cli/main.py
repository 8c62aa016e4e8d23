"""`chimera`: the table of commands, and what an error looks like."""

import errno
import sys
import traceback
from typing import Any

import click

from bot import __version__
from bot.cli import (
    config,
    db,
    dead,
    deliveries,
    demo,
    dev,
    doctor,
    health,
    run,
    serve,
    setup,
    task,
    token,
    verify,
    version,
)
from bot.cli.talk import say
from bot.errors import ChimeraError, NotFound, WrongState


class _Refusal(click.exceptions.Exit):
    """An error on its way out; its text has been said."""

    def __init__(self, text: str, exit_code: int) -> None:
        for line in text.splitlines():
            say(f"error: {line}")
        super().__init__(exit_code)


class _Commands(click.Group):
    """A group whose commands may raise our errors."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except KeyboardInterrupt as error:  # click would say "Aborted!" and exit with 1
            raise _Refusal("interrupted", 130) from error
        except ChimeraError as error:
            raise _Refusal(str(error), _exit_code(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # nobody reads our output any more; click ends quietly
                raise
            raise _mistake(ctx, _of_the_system(error)) from error
        except Exception as error:
            text = f"{type(error).__name__}: {error}\nA mistake of ours; --debug says where."
            raise _mistake(ctx, text) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="chimera %(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback for a mistake of ours.")
def cli(debug: bool) -> None:
    """Chimera: a labelled issue becomes a tested, reviewed and deployed change."""


for command in (
    serve.serve,
    demo.demo,
    setup.setup,
    doctor.doctor,
    health.health,
    run.run,
    task.task,
    dead.dead,
    deliveries.deliveries,
    config.config,
    dev.dev,
    db.db,
    token.token,
    verify.verify,
    version.version,
):
    cli.add_command(command)


def main() -> None:
    """The program's entry. Exits 0 ok, 1 failed, 2 usage, 69, 75, 77 or 78 (sysexits.h)."""
    cli.main(args=sys.argv[1:], prog_name="chimera")


def _mistake(ctx: click.Context, text: str) -> _Refusal:
    if ctx.params.get("debug"):
        traceback.print_exc()
    return _Refusal(text, 1)


def _of_the_system(error: OSError) -> str:
    """A full disk, a directory that may not be written …: which, and what the system said."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}\nThe system said so; --debug says where."


def _exit_code(error: ChimeraError) -> int:
    """What is missing or in another state was asked for rightly: failed, not usage."""
    return 1 if isinstance(error, NotFound | WrongState) else error.exit_code
