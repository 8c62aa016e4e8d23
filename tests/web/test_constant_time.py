"""Secrets are compared in a time that says nothing about them: the code path, and not the clock."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any, cast

import pytest

from bot.github.webhook import verify
from bot.tasks.sqlite import SqliteStore
from bot.tasks.store import Row, Store, Tx
from bot.tasks.tokens import Tokens
from bot.web.session import Sessions
from bot.web.sign_in import SignIn
from bot.workflow.report.marker import read_marker

NOW = 1_700_000_000.0


@dataclass(frozen=True, slots=True)
class Overheard:
    """A store whose questions are written down."""

    store: SqliteStore
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def read(self, work: Callable[[Tx], Any]) -> Any:
        return await self.store.read(lambda tx: work(cast(Tx, Asking(tx, self.asked))))


@dataclass(frozen=True, slots=True)
class Asking:
    tx: Tx
    asked: list[dict[str, Any]]

    def one(self, sql: str, params: dict[str, Any]) -> Row | None:
        self.asked.append(params)
        return self.tx.one(sql, params)


async def test_of_a_token_only_the_hash_is_compared(tmp_path: Path) -> None:
    """Who guesses a token cannot choose how much of its SHA-256 is right."""
    store = await SqliteStore.open(tmp_path / "chimera.db")
    token = await Tokens(store, lambda: NOW).create("ci", scopes=("read",))
    heard = Overheard(store)
    tokens = Tokens(cast(Store, heard), lambda: NOW)
    assert await tokens.find(token) is not None
    assert await tokens.find(f"{token[:-1]}~") is None
    await store.close()
    assert heard.asked[0]["sha256"] == hashlib.sha256(token.encode()).hexdigest()
    assert token[:-1] not in str(heard.asked)


@pytest.mark.parametrize("check", [verify, Sessions, SignIn, read_marker])
def test_a_signature_is_compared_in_constant_time(check: Any) -> None:
    assert "compare_digest" in set(names(check))


def names(of: Any) -> Iterator[str]:
    """What the code of a function, or of a class's methods, calls by name."""
    if isinstance(of, type):
        for member in vars(of).values():
            yield from names(getattr(member, "__code__", None))
    elif isinstance(of, CodeType):
        yield from of.co_names
        for inner in of.co_consts:
            yield from names(inner)
    elif callable(of):
        yield from names(of.__code__)
