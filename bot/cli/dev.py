"""`chimera dev …`: deliveries by hand, for those who work on a server or debug its webhook."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from bot.cli.options import data_dir_option
from bot.cli.talk import as_json_option, emit, plain, say, table


def _web_address(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    """A whole address, or none at all. Raises BadParameter."""
    try:
        parts = urlsplit(text or "http://none")
        whole = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port beyond 65535, a bracket that is not closed
        whole = False
    if not whole:
        raise click.BadParameter(f"{text!r} is no address such as https://smee.io/…")
    return text


_url_option = click.option(
    "--url",
    callback=_web_address,
    help="The server's webhook. [default: http://127.0.0.1:<port of the settings>/webhook]",
)


@click.group()
def dev() -> None:
    """Send saved deliveries, read a channel, sign a body."""


@dev.command(short_help="Sign saved deliveries and post them to a server.")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--event", default="", help="The event of a bare payload, such as issues.")
@click.option("--keep-id", is_flag=True, help="Send the saved GUID, which a server takes once.")
@_url_option
@data_dir_option
@as_json_option
def replay(
    path: Path, event: str, keep_id: bool, url: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Sign the deliveries in PATH, a file or a folder of *.json, and post them to a server.

    A file is what GitHub's delivery log shows, or a bare payload. Exits 1 when one is refused.
    """
    import asyncio

    from bot.setup.saved import read_saved

    settings = _settings(data_dir)
    secret = _secret(settings)
    saved = read_saved(path, event=event, keep_id=keep_id)
    target = url or _own(settings)
    answers = asyncio.run(_posted(target, saved, secret))
    rows = [
        {
            "file": one.name,
            "event": one.event,
            "delivery": one.id,
            "status": answer.status,
            "answer": answer.text,
        }
        for one, answer in zip(saved, answers, strict=True)
    ]
    if as_json:
        emit({"url": target, "deliveries": rows})
    else:
        table(("FILE", "EVENT", "DELIVERY", "STATUS", "ANSWER"), [tuple(r.values()) for r in rows])
    if not all(answer.ok for answer in answers):
        raise SystemExit(1)


@dev.command(short_help="Read a smee.io channel and post what comes to a server.")
@click.argument("channel", callback=_web_address)
@_url_option
@data_dir_option
def smee(channel: str, url: str | None, data_dir: Path | None) -> None:
    """Read CHANNEL (https://smee.io/…) and post its deliveries to a server, until Ctrl-C.

    What is not signed with this server's secret is not passed on, and the reason is said. Exits
    130 on Ctrl-C.
    """
    from bot.cli.interrupts import until_interrupted
    from bot.setup.smee import Smee

    settings = _settings(data_dir)
    _secret(settings)
    target = url or _own(settings)
    say(f"Passing on to {target}; stop with Ctrl-C.")
    reader = Smee(
        channel=channel,
        target=target,
        secrets=settings.webhook_secrets,
        tell=lambda text: click.echo(plain(text)),
    )
    until_interrupted(reader.run())


@dev.command(short_help="Print the X-Hub-Signature-256 of a file's bytes.")
@click.argument("file", type=click.File("rb"))
@data_dir_option
def sign(file: Any, data_dir: Path | None) -> None:
    """Print the X-Hub-Signature-256 of FILE's bytes (`-`: standard input)."""
    from bot.setup.signature import sign as signed

    click.echo(signed(file.read(), _secret(_settings(data_dir))))


def _settings(data_dir: Path | None) -> Any:
    from bot.config.environment import load_settings

    return load_settings(os.environ, overrides={"data_dir": data_dir})


def _secret(settings: Any) -> str:
    """The present webhook secret. Raises ConfigError without one."""
    from bot.errors import ConfigError

    if settings.webhook_secret is None:
        raise ConfigError("no webhook secret: set CHIMERA_WEBHOOK_SECRET, or run `chimera setup`")
    return str(settings.webhook_secret.get_secret_value())


def _own(settings: Any) -> str:
    return f"http://127.0.0.1:{settings.port}/webhook"


async def _posted(target: str, saved: Any, secret: str) -> list[Any]:
    """The answers, in order. Raises Unreachable."""
    import httpx

    from bot.cli.remote import Unreachable
    from bot.setup.saved import post

    try:
        async with httpx.AsyncClient() as client:
            return [await post(client, target, one, secret) for one in saved]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        text = f"{target}: {type(error).__name__}. Is `chimera serve` running? --url names another."
        raise Unreachable(text) from error
