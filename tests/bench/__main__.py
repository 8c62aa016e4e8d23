"""`python -m tests.bench all|ITEM … [--json] [--rounds N]`."""

import json
import sys

import click

from tests.bench import items, running, table
from tests.bench.model import Bench


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="all|ITEM…")
@click.option("--json", "as_json", is_flag=True, help="One document instead of tables.")
@click.option("--rounds", type=click.IntRange(1, 100), help="Instead of each bench's own number.")
@click.option(
    "--quick", is_flag=True, help="Tiny numbers, one round: does it run? The timings mean nothing."
)
@click.option("--million", is_flag=True, help="Claim from 1,000,000 queued tasks, too.")
def main(
    names: tuple[str, ...], as_json: bool, rounds: int | None, quick: bool, million: bool
) -> None:
    """Measure Chimera beside its anchors. Exits 1 when an exact figure does not hold."""
    table_of = items.benches(quick=quick, million=million)
    wanted = list(table_of) if "all" in names else list(names)
    if unknown := [name for name in wanted if name not in table_of]:
        raise click.UsageError(f"no bench {unknown[0]!r}; there are: all, {', '.join(table_of)}")
    results = []
    for name in wanted:
        results.append(_measured(table_of[name], rounds, quick=quick))
        if not as_json:
            click.echo(table.text(results[-1:]) + "\n")
    if as_json:
        click.echo(json.dumps(table.document(results), indent=2))
    if len(left := table.noisy(results)) > table.NOISY_ALLOWED:
        _say(f"more than {table.NOISY_ALLOWED} figures stayed noisy: {'; '.join(left)}")
    for broken in (missed := table.gate(results)):
        _say(f"does not hold: {broken}")
    sys.exit(1 if missed else 0)


def _measured(bench: Bench, rounds: int | None, *, quick: bool) -> running.Result:
    if quick:
        return running.run(bench, rounds=rounds or 1, say=_say)
    return running.settled(bench, rounds=rounds, say=_say)


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
