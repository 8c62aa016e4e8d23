"""`python -m tests.bench all|ITEM … [--json] [--rounds N]`."""

import json
import sys

import click

from tests.bench import items, running, table


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="all|ITEM…")
@click.option("--json", "as_json", is_flag=True, help="One document instead of tables.")
@click.option("--rounds", type=click.IntRange(1, 100), help="Instead of each bench's own number.")
@click.option("--quick", is_flag=True, help="Tiny numbers: does it run? The timings mean nothing.")
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
        results.append(running.run(table_of[name], rounds=rounds, say=_say))
        if not as_json:
            click.echo(table.text(results[-1:]) + "\n")
    if as_json:
        click.echo(json.dumps(table.document(results), indent=2))
    for broken in (missed := table.gate(results)):
        _say(f"does not hold: {broken}")
    sys.exit(1 if missed else 0)


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
