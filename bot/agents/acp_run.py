"""One run of an ACP program: caged, talked with, watched, and ended.

Whatever ends a run, the program is told so first (`session/cancel`), then asked to end (SIGTERM),
and then the cage takes down what is left of it.
"""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from acp.connection import Connection
from acp.exceptions import RequestError
from pydantic import BaseModel

from bot.agents.acp_answer import MAX_REASKS, NoAnswer, answer_in, order, reask
from bot.agents.acp_client import Client
from bot.agents.acp_door import Door
from bot.agents.acp_end import Over, Parts, judged
from bot.agents.acp_environment import HOME, environment
from bot.agents.acp_line import MAX_LINE, Line
from bot.agents.agent import Brief, Emit, EventKind, Outcome, Reply, Usage, UsageSource
from bot.agents.cage_policy import PARTS, Bind, WayOut
from bot.agents.cage_proxy import listening
from bot.agents.cage_run import Ran, settled
from bot.agents.gateway import Gateway, opened
from bot.agents.gateway_dialects import Upstream
from bot.agents.gateway_meter import Used
from bot.agents.gateway_record import Exchange, Record

PROTOCOL = 1
_TALK = Path(__file__).parent / "inside" / "talk.py"
_GRACE_S = 10.0  #: beyond the wall time, for the polite end; then the cage's own limit
_CANCEL_S = 2.0  #: for a program to stop its turn
_TERM_S = 3.0  #: for a program to end after SIGTERM
_LOOK_EVERY_S = 0.1
_AUTH_REQUIRED = -32000  #: the protocol's error code


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is started in the cage."""

    argv: tuple[str, ...]
    folders: tuple[Path, ...]  #: shown read-only at their own paths
    env: Mapping[str, str]


async def converse(program: Program, upstream: Upstream, brief: Brief, emit: Emit) -> Reply:
    """Runs `brief` to its end. Raises StepError for trouble with the provider or the cage."""
    client = Client(brief, emit)
    client.tell(EventKind.STARTED, " ".join(program.argv))
    async with AsyncExitStack() as stack:
        record = _teller(client)
        gateway, way = await stack.enter_async_context(opened(upstream, brief.limits, record))
        reply = await _Run(program, brief, client, gateway).reply(way, upstream, stack)
    client.tell(EventKind.FINISHED, reply.error or reply.outcome)
    return replace(reply, usage=gateway.usage(), duration_ms=client.duration_ms)


class _Run:
    """A program in its cage and the line to it."""

    def __init__(self, program: Program, brief: Brief, client: Client, gateway: Gateway) -> None:
        self._program = program
        self._brief = brief
        self._client = client
        self._gateway = gateway
        self._door = Door()
        self._line: Line | None = None
        self._wire: Connection | None = None
        self._session = ""

    async def reply(self, way: WayOut, upstream: Upstream, stack: AsyncExitStack) -> Reply:
        """Raises StepError."""
        door = self._door
        socket = await stack.enter_async_context(listening(door.serve, limit=MAX_LINE))
        caged = asyncio.create_task(self._caged(socket, way, upstream))
        work = asyncio.create_task(self._work())
        watch = asyncio.create_task(self._watch())
        trouble = asyncio.create_task(self._gateway.trouble.wait())
        jobs = (caged, work, watch, trouble)
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            if work.done() and isinstance(work.exception(), OSError):  # the line is dead
                await asyncio.wait([caged], timeout=_TERM_S)  # and so is the program, very likely
            broken = self._line.broken if self._line is not None else ""
            parts = Parts(caged=caged, work=work, watch=watch)
            reply = judged(parts, self._gateway.trouble, broken)
        finally:
            ending = asyncio.create_task(self._end(caged, work))
            asked = await settled(ending)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            if asked is not None:
                raise asked
        return reply

    async def _caged(self, socket: Path, way: WayOut, upstream: Upstream) -> Ran:
        brief, bare = self._brief, self._brief.cage.program is None
        script, line = (str(_TALK), str(socket)) if bare else (f"{PARTS}/talk.py", f"{PARTS}/line")
        home = f"{socket.parent}/home" if bare else HOME
        wall_s = brief.limits.wall_s + _GRACE_S
        return await brief.cage.run(
            [sys.executable, "-I", "-S", script, line, home, "--", *self._program.argv],
            workspace=brief.workspace,
            writable=not brief.read_only,
            read_only=brief.protect,
            env={
                **environment(upstream.family, upstream.models[0]),
                **brief.env,
                **self._program.env,
            },
            limits=brief.limits.for_cage(wall_s=wall_s),
            binds=[
                Bind(host=_TALK, inside=f"{PARTS}/talk.py"),
                Bind(host=socket, inside=f"{PARTS}/line"),
                *(Bind(host=path, inside=str(path)) for path in self._program.folders),
            ],
            network=[way, *brief.network],
        )

    async def _work(self) -> BaseModel:
        """From the first word to a usable answer. Raises NoAnswer, RequestError, OSError."""
        self._line = Line(*await self._door.line)
        self._wire = Connection(self._client.handle, self._line)
        brief = self._brief
        await self._open_session()
        words = "\n\n".join([brief.instructions, brief.prompt, order(brief.reply_type)])
        for reasks in range(MAX_REASKS + 1):
            text = await self._prompt(words)
            try:
                return answer_in(text, brief.reply_type)
            except NoAnswer as problem:
                if reasks == MAX_REASKS:
                    raise
                self._client.tell(EventKind.WARNING, f"no usable answer: {problem}")
                words = reask(problem, brief.reply_type)
        raise AssertionError("the loop returns or raises")

    async def _open_session(self) -> None:
        capabilities = {"fs": {"readTextFile": True, "writeTextFile": True}, "terminal": False}
        about = await self._ask(
            "initialize",
            protocolVersion=PROTOCOL,
            clientCapabilities=capabilities,
            clientInfo={"name": "chimera", "version": "1"},
        )
        place = {"cwd": self._brief.cage.inside(self._brief.workspace), "mcpServers": []}
        try:
            opened = await self._ask("session/new", **place)
        except RequestError as problem:
            method = _login(about.get("authMethods"))
            if problem.code != _AUTH_REQUIRED or method is None:
                raise
            await self._ask("authenticate", methodId=method)
            opened = await self._ask("session/new", **place)
        self._session = str(opened.get("sessionId", ""))

    async def _prompt(self, words: str) -> str:
        """One turn of the agent; what it said in it."""
        self._client.turn_begins()
        ended = await self._ask(
            "session/prompt", sessionId=self._session, prompt=[{"type": "text", "text": words}]
        )
        text = self._client.turn_ends()
        if isinstance(used := ended.get("usage"), dict):
            self._client.own_count(used.get("totalTokens"))
        if ended.get("stopReason") == "refusal":
            raise NoAnswer("the model refused")
        return text

    async def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        assert self._wire is not None
        found = await self._wire.send_request(method, params)
        self._client.alive()
        return found if isinstance(found, dict) else {}

    async def _watch(self) -> Over:
        """Returns when a limit is reached that neither the cage nor the gateway watches."""
        limits, client = self._brief.limits, self._client
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if client.tool_calls > limits.tool_calls:
                return Over(
                    outcome=Outcome.LIMIT, error=f"more than {limits.tool_calls} tool calls"
                )
            if client.duration_ms > limits.wall_s * 1000:
                return Over(outcome=Outcome.TIMEOUT, error=f"no end within {limits.wall_s:g} s")
            if client.silent_s() > limits.idle_s:
                return Over(
                    outcome=Outcome.TIMEOUT, error=f"no sign of life for {limits.idle_s:g} s"
                )

    async def _end(self, caged: "asyncio.Task[Ran]", work: "asyncio.Task[BaseModel]") -> None:
        """Politely, then not."""
        if not work.done() and self._session and self._wire is not None:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CANCEL_S):
                    await self._wire.send_notification(
                        "session/cancel", {"sessionId": self._session}
                    )
                    await asyncio.wait([work, caged], return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        if self._wire is not None:
            await self._wire.close()
        self._door.let_go()
        await asyncio.wait([caged], timeout=_TERM_S)
        caged.cancel()


def _login(methods: object) -> str | None:
    """The way to log in with a key from the environment, which the gateway then ignores."""
    known = methods if isinstance(methods, list) else []
    names = [str(method.get("id", "")) for method in known if isinstance(method, dict)]
    keyed = [name for name in names if "api" in name or name in {"openai", "anthropic"}]
    return next(iter([*keyed, *names]), None)


def _teller(client: Client) -> Record:
    """Every exchange with the provider is a line of the transcript."""

    def record(exchange: Exchange) -> None:
        client.alive()
        told = asdict(exchange)
        del told["used"]
        used = _billed(exchange.used) if exchange.used is not None else None
        client.tell(EventKind.USAGE, exchange.note, "gateway", used, **told)

    return record


def _billed(used: Used) -> Usage:
    return Usage(
        requests=1,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost_usd=used.cost_usd,
        source=UsageSource.GATEWAY,
    )
