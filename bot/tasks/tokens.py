"""API tokens: said once, stored as a hash, looked up in constant time by it."""

import hashlib
import json
import secrets
from dataclasses import dataclass

from bot.errors import NotFound
from bot.tasks.base import Clock
from bot.tasks.ids import new_id
from bot.tasks.store import Row, Store

TOKEN_PREFIX = "chim_"  #: so that people and scanners recognise one

_NEW = """
INSERT INTO api_token (id, name, sha256, scopes_json, repos_json, created_at, expires_at)
VALUES (:id, :name, :sha256, :scopes, :repos, :now, :expires_at)
"""
_FIND = """
SELECT * FROM api_token WHERE sha256 = :sha256 AND revoked_at IS NULL
    AND (expires_at IS NULL OR expires_at > :now)
"""
_ALL = "SELECT * FROM api_token ORDER BY created_at, id"
_REVOKE = "UPDATE api_token SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """What a token may do; the token itself is kept nowhere."""

    id: str
    name: str
    scopes: tuple[str, ...]
    repos: tuple[int, ...]  #: numbers of repositories; empty: all of them
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


class Tokens:
    """The tokens of the API. A token has 256 random bits, so a plain SHA-256 protects it."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def create(
        self,
        name: str,
        *,
        scopes: tuple[str, ...],
        repos: tuple[int, ...] = (),
        expires_at: float | None = None,
    ) -> str:
        """Make a token and return it: the only time that it can be seen."""
        now = self._now()
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        params = {
            "id": new_id(now, prefix="token-"),
            "name": name,
            "sha256": _digest(token),
            "scopes": json.dumps(scopes),
            "repos": json.dumps(repos),
            "now": now,
            "expires_at": expires_at,
        }
        await self._store.write(lambda tx: tx.run(_NEW, params))
        return token

    async def find(self, token: str) -> ApiToken | None:
        """What this token may do; None if it is unknown, expired or revoked."""
        params = {"sha256": _digest(token), "now": self._now()}
        row = await self._store.read(lambda tx: tx.one(_FIND, params))
        return None if row is None else _token(row)

    async def all(self) -> list[ApiToken]:
        """Every token that was ever made, oldest first."""
        return await self._store.read(lambda tx: [_token(row) for row in tx.all(_ALL)])

    async def revoke(self, token_id: str) -> None:
        """End a token. Raises NotFound when no valid one has this id."""
        params = {"id": token_id, "now": self._now()}
        if not await self._store.write(lambda tx: tx.run(_REVOKE, params)):
            raise NotFound(f"no valid token {token_id!r}")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _token(row: Row) -> ApiToken:
    return ApiToken(
        id=row["id"],
        name=row["name"],
        scopes=tuple(json.loads(row["scopes_json"])),
        repos=tuple(json.loads(row["repos_json"])),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
