"""The only way out of an external agent's cage: a model, through us.

The agent inside needs no key and no network. It talks to its own loopback; a unix socket leads
here. The gateway adds the key, lets through the paths and models of one provider, takes out what
would make that provider reach the network, counts tokens and money from the provider's own
answers, cuts an answer that goes over the budget while it is still being said, and records
everything.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

import httpx
from opentelemetry.context import get_current

from bot.agents.agent import Limits, Usage
from bot.agents.cage_policy import WayOut
from bot.agents.cage_proxy import listening
from bot.agents.gateway_body import NotAllowed, cleaned, encoded, wants_bill
from bot.agents.gateway_dialects import (
    DIALECTS,
    Json,
    Route,
    Upstream,
    error_body,
    last_event,
    route_of,
)
from bot.agents.gateway_http import MAX_BODY, BadRequest, Conversation, Request
from bot.agents.gateway_meter import Meter, Used, billed, estimated
from bot.agents.gateway_record import Exchange, Record, Tape, storable
from bot.agents.gateway_stream import Answer, Events, EventTooLong, as_json, data_of, tokens_of
from bot.agents.gateway_trouble import Trouble
from bot.agents.spans import Question, question
from bot.log import mask

PORT = 4000  #: on the cage's own loopback
_PASSED_ON = ("accept", "anthropic-version", "anthropic-beta", "openai-beta", "user-agent")
_CONNECT_S = 15.0
_MAX_ERROR = 64 * 1024  #: bytes of a provider's refusal that are read
_STREAM = "text/event-stream"
_JSON = "application/json"


class Gateway:
    """One run's gateway; made by `opened`."""

    def __init__(
        self, upstream: Upstream, limits: Limits, record: Record, client: httpx.AsyncClient
    ) -> None:
        self._upstream = upstream
        self._record = record
        self._client = client
        self._meter = Meter(limits)
        self.span = get_current()  #: the agent's; a connection from the cage knows none
        self.trouble = Trouble()  #: what ends the run from outside: the provider, or the budget

    def usage(self) -> Usage:
        """What all exchanges so far come to."""
        return self._meter.total()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one connection from inside the cage."""
        talk = Conversation(reader, writer)
        try:
            request = await talk.request()
        except BadRequest as problem:
            await talk.whole(400, "text/plain", str(problem).encode())
            return
        if request is None:
            return
        route = route_of(request.method, request.target)
        if route is None or route.dialect not in DIALECTS[self._upstream.family]:
            await talk.whole(404, "text/plain", b"the gateway does not know this path")
            return
        await _Passage(self, talk, request, route).through()


@dataclass(slots=True)
class _Passage:
    """One exchange on its way through `gateway`."""

    gateway: Gateway
    talk: Conversation
    request: Request
    route: Route
    started: float = field(default_factory=time.monotonic)
    model: str = ""
    status: int = 0
    note: str = ""
    used: Used | None = None
    tape: Tape = field(default_factory=Tape)

    async def through(self) -> None:
        """Checks the request, passes it on, counts the answer; records it however it ends."""
        try:
            await self._checked()
        finally:
            self.gateway._record(self._exchange())

    async def _checked(self) -> None:
        gateway, route = self.gateway, self.route
        body = as_json(self.request.body)
        if body is None:
            await self._refuse(400, "the request is not a JSON object")
            return
        self.model = route.model or str(body.get("model", ""))[:200]
        try:
            clean = cleaned(route.dialect, body, route.model, gateway._upstream.models)
        except NotAllowed as problem:
            await self._refuse(403, str(problem))
            return
        if gateway.trouble.error is not None:  # a program goes on asking until it is told
            await self._refuse(503, "this run has ended, for its provider failed")
            return
        meter = gateway._meter
        if over := meter.over() or ("all requests are used" if meter.spent() else ""):
            gateway.trouble.over_limit(over)
            await self._refuse(403, f"the budget of this run is used up: {over}")
            return
        await self._traced(clean, shows_bill=wants_bill(route.dialect, body))

    async def _traced(self, clean: Json, *, shows_bill: bool) -> None:
        if self.route.counts_only:
            await self._counted(clean, shows_bill=shows_bill)
            return
        gateway = self.gateway
        with question(self.model, gateway._upstream.family, below=gateway.span) as asked:
            try:
                await self._counted(clean, shows_bill=shows_bill)
            finally:  # often by being cancelled: a program that has its answer goes
                self._tell(asked)

    def _tell(self, asked: Question) -> None:
        if (used := self.used) is not None:
            asked.used(used.input_tokens, used.output_tokens, used.cost_usd)
        if self.status >= 400:
            asked.failed(str(self.status))
        elif self.note:
            asked.failed("unfinished")

    async def _counted(self, clean: Json, *, shows_bill: bool) -> None:
        meter = self.gateway._meter
        number = meter.begin()
        passing = asyncio.ensure_future(self._passed_on(number, encoded(clean), shows_bill))
        leaving = asyncio.ensure_future(self.talk.gone())
        try:
            await asyncio.wait([passing, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone = not passing.done() or isinstance(passing.exception(), OSError)
            self.note = self.note or ("the agent left before the end" if gone else "")
            passing.cancel()
            leaving.cancel()
            done = await asyncio.gather(passing, leaving, return_exceptions=True)
            meter.end(number, self.used)
        if isinstance(done[0], Exception):
            raise done[0]

    async def _passed_on(self, number: int, body: bytes, shows_bill: bool) -> None:
        gateway, upstream = self.gateway, self.gateway._upstream
        url = upstream.address(self.route.path)
        if self.route.query:
            url = f"{url}?{self.route.query}"
        named = {name: v for name, v in self.request.headers.items() if name in _PASSED_ON}
        headers = {**named, "content-type": _JSON, **upstream.credentials()}
        try:
            async with gateway._client.stream("POST", url, content=body, headers=headers) as far:
                if far.status_code >= 300:
                    await self._provider_refused(far)
                elif far.headers.get("content-type", "").startswith(_STREAM):
                    await self._streamed(far, number, len(body), shows_bill)
                else:
                    await self._in_one_piece(far, number, len(body))
        except (httpx.HTTPError, httpx.StreamError) as problem:
            await self._provider_failed(problem, len(body))

    async def _in_one_piece(self, far: httpx.Response, number: int, asked: int) -> None:
        data = await _read(far, MAX_BODY)
        self.tape.add(data)
        answer = Answer(self.route.dialect)
        if not self.route.counts_only:
            answer.whole(as_json(data) or {})
            answer.said = len(data)
            self.used = self._bill_of(answer, asked)
            self.gateway._meter.so_far(number, self.used)
        self.gateway.trouble.fine()
        await self._answer(far.status_code, _JSON, data)

    async def _streamed(
        self, far: httpx.Response, number: int, asked: int, shows_bill: bool
    ) -> None:
        meter, events, answer = self.gateway._meter, Events(), Answer(self.route.dialect)
        self.used = self._bill_of(answer, asked)
        self.status = far.status_code
        await self.talk.start(far.status_code, _STREAM)
        try:
            async for data in far.aiter_bytes():
                self.tape.add(data)
                shown = self._heard(events.feed(data), answer, shows_bill)
                self.used = self._bill_of(answer, asked)
                meter.so_far(number, self.used)  # before the end is out, for the agent may be quick
                await self.talk.more(shown)
                if over := meter.over():
                    await self._cut(over)
                    return
        except EventTooLong:
            await self._cut("the provider sends an event without an end")
            return
        await self.talk.more(events.rest())
        await self.talk.end()
        self.gateway.trouble.fine()

    def _heard(self, events: Iterable[bytes], answer: Answer, shows_bill: bool) -> bytes:
        """Reads `events`; those that the program is to see."""
        shown = b""
        for event in events:
            said = data_of(event)
            if said is not None:
                answer.event(said)
            if shows_bill or not _only_bill(said):
                shown += event
        return shown

    async def _cut(self, reason: str) -> None:
        """Ends the answer in the middle."""
        self.note = f"cut: {reason}"
        self.gateway.trouble.over_limit(reason)
        await self.talk.more(last_event(self.route.dialect, f"the budget is used up: {reason}"))
        await self.talk.end()

    async def _provider_refused(self, far: httpx.Response) -> None:
        """Its status goes on; its words too, unless they may quote our key."""
        said = await _read(far, _MAX_ERROR)
        self.tape.add(said)
        text = mask(said.decode("utf-8", "replace"))
        self.gateway.trouble.refused(far.status_code, text, far.headers.get("retry-after"))
        if far.status_code in {401, 403}:
            await self._refuse(far.status_code, "the provider refused the gateway's key")
        elif far.status_code < 400:
            await self._refuse(502, "the provider sent us elsewhere, which is not followed")
        else:
            await self._answer(far.status_code, _JSON, text.encode("utf-8", "replace"))

    async def _provider_failed(self, problem: Exception, asked: int) -> None:
        self.note = f"the provider failed: {type(problem).__name__}"
        self.gateway.trouble.failed(self.note)
        if not self.status:
            await self._refuse(503, self.note)
        # in the middle of a stream the connection just ends, unfinished, as the provider's did

    async def _refuse(self, status: int, reason: str) -> None:
        self.note = self.note or reason
        body = encoded(error_body(self.route.dialect, status, f"chimera gateway: {reason}"))
        await self._answer(status, _JSON, body)

    async def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.status = status
        await self.talk.whole(status, content_type, body)

    def _bill_of(self, answer: Answer, asked: int) -> Used:
        """By the provider's word, or an estimate that is never below what it has said so far."""
        family = self.gateway._upstream.family
        guess = estimated(
            family,
            self.model,
            input_tokens=tokens_of(asked),
            output_tokens=tokens_of(answer.said),
        )
        if answer.bill is None:
            return guess
        known = billed(family, self.route.dialect, self.model, answer.bill)
        if known is None or answer.final:
            return known or guess
        return estimated(
            family,
            self.model,
            input_tokens=known.input_tokens,
            output_tokens=max(known.output_tokens, guess.output_tokens),
        )

    def _exchange(self) -> Exchange:
        return Exchange(
            path=self.route.path,
            model=self.model,
            status=self.status,
            request=storable(self.request.body),
            answer=self.tape.text(),
            duration_ms=round((time.monotonic() - self.started) * 1000),
            used=self.used,
            note=self.note,
        )


@contextlib.asynccontextmanager
async def opened(
    upstream: Upstream, limits: Limits, record: Record
) -> AsyncIterator[tuple[Gateway, WayOut]]:
    """A gateway for one run and the way to it, for `Cage.run(network=…)`."""
    mask.learn(upstream.key)
    patience = httpx.Timeout(limits.idle_s, connect=min(_CONNECT_S, limits.idle_s))
    async with httpx.AsyncClient(timeout=patience, follow_redirects=False) as client:
        gateway = Gateway(upstream, limits, record, client)
        async with listening(gateway.serve) as socket:
            yield gateway, WayOut(port=PORT, socket=socket)


async def _read(far: httpx.Response, at_most: int) -> bytes:
    """The beginning of an answer's body."""
    said = bytearray()
    async for data in far.aiter_bytes():
        said += data
        if len(said) > at_most:
            break
    return bytes(said[:at_most])


def _only_bill(said: Json | None) -> bool:
    return said is not None and said.get("choices") == [] and bool(said.get("usage"))
