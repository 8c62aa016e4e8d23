"""What the queue's methods need of a database: transactions over rows, and nothing else.

Two drivers keep this promise: `sqlite.py` for one machine, `postgres.py` for many. Both run the
same SQL, so that one suite of tests speaks for both.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z_0-9]*)")  #: a named one, and no cast

T = TypeVar("T")


class Row(Protocol):
    """One row of an answer; its columns go by their names."""

    def __getitem__(self, column: str, /) -> Any: ...


class Tx(Protocol):
    """One open transaction. Statements name their parameters (`:id`) and fetch all at once."""

    def all(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """Every row of a query, or of a `RETURNING` clause."""
        ...

    def one(self, sql: str, params: Mapping[str, Any] | None = None) -> Row | None:
        """The first row, or None."""
        ...

    def run(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """How many rows a statement has changed."""
        ...


class Store(Protocol):
    """An open store. Every method raises StoreError when the database cannot do it."""

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a durable transaction of its own and return what it returned.

        Its error undoes what it did and is raised here. `work` runs on another thread, touches
        nothing but the `Tx`, and may be run a second time when another's work in the same batch
        fails. Works run one after the other, on however many machines they are, and each sees
        what those before it wrote.
        """
        ...

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on a consistent snapshot that includes every acknowledged write."""
        ...

    async def close(self) -> None:
        """Finish what was promised, then close every connection."""
        ...
