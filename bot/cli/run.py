"""`chimera run`: a local repository, no GitHub."""

import os
import sys
from pathlib import Path

import click

from bot.cli.talk import as_json_option, emit, pairs, say


@click.command(short_help="Run the workflow on a local repository, without GitHub.")
@click.option(
    "--repo",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="A git repository, or a directory in one. [default: the present directory]",
)
@click.option("--feature", required=True, help="What to build; `-` reads it from standard input.")
@click.option(
    "--agent",
    help="For all roles: `llm:PROVIDER:MODEL`, `command:PROGRAM` or `replay:FILE`. "
    "[default: the settings]",
)
@click.option(
    "--show",
    "shows",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="A path that a command agent may read in its cage, besides the files that its command "
    "names by their whole path; repeatable.",
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
    repo: Path,
    feature: str,
    agent: str | None,
    shows: tuple[Path, ...],
    target_url: str,
    file: Path | None,
    as_json: bool,
) -> None:
    """Run the workflow on a local repository; it leaves a branch with tests, code and evidence.

    The base is the branch that is checked out; uncommitted changes are left out, and the work
    tree is not touched. Phases that need a hub are skipped, and listed as skipped.

    A command agent is run in the cage at the root of a fresh checkout, once a turn. The task is on
    its standard input, CHIMERA_ROLE says who it is (e2e-tester, coder, guardian), and its answer
    goes to the file CHIMERA_RESULT as JSON; the guardian's is
    {"decision": "approve", "summary": "…"}.

    Exits 0 when the branch is ready, 1 when the work failed or needs a decision, 2 for wrong
    usage, 69 without a sandbox or git, 78 for a configuration to be mended, 130 when interrupted
    (then the branch is taken back).
    """
    from bot import log
    from bot.cli.interrupts import until_interrupted
    from bot.cli.run_words import document, exit_code, next_step, rows, teller
    from bot.config.choices import CageKind
    from bot.config.environment import load_settings
    from bot.errors import InputError
    from bot.workflow.local_run import run_local
    from bot.workflow.registry import agent_named, agents_with_keys

    log.set_up(level="WARNING", json=False)
    settings = load_settings(os.environ)
    if shows and agent is None:
        raise InputError("--show is for a command agent; name one with --agent command:PROGRAM")
    agents = agent_named(agent, settings, shows) if agent else agents_with_keys(settings)
    text = sys.stdin.read() if feature == "-" else feature
    layer = (str(file), file.read_bytes()) if file is not None else None
    done = until_interrupted(
        run_local(
            repo,
            text,
            agents,
            target_url=target_url,
            config=layer,
            caged=settings.cage is not CageKind.NONE,
            tell=teller(),
        )
    )
    if as_json:
        emit(document(done))
    else:
        pairs(rows(done))
    if (advice := next_step(done.task)) is not None:
        say(advice)
    if code := exit_code(done.task):
        raise SystemExit(code)
