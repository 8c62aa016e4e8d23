"""A cell for the tests of the runner: its readings waver at first, then stand still."""

from pathlib import Path

from tests.bench.model import Reading


def wavering(path: str, noisy: int) -> Reading:
    """1, 3, 1, 3, … for so many calls, then always 1; the file counts them."""
    with Path(path).open("a+", encoding="ascii") as file:
        before = file.tell()
        file.write(".")
    return {"x": 3.0 if before < noisy and before % 2 else 1.0}
