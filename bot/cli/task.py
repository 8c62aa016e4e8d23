"""`chimera task …`: tasks of a running server; `replay` needs only its data."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bot.cli.options import data_dir_option, from_phase_option, server_options
from bot.cli.talk import as_json_option, emit, pairs, say, table
from bot.domain import DEFAULT_PRIORITY, MAX_PRIORITY, MIN_PRIORITY, Phase, Status

_PRIORITY = click.IntRange(MIN_PRIORITY, MAX_PRIORITY)

COLUMNS = {
    "TASK": "task_id",
    "STATUS": "status",
    "PHASE": "phase",
    "PRIORITY": "priority",
    "REPOSITORY": "repository",
    "TITLE": "title",
}

PHASES = ("PHASE", "STEPS", "SECONDS", "REQUESTS", "COST_USD")


@click.group()
def task() -> None:
    """Submit, watch and steer tasks on a running server."""


@task.command("list")
@click.option("--status", type=click.Choice([status.value for status in Status]))
@click.option("--phase", type=click.Choice([phase.value for phase in Phase]))
@click.option("--repository", help="owner/name")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--cursor", help="`next` of the page before.")
@server_options
@as_json_option
def list_(server_url: str, as_json: bool, **query: Any) -> None:
    """Tasks, newest first."""
    show_page(ask(server_url, "/api/tasks", **query), as_json=as_json)


@task.command()
@click.argument("task_id")
@click.option("--journal", is_flag=True, help="Every recorded step, too.")
@server_options
@as_json_option
def show(task_id: str, journal: bool, server_url: str, as_json: bool) -> None:
    """One task."""
    found = ask(server_url, f"/api/tasks/{task_id}")
    lines = ask(server_url, f"/api/tasks/{task_id}/journal")["lines"] if journal else []
    if as_json:
        emit({**found, "journal": lines} if journal else found)
        return
    show_task(found)
    if lines:
        table(
            ("STARTED", "PHASE", "OUTCOME", "SECONDS", "SUMMARY"),
            [
                (x["started_at"], x["phase"], x["outcome"], x["seconds"], x["summary"])
                for x in lines
            ],
        )


@task.command()
@click.argument("feature")
@click.option("--target-url", help="Where the tests run when nothing else says so.")
@click.option("--priority", type=_PRIORITY, default=DEFAULT_PRIORITY, show_default=True)
@click.option("--repository", help="owner/name; without it the server's default.")
@click.option("--issue", type=click.IntRange(min=1), help="An open issue to work on.")
@click.option("--idempotency-key", help="Sent again with the same key, it is the same task.")
@server_options
@as_json_option
def start(
    feature: str,
    idempotency_key: str | None,
    server_url: str,
    as_json: bool,
    **given: Any,
) -> None:
    """Submit FEATURE (`-` reads it from standard input)."""
    text = sys.stdin.read() if feature == "-" else feature
    body = {"feature": text, **{name: value for name, value in given.items() if value is not None}}
    headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
    accepted = change(server_url, "/api/tasks", body, headers)
    if as_json:
        emit(accepted)
    else:
        click.echo(accepted["task_id"])
        say(f"{accepted['status'].lower()}; see it with: chimera task show {accepted['task_id']}")


@task.command()
@click.argument("task_id")
@server_options
@as_json_option
def cancel(task_id: str, server_url: str, as_json: bool) -> None:
    """End a task; what it made is kept."""
    _show(change(server_url, f"/api/tasks/{task_id}/cancel"), as_json=as_json)


@task.command()
@click.argument("task_id")
@from_phase_option
@server_options
@as_json_option
def retry(task_id: str, phase: str | None, server_url: str, as_json: bool) -> None:
    """Let a task that ended badly go on; what it made is adopted."""
    body = {"phase": phase} if phase else {}
    _show(change(server_url, f"/api/tasks/{task_id}/retry", body), as_json=as_json)


@task.command()
@click.argument("task_id")
@click.argument("value", type=_PRIORITY)
@server_options
@as_json_option
def priority(task_id: str, value: int, server_url: str, as_json: bool) -> None:
    """Move a task in the queue: 1 to 10, higher first."""
    body = {"priority": value}
    _show(change(server_url, f"/api/tasks/{task_id}/priority", body), as_json=as_json)


@task.command(short_help="Play an ended task's recorded agents again, and compare.")
@click.argument("task_id")
@data_dir_option
@click.option(
    "--repo",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The repository of a `chimera run`, whose record is in its git directory.",
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="With --repo: the chimera.yml that the run was given.",
)
@as_json_option
def replay(
    task_id: str, data_dir: Path | None, repo: Path | None, file: Path | None, as_json: bool
) -> None:
    """Play the recorded agents of an ended task again, offline, and compare.

    Reads the store and the git mirror of this machine; the server may run meanwhile. On a fresh
    clone of the recorded base the recording takes the agents' place; tools, gates and tests are
    real, in the cage. What needs GitHub or a person is not played, and said so.

    Exits 0 when every phase that was played went the same way, with the same exit codes; else 1.
    """
    from bot import log

    log.set_up(level="ERROR", json=False)
    phases = _of_server(task_id, data_dir) if repo is None else _of_run(task_id, repo, file)
    if as_json:
        emit({"task_id": task_id, "phases": [asdict(one) for one in phases]})
    else:
        table(
            ("PHASE", "RESULT", "RECORDED", "PLAYED"),
            [(x.phase, x.result, x.recorded, x.played if x.same is False else "") for x in phases],
        )
    if any(one.same is False for one in phases):
        raise SystemExit(1)


def _of_server(task_id: str, data_dir: Path | None) -> Sequence[Any]:
    """The phases of a task that a server of this machine ran."""
    from bot.cli.run_words import told
    from bot.cli.stores import existing_store, with_store
    from bot.config.environment import load_settings
    from bot.tasks.lasting import Lasting
    from bot.tasks.queue import TaskQueue
    from bot.workflow.replaying import replay_of

    settings = load_settings(os.environ, overrides={"data_dir": data_dir})
    return with_store(
        existing_store(data_dir),
        lambda store: replay_of(
            task_id, TaskQueue(store, time.time), Lasting(store, time.time), settings, tell=told
        ),
    )


def _of_run(task_id: str, repo: Path, file: Path | None) -> Sequence[Any]:
    """The phases of a `chimera run` on `repo`."""
    import asyncio

    from bot.cli.run_words import told
    from bot.workflow.local_record import kept
    from bot.workflow.replaying import Compared, replay_local

    config = (str(file), file.read_bytes()) if file is not None else None

    async def played() -> list[Compared]:
        return await replay_local(await kept(repo, task_id), repo, config=config, tell=told)

    return asyncio.run(played())


def ask(server_url: str, path: str, **query: Any) -> dict[str, Any]:
    """What the server says."""
    from bot.cli.remote import Server

    with Server(server_url, os.environ.get("CHIMERA_TOKEN", "")) as server:
        return server.get(path, **query)


def change(
    server_url: str,
    path: str,
    body: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """What the server says after a change."""
    from bot.cli.remote import Server

    with Server(server_url, os.environ.get("CHIMERA_TOKEN", "")) as server:
        return server.post(path, body, headers)


def show_page(page: dict[str, Any], columns: Mapping[str, str] = COLUMNS, *, as_json: bool) -> None:
    """A page of tasks; `columns` are headings, each with the member that stands below it."""
    if as_json:
        emit(page)
        return
    rows = [tuple(task[member] for member in columns.values()) for task in page["tasks"]]
    table(tuple(columns), rows)
    if page["next"] is not None:
        say(f"There are more: --cursor {page['next']}")


def show_task(found: dict[str, Any]) -> None:
    """The members of a task, the nested ones by their dotted names; then its phases."""
    flat: list[tuple[str, Any]] = []
    for name, value in found.items():
        if isinstance(value, dict):
            flat += [(f"{name}.{inner}", each) for inner, each in value.items()]
        elif name != "phases":
            flat.append((name, value))
    pairs(flat)
    if phases := found["phases"]:
        click.echo()
        table(PHASES, [tuple(phase[member.lower()] for member in PHASES) for phase in phases])


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(found)
    else:
        show_task(found)
