"""`python -m tests.load`: every load in its whole size; exit code 1 where a bound is not kept."""

import asyncio
import sys

from tests.load.figures import Figure, lines, wrong
from tests.load.whole import SMALL, Size, every


async def measured(size: Size) -> list[Figure]:
    """Every figure, each load announced when it has ended."""
    found: list[Figure] = []
    async for figures in every(size):
        print(f"{figures[0].load}: done", file=sys.stderr)
        found += figures
    return found


def main() -> None:
    figures = asyncio.run(measured(SMALL if "--small" in sys.argv else Size()))
    print("\n".join(lines(figures)))
    problems = wrong(figures)
    print("\n".join(problems), file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
