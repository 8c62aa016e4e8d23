"""`chimera run`: a local repository, no GitHub."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from bot.cli.talk import as_json_option, emit, pairs, say


@click.command()
@click.option(
    "--repo",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="A git repository. [default: the present directory]",
)
@click.option("--feature", required=True, help="What to build; `-` reads it from standard input.")
@click.option(
    "--agent",
    help="`llm:MODEL`, `command:PROGRAM` or `replay:FILE`, for all four. [default: the settings]",
)
@click.option("--target-url", default="", help="Where the tests run, when it is served already.")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A chimera.yml under the repository's own.",
)
@as_json_option
def run(
    repo: Path, feature: str, agent: str | None, target_url: str, file: Path | None, as_json: bool
) -> None:
    """Run the workflow on a local repository; it leaves a branch with tests, code and evidence.

    Phases that need a hub are skipped, and listed as skipped.
    """
    import asyncio

    from bot import log
    from bot.config.environment import load_settings
    from bot.workflow.local_run import run_local
    from bot.workflow.registry import agent_named, agents_of

    log.set_up(level="WARNING")
    settings = load_settings(os.environ)
    text = sys.stdin.read() if feature == "-" else feature
    agents = agent_named(agent, settings) if agent else agents_of(settings)
    layer = (str(file), file.read_bytes()) if file is not None else None
    done = asyncio.run(
        run_local(repo, text, agents, target_url=target_url, config=layer, say=_tell)
    )
    document = _document(done)
    if as_json:
        emit(document)
    else:
        task = document["task"]
        pairs(
            [
                ("status", task["status"]),
                ("branch", task["branch"]),
                ("said", task["summary"]),
                ("skipped", ", ".join(document["skipped"])),
                ("cage", document["cage"]),
            ]
        )
    if document["task"]["status"] != "COMPLETED":
        raise SystemExit(1)


def _tell(line: Any) -> None:
    from bot.workflow.report.words import TITLES, duration

    said = line.summary.splitlines()[0][:110]
    say(f"  {TITLES[line.phase]:<16} {line.outcome:<5} {duration(line.seconds):>7}  {said}")


def _document(done: Any) -> dict[str, Any]:
    from bot.web.shapes import task_out

    return {
        "task": task_out(done.task).model_dump(mode="json"),
        "journal": [
            {
                "phase": line.phase.value,
                "verdict": line.outcome.value,
                "summary": line.summary,
                "seconds": round(line.seconds, 3),
            }
            for line in done.journal
        ],
        "skipped": [entry.partition(":")[0] for entry in done.task.facts.skipped],
        "skipped_because": list(done.task.facts.skipped),
        "red": _proof(done.task.facts.red),
        "green": [_proof(proof) for proof in done.task.facts.green],
        "evidence_commit": done.evidence_sha,
        "cage": done.cage,
    }


def _proof(proof: Any) -> dict[str, Any] | None:
    if proof is None:
        return None
    return {
        "command": proof.command,
        "sha": proof.sha,
        "exit_code": proof.exit_code,
        "passed": proof.passed,
        "failed": proof.failed,
        "errors": proof.errors,
        "log": proof.log,
    }
