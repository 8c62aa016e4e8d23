"""Real coding agents, driven through the gateway without network and without a key.

Each fixes a small repository: it runs the tests, which are red, mends the code and runs them
again. What it thinks comes from a scripted server; what it does is its own.
"""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bot.agents.acp import AcpAgent
from bot.agents.agent import AgentEvent, EventKind, Limits, Outcome, Reply
from bot.agents.cage import Cage
from bot.agents.cage_watch import look_at, pss_of
from bot.agents.gateway_dialects import Family, Upstream
from bot.agents.replies import WrittenCode
from bot.errors import AuthFailed
from tests.agents.conftest import MakeBrief
from tests.agents.modelserver import Fault, ModelServer, Say, Shell, Turn
from tests.agents.programs.catalogue import CODEX, OTHERS, NotMeasured, Program, required

KEY = "sk-CANARY-93c1-program"
ANSWER = 'The greeting is mended.\n```json\n{"summary": "greet says Hello again."}\n```'
TEST = f"{sys.executable} -m pytest -q -p no:cacheprovider test_greet.py"
NETWORK = (
    f"{sys.executable} -c \"import socket; socket.create_connection(('1.1.1.1', 53), 2)\" "
    "2>/dev/null && echo NET-OPEN || echo NET-SHUT"
)
FIX: list[Turn] = [
    Shell(command=f"{TEST}; {NETWORK}"),
    Shell(command="sed -i 's/Goodbye/Hello/' greet.py"),
    Shell(command=TEST),
    Say(text=ANSWER),
]

Measure = Callable[[str, object], None]


@dataclass
class Memory:
    """The most that our children used at once, shared pages counted once."""

    most: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Memory":
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            tree = look_at(os.getpid(), at_most=4096)
            self.most = max(self.most, pss_of(tree.pids[1:]))


def made(program: Program, server: ModelServer) -> AcpAgent:
    """The agent, or the end of the test: not measured, and said so."""
    try:
        command = program.command()
    except NotMeasured as problem:
        if required() and program is CODEX:
            pytest.fail(f"not measured: {problem}")
        pytest.skip(f"not measured: {problem}")
    base = server.url + ("/v1" if program.family is Family.OPENAI else "")
    upstream = Upstream(family=program.family, models=(program.model,), key=KEY, base_url=base)
    return AcpAgent(command=command, upstream=upstream)


async def fixes_a_repository(
    program: Program,
    brief: MakeBrief,
    checkout: Path,
    events: list[AgentEvent],
    record_property: Measure,
) -> None:
    mended = (checkout / "greet.py").read_text()
    (checkout / "greet.py").write_text(mended.replace("Hello", "Goodbye"))
    work = replace(brief(limits=Limits(wall_s=170, idle_s=90)), protect=("test_greet.py",))
    async with ModelServer(FIX).running() as server:
        with Memory() as memory:
            reply = await made(program, server).run(work, events.append)
    assert reply.outcome is Outcome.COMPLETED, f"{reply.error}\n{events[-5:]}"
    assert reply.output == WrittenCode(summary="greet says Hello again.")
    ran = await (await Cage.open()).run(TEST, workspace=checkout, writable=False)
    assert ran.exit_code == 0, ran.text
    assert (checkout / "greet.py").read_text() == mended
    heard = json.dumps([request.body for request in server.heard])
    assert "1 failed" in heard
    assert "1 passed" in heard
    assert "NET-SHUT" in heard
    assert "NET-OPEN" not in heard.replace("echo NET-OPEN", "")
    assert KEY not in heard + repr(events) + repr(reply)
    assert all(KEY in json.dumps(dict(request.headers)) for request in server.heard)
    assert reply.usage.requests == len(server.heard)
    assert reply.usage.input_tokens == 1000 * len(server.heard)
    record_property("measured", measured(program, reply, events, memory.most))


def measured(program: Program, reply: Reply, events: list[AgentEvent], memory: int) -> str:
    first = next(event.at_ms for event in events if event.tool == "gateway")
    said = [e.data for e in events if e.kind is EventKind.USAGE and e.data.get("source") == "agent"]
    own = [str(d.get("tokens")) for d in said]
    counted = reply.usage.input_tokens + reply.usage.output_tokens
    return (
        f"{program.name} {program.version}: first request after {first / 1000:.1f} s, "
        f"whole run {reply.duration_ms / 1000:.1f} s, {memory >> 20} MiB, "
        f"{reply.usage.requests} requests, {counted} tokens by the gateway, "
        f"by its own word {own[-1] if own else 'none'}"
    )


async def ends_with_the_providers_trouble(program: Program, brief: MakeBrief) -> None:
    work = brief(limits=Limits(wall_s=120, idle_s=60))
    async with ModelServer([Fault(status=401)]).running() as server:
        agent = made(program, server)
        async with asyncio.timeout(100):
            with pytest.raises(AuthFailed):
                await agent.run(work, lambda _: None)


@pytest.mark.slow
async def test_codex_fixes_a_repository(
    brief: MakeBrief, checkout: Path, events: list[AgentEvent], record_property: Measure
) -> None:
    await fixes_a_repository(CODEX, brief, checkout, events, record_property)


@pytest.mark.slow
async def test_a_key_that_codex_is_refused_with_ends_its_run(brief: MakeBrief) -> None:
    await ends_with_the_providers_trouble(CODEX, brief)


@pytest.mark.programs
@pytest.mark.parametrize("program", OTHERS, ids=lambda program: program.name)
async def test_a_program_fixes_a_repository(
    program: Program,
    brief: MakeBrief,
    checkout: Path,
    events: list[AgentEvent],
    record_property: Measure,
) -> None:
    await fixes_a_repository(program, brief, checkout, events, record_property)


@pytest.mark.programs
@pytest.mark.parametrize("program", OTHERS, ids=lambda program: program.name)
async def test_a_refused_key_ends_a_programs_run(program: Program, brief: MakeBrief) -> None:
    await ends_with_the_providers_trouble(program, brief)
