"""`/health`, `/livez`, `/readyz`: for people, for the process's keeper, for the load balancer."""

import asyncio
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.errors import StoreError
from bot.web.parts import PROXY_FIX, SECRET_FIX, HealthPart, WebParts
from bot.web.problem import json_response

STORE_DEADLINE_S = 2.0
STORE_SEEN_S = 1.0  #: that one look at the store is good for; a look costs a wait for the disk
LOOKED = "health"  #: what a look writes over and over
PARTS_DEADLINE_S = 5.0


class Health:
    """Answers without asking who is there; nothing in the answers is secret."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts
        self._seen: tuple[float, HealthPart] | None = None

    async def health(self, _request: Request) -> Response:
        """Every part with what to do. 503 where the store fails: then nothing is accepted."""
        parts = await self.parts()
        store = parts[0]
        document = {
            "status": "ok" if all(part.ok for part in parts) else "degraded",
            "ready": self._parts.ready() and not self._parts.draining() and store.ok,
            "parts": [
                {"name": part.name, "ok": part.ok, "detail": part.detail, "fix": part.fix}
                for part in parts
            ],
        }
        return json_response(document, 200 if store.ok else 503)

    async def parts(self) -> list[HealthPart]:
        """All that this server needs, the store first."""
        return [await self._store(), *await self._others(), self._webhook(), *self._proxy()]

    async def livez(self, _request: Request) -> Response:
        """The event loop turns."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        """503 while starting or shutting down, and where no delivery could be stored."""
        if self._parts.draining():
            return PlainTextResponse("draining\n", 503)
        if not self._parts.ready():
            return PlainTextResponse("starting\n", 503)
        if not (await self._store()).ok:
            return PlainTextResponse("the store cannot be written\n", 503)
        return PlainTextResponse("ready\n")

    async def _store(self) -> HealthPart:
        """Whether it can be read and written, by doing both; not more than once a second."""
        if self._seen is None or self._parts.now() - self._seen[0] >= STORE_SEEN_S:
            self._seen = self._parts.now(), await self._look()
        return self._seen[1]

    async def _look(self) -> HealthPart:
        try:
            async with asyncio.timeout(STORE_DEADLINE_S):
                await self._parts.queue.counts()
                await self._parts.lasting.put(LOOKED, "")
        except (StoreError, TimeoutError) as error:
            detail = str(error) or f"no answer within {STORE_DEADLINE_S:g} s"
            fix = "Check its disk, or that PostgreSQL answers, then `chimera db check`."
            return HealthPart(name="store", ok=False, detail=detail, fix=fix)
        return HealthPart(name="store", ok=True, detail="answers")

    def _webhook(self) -> HealthPart:
        if not self._parts.settings.webhook_secrets:
            detail = "no webhook secret: every delivery is refused"
            return HealthPart(name="webhook", ok=False, detail=detail, fix=SECRET_FIX)
        return HealthPart(name="webhook", ok=True, detail="signatures are checked")

    def _proxy(self) -> Iterator[HealthPart]:
        header = self._parts.settings.proxy_header
        if header and self._parts.people is None:
            detail = f"the header {header} is not believed, for no App is connected"
            yield HealthPart(name="sign-in", ok=False, detail=detail, fix=PROXY_FIX)

    async def _others(self) -> list[HealthPart]:
        try:
            async with asyncio.timeout(PARTS_DEADLINE_S):
                return list(await self._parts.health())
        except TimeoutError:
            detail = f"no answer within {PARTS_DEADLINE_S:g} s"
            return [HealthPart(name="parts", ok=False, detail=detail, fix="Look at the log.")]
