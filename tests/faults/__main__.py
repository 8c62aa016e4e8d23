"""`python -m tests.faults`: many histories, by seed; exit code 1 where anything was not true."""

import itertools
import json
import sys

import click

from tests.faults.many import Sum, run
from tests.faults.plan import drawn
from tests.faults.table import data as as_data
from tests.faults.table import lines, verdict


@click.command()
@click.option("--histories", type=int, help="How many to live through.")
@click.option("--seconds", type=float, help="Begin no new one after so long.")
@click.option("--seed", type=int, help="This one alone, with its journal.")
@click.option("--first", type=int, default=0, show_default=True, help="The first seed of many.")
@click.option("--jobs", type=int, default=2, show_default=True, help="Processes at once.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def main(
    histories: int | None,
    seconds: float | None,
    seed: int | None,
    first: int,
    jobs: int,
    as_json: bool,
) -> None:
    """Simulate histories full of faults and check every invariant after each."""
    if seed is not None:
        sys.exit(_alone(seed))
    if histories is None and seconds is None:
        histories = 100
    last = first + histories if histories is not None else None
    seeds = itertools.count(first) if last is None else range(first, last)
    total = Sum()
    for told in run(seeds, jobs=jobs, seconds=seconds):
        total.add(told)
        if told.problems:
            click.echo(f"seed {told.plan.seed}: {'; '.join(told.problems)}", err=True)
    if as_json:
        click.echo(json.dumps(as_data(total), indent=2))
    else:
        click.echo("\n".join(lines(total)))
    for problem in (wrong := verdict(total)):
        click.echo(problem, err=True)
    sys.exit(1 if wrong else 0)


def _alone(seed: int) -> int:
    click.echo(drawn(seed))
    told = next(run([seed]))
    click.echo("\n".join([*told.journal, "", *told.problems]))
    return 1 if told.problems else 0


if __name__ == "__main__":
    main()
