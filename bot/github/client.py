"""The one way to GitHub: credentials, deadlines, limits, and which call may be repeated.

`kit` exchanges bytes; here is decided what an exchange means and whether there is another. The
tokens are ours as well (`tokens`, `app_jwt`), because githubkit's strategies mint one for each of
ten calls that start together, do not renew one that GitHub refuses, and sign by a clock that
cannot be given.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import anyio
import httpx

from bot.errors import AuthFailed, RateLimited, Refused, Transient, Uncertain
from bot.github.answers import SAFE_METHODS, Answer, error_in, graphql_error, lost
from bot.github.app_jwt import AppKey
from bot.github.clock import HubClock
from bot.github.fields import Fields
from bot.github.governor import Governor
from bot.github.kit import GITHUB, WHOLE_S, Kit, Params, Request
from bot.github.memory import Memory
from bot.github.tokens import Tokens
from bot.log import get, mask

MAX_REPEATS = 2  #: of a read; a write is never repeated here
MAX_PAGES = 50  #: of 100 items

log = get("github")


class GitHub:
    """Speaks with one GitHub (github.com, an Enterprise Server, a local hub) as one App.

    Use as an async context manager, once for the life of the process, and make it in a thread: to
    read the trusted certificates takes 45 ms. `api_url` is the REST base;
    the places of GraphQL, of pages and of git follow from it. `transport` replaces the network.
    `write_spacing_s` lies between two writes of an installation, `backoff_s` before a read that is
    repeated, and `whole_s` bounds one call.
    """

    def __init__(
        self,
        *,
        app_id: int,
        private_key: str,
        api_url: str = GITHUB,
        transport: httpx.AsyncBaseTransport | None = None,
        write_spacing_s: float = 1.0,
        backoff_s: float = 0.25,
        whole_s: float = WHOLE_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.api_url = api_url.rstrip("/")
        self.app_id = app_id
        self.now = now
        self.memory = Memory(now=now)
        self.limited = asyncio.Event()  #: GitHub has named a limit; who keeps them hears it here
        self._backoff_s = backoff_s
        self._whole_s = whole_s
        self._spacing_s = write_spacing_s
        self._governors: dict[int, Governor] = {}
        self._key = AppKey(app_id, private_key)
        self._clock = HubClock(now)
        self._tokens = Tokens(mint=self._mint, now=self._clock)
        # Two pools, for githubkit knows one answer to redirects: a redirected write is not sent on.
        self._reads, self._writes = (
            Kit(api_url=self.api_url, transport=transport, whole_s=whole_s, follow_redirects=follow)
            for follow in (True, False)
        )

    async def __aenter__(self) -> Self:
        # The first connection loads anyio's backend, which would hold our event loop for 50 ms.
        await asyncio.to_thread(anyio.run, anyio.sleep, 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._reads.aclose()
        await self._writes.aclose()

    @property
    def graphql_url(self) -> str:
        """`…/graphql`, which on an Enterprise Server is not below the version."""
        return f"{self.api_url.removesuffix('/v3')}/graphql"

    @property
    def web_url(self) -> str:
        """Where the pages are, and below it the repositories for git."""
        if self.api_url == GITHUB:
            return "https://github.com"
        return self.api_url.removesuffix("/v3").removesuffix("/api")

    def recall(self, installation_id: int, made: Iterable[float]) -> None:
        """Count creating calls that an earlier process has made (Unix seconds) within the hour."""
        self._governor(installation_id).recall(made)

    def recount(self, made: Mapping[int, Iterable[float]]) -> None:
        """The same, of every machine that shares the installations with this one."""
        for installation_id, instants in made.items():
            self._governor(installation_id).recount(instants)

    def limits(self) -> dict[int, float]:
        """Until when GitHub wants to hear nothing, by installation (Unix seconds)."""
        return {number: one.blocked_until for number, one in self._governors.items()}

    def spare_at(self, installation_id: int) -> float:
        """When there is room for a creating call that no work waits for (Unix seconds)."""
        return self._governor(installation_id).spare_at()

    def hold_back(self, installation_id: int, until: float) -> None:
        """Another machine, or an earlier process, was told to wait: so do we."""
        self._governor(installation_id).blocked(until)

    async def token(self, installation_id: int) -> str:
        """An installation's token, for git. Raises as `call` does."""
        return await self._tokens.get(installation_id)

    async def get(
        self, path: str, *, installation_id: int, params: Params | None = None, etag: str = ""
    ) -> Answer:
        """Read one thing; with the tag of an earlier answer perhaps only that it is unchanged."""
        self._governor(installation_id).check()
        request = Request(method="GET", path=path, params=params, etag=etag)
        return await self._repeated(request, installation_id)

    async def pages(
        self, path: str, *, installation_id: int, params: Params | None = None, etag: str = ""
    ) -> AsyncIterator[Answer]:
        """All pages of a list, 100 items each, to the last or to MAX_PAGES.

        With the tag of an earlier first page perhaps one answer, which says that it is unchanged.
        """
        first = {"per_page": 100, **(params or {})}
        answer = await self.get(path, installation_id=installation_id, params=first, etag=etag)
        yield answer
        for _ in range(MAX_PAGES - 1):
            if not answer.next_page:
                return
            rest = self._own_path(answer.next_page)
            answer = await self.get(rest, installation_id=installation_id)
            yield answer

    async def call(
        self,
        method: str,
        path: str,
        *,
        installation_id: int,
        params: Params | None = None,
        body: Mapping[str, Any] | None = None,
        receipt: bool = False,
    ) -> Answer:
        """One call as an installation, or as the App itself with `installation_id=0`.

        A `receipt` is a write that a person waits for: it goes before the others.
        Returns a 2xx answer. Raises RateLimited, AuthFailed, Refused and Conflict where GitHub
        said no; Transient where nothing was changed; Uncertain where a write may have happened.
        """
        request = Request(method=method, path=path, params=params, body=body)
        if method in SAFE_METHODS:
            self._governor(installation_id).check()
            return await self._repeated(request, installation_id)
        creates = method == "POST"
        return await self._write(request, installation_id, creates=creates, receipt=receipt)

    async def graphql(
        self,
        query: str,
        variables: Mapping[str, Any],
        *,
        installation_id: int,
        receipt: bool = False,
    ) -> Fields:
        """The `data` of a GraphQL answer, queries and mutations alike under the governor.

        Raises as `call` does; the errors of GraphQL come with status 200.
        """
        body = {"query": query, "variables": dict(variables)}
        request = Request(method="POST", path="/graphql", url=self.graphql_url, body=body)
        mutation = query.lstrip().startswith("mutation")
        try:
            answer = await self._write(request, installation_id, creates=mutation, receipt=receipt)
            found = Fields(answer.json())
            if error := graphql_error(answer, found, now=self.now()):
                raise error
        except Uncertain as error:
            if mutation:
                raise
            raise Transient(str(error), retry_at=error.retry_at) from error
        return found["data"]

    async def _write(
        self, request: Request, installation_id: int, *, creates: bool, receipt: bool = False
    ) -> Answer:
        await self._credential(installation_id)  # made before our turn, not during it
        async with self._governor(installation_id).write(creates=creates, receipt=receipt):
            answer = await self._once(request, installation_id)
        answer.json()  # a 200 with a page of a proxy's says nothing about the write
        return answer

    async def _repeated(self, request: Request, installation_id: int) -> Answer:
        """A read, again after a passing failure, with growing pauses; MAX_REPEATS times at most."""
        for repeat in range(MAX_REPEATS):
            try:
                return await self._once(request, installation_id)
            except Transient as error:
                if error.retry_at is not None:
                    raise
                log.info("read repeated", path=request.path, error=str(error))
                jitter = random.uniform(0.75, 1.25)  # noqa: S311 - it spreads tries
                await asyncio.sleep(self._backoff_s * 4**repeat * jitter)
        return await self._once(request, installation_id)

    async def _once(self, request: Request, installation_id: int) -> Answer:
        """One call; a 401 (nothing was done) renews the token and calls a second time.

        The App's own credential is renewed where our clock was wrong when it was made.
        """
        token = await self._credential(installation_id)
        answer = await self._send(request, token)
        try:
            return self._judged(answer, installation_id)
        except AuthFailed:
            was_wrong = self._clock.learn(answer.headers.get("date", ""))
            if not installation_id and not was_wrong:
                raise
        renewed = (
            await self._tokens.renew(installation_id, instead_of=token)
            if installation_id
            else await self._credential(0)
        )
        return self._judged(await self._send(request, renewed), installation_id)

    async def _credential(self, installation_id: int) -> str:
        if installation_id:
            return await self._tokens.get(installation_id)
        return self._key.token(now=self._clock())

    async def _mint(self, installation_id: int) -> tuple[str, str]:
        """A new installation token and when it ends. A lost answer leaves nothing behind."""
        path = f"/app/installations/{installation_id}/access_tokens"
        self._governor(0).check()
        request = Request(method="POST", path=path)
        try:
            given = Fields((await self._repeated(request, 0)).json())
        except Refused as error:
            text = f"the App has no access to installation {installation_id}: {error}"
            raise AuthFailed(text) from error
        except Uncertain as error:
            raise Transient(str(error), retry_at=error.retry_at) from error
        token = given.text("token")
        if not token:
            raise Transient(f"POST {path}: the answer has no token")
        mask.learn(token, passing=True)
        return token, given.text("expires_at")

    def _judged(self, answer: Answer, installation_id: int) -> Answer:
        """The answer, if it is a 2xx; else its error, and the governor hears of a limit."""
        governor = self._governor(installation_id)
        error = error_in(answer, now=self.now(), repetition=governor.repetition)
        if error is None:
            governor.answered()
            return answer
        if isinstance(error, RateLimited) and error.retry_at is not None:
            governor.blocked(error.retry_at)
            self.limited.set()
        log.info("call refused", path=answer.path, status=answer.status, error=str(error))
        raise error

    async def _send(self, request: Request, token: str) -> Answer:
        """One exchange within `whole_s`, whatever trickles."""
        kit = self._reads if request.method in SAFE_METHODS else self._writes
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._whole_s):
                answer = await kit.exchange(request, token=token)
        except TimeoutError as error:
            raise lost(request.method, request.path, f"TimeoutError {error}") from error
        ms = round((time.monotonic() - started) * 1000)
        log.debug(
            "GitHub called", method=request.method, path=request.path, status=answer.status, ms=ms
        )
        return answer

    def _governor(self, installation_id: int) -> Governor:
        if installation_id not in self._governors:
            governor = Governor(spacing_s=self._spacing_s, now=self.now)
            self._governors[installation_id] = governor
        return self._governors[installation_id]

    def _own_path(self, url: str) -> str:
        """A page link of GitHub's, below our base: nothing else gets our token."""
        base, link = urlsplit(self.api_url), urlsplit(url)
        if link.netloc != base.netloc or not link.path.startswith(f"{base.path}/"):
            raise Transient(f"the next page is elsewhere: {url[:200]!r}")
        query = f"?{link.query}" if link.query else ""
        return f"{link.path.removeprefix(base.path)}{query}"
