"""`chimera serve`."""

import os
from pathlib import Path
from typing import Any

import click


@click.command(short_help="Receive webhooks, serve API and dashboard, run workflows.")
@click.option("--host", help="The address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port. [default: 8000]")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The directory of store, mirrors and evidence.",
)
@click.option("--max-concurrent", type=click.IntRange(1, 200), help="Workflows at once.")
@click.option(
    "--min-concurrent",
    type=click.IntRange(1, 200),
    help="The fewest, where queue and machine may change the number.",
)
@click.option(
    "--profile",
    type=click.Choice(["conservative", "balanced", "aggressive", "enterprise"]),
    help="At most 3, 5, 10 or 20 workflows at once. [default: 5, which may become 3 to 10]",
)
@click.option(
    "--grace", "grace_s", type=click.FloatRange(0, 3600), help="Seconds to end running steps in."
)
@click.option("--log-level", type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]))
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A YAML file of settings; the environment goes before it.",
)
def serve(file: Path | None, **flags: Any) -> None:
    """Receive webhooks, serve API and dashboard, and run the workflows.

    Every setting is a variable CHIMERA_…; a flag goes before it. Stop it with SIGTERM: running
    steps end within the grace period; a second SIGTERM exits at once.
    """
    import asyncio

    from bot import door, log, telemetry
    from bot.config.environment import load_settings
    from bot.supervisor import Supervisor

    settings = load_settings(os.environ, file=file, overrides=flags)
    log.set_up(level=settings.log_level)
    if missing := _missing(settings):
        fix = "run `chimera setup`, or `chimera doctor`, which looks at everything"
        log.get("serve").warning("GitHub is not connected", missing=missing, fix=fix)
    with telemetry.exported(os.environ):
        asyncio.run(door.serve(settings, _furnish, Supervisor.of(os.environ)))


def _missing(settings: Any) -> list[str]:
    """Without these a server stands and answers, but no delivery is taken and no task begins."""
    needed = {
        "CHIMERA_APP_ID": settings.app_id,
        "CHIMERA_PRIVATE_KEY_PATH": settings.private_key,
        "CHIMERA_WEBHOOK_SECRET": settings.webhook_secret,
    }
    return [name for name, value in needed.items() if value is None]


def _furnish() -> Any:
    """What makes the house behind the door; imported while the door is open already."""
    from bot.app import create_app

    return lambda settings, opened: create_app(settings, opened=opened)
