"""One exchange of a caged program with its model: checked, passed on, counted and recorded."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import httpx
from opentelemetry.context import Context

from bot.agents.gateway_body import NotAllowed, cleaned, encoded, wants_bill
from bot.agents.gateway_dialects import Json, Route, Upstream, error_body, last_event
from bot.agents.gateway_http import MAX_BODY, Conversation, Request
from bot.agents.gateway_meter import Meter, Used, billed, estimated
from bot.agents.gateway_record import Exchange, Record, Tape, storable
from bot.agents.gateway_stream import Answer, Events, EventTooLong, as_json, data_of, tokens_of
from bot.agents.gateway_trouble import Trouble
from bot.agents.spans import Question, question
from bot.log import mask

_PASSED_ON = ("accept", "anthropic-version", "anthropic-beta", "openai-beta", "user-agent")
_MAX_ERROR = 64 * 1024  #: bytes of a provider's refusal that are read
_STREAM = "text/event-stream"
_JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """What all exchanges of one run share."""

    upstream: Upstream
    client: httpx.AsyncClient
    meter: Meter
    record: Record
    trouble: Trouble
    span: Context  #: the agent's; a connection from the cage knows none


@dataclass(slots=True)
class Passage:
    """One exchange on its way."""

    outlet: Outlet
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
            self.outlet.record(self._exchange())

    async def _checked(self) -> None:
        outlet, route = self.outlet, self.route
        body = as_json(self.request.body)
        if body is None:
            await self._refuse(400, "the request is not a JSON object")
            return
        self.model = route.model or str(body.get("model", ""))[:200]
        try:
            clean = cleaned(route.dialect, body, route.model, outlet.upstream.models)
        except NotAllowed as problem:
            await self._refuse(403, str(problem))
            return
        if outlet.trouble.error is not None:  # a program goes on asking until it is told
            await self._refuse(503, "this run has ended, for its provider failed")
            return
        meter = outlet.meter
        if over := meter.over() or ("all requests are used" if meter.spent() else ""):
            outlet.trouble.over_limit(over)
            await self._refuse(403, f"the budget of this run is used up: {over}")
            return
        await self._traced(clean, shows_bill=wants_bill(route.dialect, body))

    async def _traced(self, clean: Json, *, shows_bill: bool) -> None:
        if self.route.counts_only:
            await self._counted(clean, shows_bill=shows_bill)
            return
        outlet = self.outlet
        with question(self.model, outlet.upstream.family, below=outlet.span) as asked:
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
        meter = self.outlet.meter
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
        upstream = self.outlet.upstream
        url = upstream.address(self.route.path)
        if self.route.query:
            url = f"{url}?{self.route.query}"
        named = {name: v for name, v in self.request.headers.items() if name in _PASSED_ON}
        headers = {**named, "content-type": _JSON, **upstream.credentials()}
        try:
            async with self.outlet.client.stream("POST", url, content=body, headers=headers) as far:
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
            self.outlet.meter.so_far(number, self.used)
        self.outlet.trouble.fine()
        await self._answer(far.status_code, _JSON, data)

    async def _streamed(
        self, far: httpx.Response, number: int, asked: int, shows_bill: bool
    ) -> None:
        meter, events, answer = self.outlet.meter, Events(), Answer(self.route.dialect)
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
        self.outlet.trouble.fine()

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
        self.outlet.trouble.over_limit(reason)
        await self.talk.more(last_event(self.route.dialect, f"the budget is used up: {reason}"))
        await self.talk.end()

    async def _provider_refused(self, far: httpx.Response) -> None:
        """Its status goes on; its words too, unless they may quote our key."""
        said = await _read(far, _MAX_ERROR)
        self.tape.add(said)
        text = mask(said.decode("utf-8", "replace"))
        self.outlet.trouble.refused(far.status_code, text, far.headers.get("retry-after"))
        if far.status_code in {401, 403}:
            await self._refuse(far.status_code, "the provider refused the gateway's key")
        elif far.status_code < 400:
            await self._refuse(502, "the provider sent us elsewhere, which is not followed")
        else:
            await self._answer(far.status_code, _JSON, text.encode("utf-8", "replace"))

    async def _provider_failed(self, problem: Exception, asked: int) -> None:
        self.note = f"the provider failed: {type(problem).__name__}"
        self.outlet.trouble.failed(self.note)
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
        family = self.outlet.upstream.family
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
