"""`chimera dead …`: what broken machinery has stopped."""

from typing import Any

import click

from bot.cli.options import from_phase_option, server_options
from bot.cli.talk import as_json_option, emit, plain, say
from bot.cli.task import ask, change, show_page, show_task
from bot.domain import Outcome, Phase

COLUMNS = {
    "TASK": "task_id",
    "CAUSE": "cause",
    "PHASE": "phase",
    "COST": "cost_usd",
    "REPOSITORY": "repository",
    "WHY": "summary",
}


@click.group()
def dead() -> None:
    """Tasks that used up their tries: look, let go on, or give up."""


@dead.command("list")
@click.option("--phase", type=click.Choice([phase.value for phase in Phase]))
@click.option("--repository", help="owner/name")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--cursor", help="`next` of the page before.")
@server_options
@as_json_option
def list_(server_url: str, as_json: bool, **query: Any) -> None:
    """Dead tasks, newest first, with what stopped them."""
    show_page(ask(server_url, "/api/dead", **query), COLUMNS, as_json=as_json)


@dead.command(short_help="A dead task: cause, last good phase, cost and journal.")
@click.argument("task_id")
@server_options
@as_json_option
def show(task_id: str, server_url: str, as_json: bool) -> None:
    """A dead task with its cause, its last good phase, its cost and its journal."""
    found = ask(server_url, f"/api/tasks/{task_id}")
    journal = ask(server_url, f"/api/tasks/{task_id}/journal")["lines"]
    good = [line["phase"] for line in journal if line["outcome"] == Outcome.PASS]
    found["last_good_phase"] = good[-1] if good else None
    if as_json:
        emit({**found, "journal": journal})
        return
    show_task(found)
    for line in journal:
        click.echo(
            plain(f"{line['started_at']}  {line['phase']}  {line['outcome']}: {line['summary']}")
        )


@dead.command(short_help="Let a dead task go on, from where it stopped or earlier.")
@click.argument("task_id")
@from_phase_option
@server_options
@as_json_option
def requeue(task_id: str, phase: str | None, server_url: str, as_json: bool) -> None:
    """Let a dead task go on from where it stopped, or from an earlier phase.

    Any other task that ended badly goes on by `chimera task retry`.
    """
    found = change(server_url, f"/api/dead/{task_id}/requeue", {"phase": phase} if phase else {})
    emit(found) if as_json else say(f"{task_id} is {found['status'].lower()} at {found['phase']}")


@dead.command()
@click.argument("task_id")
@server_options
@as_json_option
def discard(task_id: str, server_url: str, as_json: bool) -> None:
    """Give a dead task up for good."""
    found = change(server_url, f"/api/dead/{task_id}/discard")
    emit(found) if as_json else say(f"{task_id} is {found['status'].lower()}")
