"""Installation tokens: one for each installation, made once, renewed before and after its end.

They live an hour and then give 401. Ten calls that start together must not mint ten tokens.
https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

EARLY_S = 300.0  #: renewed this long before its end, for a push that takes its time
DEFAULT_LIFE_S = 3_600.0

Mint = Callable[[int], Awaitable[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    text: str
    ends_at: float


class Tokens:
    """Hands out tokens; `mint` asks GitHub for one and says when it ends (ISO 8601)."""

    def __init__(self, *, mint: Mint, now: Callable[[], float]) -> None:
        self._mint = mint
        self._now = now
        self._held: dict[int, _Token] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, installation_id: int) -> str:
        """A token that is good for the next minutes."""
        if token := self._good(installation_id):
            return token
        async with self._locks[installation_id]:
            return self._good(installation_id) or await self._new(installation_id)

    async def renew(self, installation_id: int, *, instead_of: str) -> str:
        """Another token than this one, which GitHub refused; minted once for all who ask."""
        async with self._locks[installation_id]:
            held = self._held.get(installation_id)
            if held is not None and held.text != instead_of:
                return held.text
            return await self._new(installation_id)

    def _good(self, installation_id: int) -> str:
        held = self._held.get(installation_id)
        return held.text if held is not None and held.ends_at - EARLY_S > self._now() else ""

    async def _new(self, installation_id: int) -> str:
        text, ends = await self._mint(installation_id)
        self._held[installation_id] = _Token(text=text, ends_at=self._end(ends))
        return text

    def _end(self, text: str) -> float:
        try:
            return datetime.fromisoformat(text).timestamp()
        except ValueError:
            return self._now() + DEFAULT_LIFE_S
