"""The driver for programs that speak the Agent Client Protocol, against a scripted one."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.agents.acp import AcpAgent, folders_of
from bot.agents.acp_answer import NoAnswer, answer_in
from bot.agents.agent import AgentEvent, Brief, EventKind, Limits, Outcome, Reply, UsageSource
from bot.agents.bill import used_so_far
from bot.agents.gateway_dialects import Family, Upstream
from bot.agents.replies import Review, WrittenCode
from bot.domain import Role
from bot.errors import AuthFailed, ConfigError, RateLimited, StepError, Transient
from tests.agents.conftest import MakeBrief
from tests.agents.modelserver import Fault, ModelServer, Say, Silence, Turn

KEY = "sk-CANARY-93c1-acp"
PROGRAM = Path(__file__).parent / "programs" / "scripted.py"
NOWHERE = "http://127.0.0.1:1/v1"


def upstream(base_url: str = NOWHERE) -> Upstream:
    return Upstream(family=Family.OPENAI, models=("gpt-4o",), key=KEY, base_url=base_url)


def agent(behaviour: str, base_url: str = NOWHERE) -> AcpAgent:
    return AcpAgent(
        command=[sys.executable, str(PROGRAM), behaviour],
        upstream=upstream(base_url),
        shows=[PROGRAM.parent],
    )


@asynccontextmanager
async def thinking(*turns: Turn) -> AsyncIterator[tuple[AcpAgent, ModelServer]]:
    """A program that says what its model says."""
    async with ModelServer(list(turns)).running() as server:
        yield agent("thinks", f"{server.url}/v1"), server


@dataclass
class Run:
    """A run under way, and what it left on this machine."""

    brief: Brief
    events: list[AgentEvent]

    async def of(self, behaviour: str) -> Reply:
        return await agent(behaviour).run(self.brief, self.events.append)

    def kinds(self, kind: EventKind) -> list[AgentEvent]:
        return [event for event in self.events if event.kind is kind]


@pytest.fixture
def run(brief: MakeBrief, events: list[AgentEvent]) -> Run:
    return Run(brief(), events)


async def eventually(path: Path, deadline_s: float = 20) -> None:
    async with asyncio.timeout(deadline_s):
        while not await asyncio.to_thread(path.exists):  # noqa: ASYNC110 - made by a process
            await asyncio.sleep(0.02)


def processes_with(text: str) -> Sequence[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in words and str(os.getpid()) != pid:
            found.append(words)
    return found


async def test_a_program_works_on_the_checkout_and_answers(run: Run, checkout: Path) -> None:
    reply = await run.of("works")
    assert reply.outcome is Outcome.COMPLETED, reply.error
    assert reply.output == WrittenCode(summary="Scripted.")
    assert (checkout / "made.txt").read_text() == "by the agent"
    assert reply.usage.source is UsageSource.GATEWAY
    assert reply.usage.requests == 0
    assert reply.duration_ms > 0
    told = [(event.kind, event.text) for event in run.events]
    assert told[1:4] == [
        (EventKind.TOOL_CALL, "step 1"),
        (EventKind.TOOL_RESULT, "result 1"),
        (EventKind.MESSAGE, 'Done.\n```json\n{"summary": "Scripted."}\n```'),
    ]
    assert run.events[0].kind is EventKind.STARTED
    assert run.events[-1].kind is EventKind.FINISHED


async def test_a_program_that_wants_a_login_is_given_the_one_with_a_key(
    run: Run, checkout: Path
) -> None:
    reply = await run.of("wants-login")
    assert reply.outcome is Outcome.COMPLETED, reply.error
    assert (checkout / "logged-in").exists()


async def test_an_answer_that_does_not_fit_is_asked_for_twice_more(
    run: Run, checkout: Path
) -> None:
    reply = await run.of("third-time")
    assert reply.output == WrittenCode(summary="Scripted.")
    assert "there is no JSON object" in (checkout / "asked-2").read_text()
    assert len(run.kinds(EventKind.WARNING)) == 2


async def test_a_program_that_never_answers_as_asked_has_failed(run: Run, checkout: Path) -> None:
    reply = await run.of("never")
    assert reply.outcome is Outcome.FAILED
    assert "summary: Field required" in reply.error
    assert (checkout / "asks").read_text() == "xxx"


async def test_a_reader_cannot_write_and_is_refused_what_would(
    brief: MakeBrief, checkout: Path, events: list[AgentEvent]
) -> None:
    looking = brief(read_only=True)
    reply = await agent("asks").run(looking, events.append)
    assert reply.output == WrittenCode(summary="n")
    reply = await agent("works").run(looking, events.append)
    assert reply.outcome is Outcome.CRASHED
    assert "Read-only file system" in reply.error
    assert not (checkout / "made.txt").exists()


async def test_permissions_are_given_because_the_cage_is_the_limit(run: Run) -> None:
    reply = await run.of("asks")
    assert reply.output == WrittenCode(summary="y")
    assert [event.text for event in run.kinds(EventKind.PERMISSION)] == ["allowed"]


async def test_our_file_methods_reach_the_checkout_and_nothing_else(
    run: Run, checkout: Path
) -> None:
    reply = await run.of("files")
    assert isinstance(reply.output, WrittenCode), reply.error
    assert reply.output.summary == repr(["one\ntwo\nthree\n", "two\n", True, -32601])
    assert (checkout / "made.txt").read_text() == "one\ntwo\nthree\n"


async def test_a_program_that_ends_too_early_is_quoted(run: Run) -> None:
    reply = await run.of("dies")
    assert reply.outcome is Outcome.CRASHED
    assert "exit code 3" in reply.error
    assert "no licence found" in reply.error


async def test_an_error_of_the_program_is_its_failure(run: Run) -> None:
    reply = await run.of("refuses")
    assert reply.outcome is Outcome.FAILED
    assert "quota exceeded" in reply.error


async def test_noise_on_both_channels_does_no_harm(run: Run) -> None:
    reply = await run.of("noise")
    assert reply.outcome is Outcome.COMPLETED, reply.error


async def test_nonsense_in_every_place_of_the_protocol_is_passed_over(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await run.of("nonsense")
    assert reply.output == WrittenCode(summary="Scripted."), reply.error
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == []


async def test_what_a_program_says_that_it_used_is_told_and_bills_nobody(run: Run) -> None:
    reply = await run.of("works")
    assert [dict(event.data) for event in run.kinds(EventKind.USAGE)] == [
        {"source": "agent", "tokens": "7"}
    ]
    assert reply.usage.requests == used_so_far(run.events).requests == 0


async def test_a_line_of_twenty_megabytes_is_read(run: Run) -> None:
    reply = await run.of("long-line")
    assert reply.outcome is Outcome.COMPLETED, reply.error


async def test_a_line_without_an_end_ends_the_run(run: Run) -> None:
    reply = await run.of("endless-line")
    assert reply.outcome is Outcome.FAILED
    assert "a line of more than" in reply.error


async def test_too_many_tool_calls_end_the_run(brief: MakeBrief) -> None:
    limits = Limits(wall_s=60, tool_calls=20)
    reply = await agent("loops").run(brief(limits=limits), lambda _: None)
    assert reply.outcome is Outcome.LIMIT
    assert reply.error == "more than 20 tool calls"


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (Limits(wall_s=60, idle_s=2), "no sign of life for 2 s"),
        (Limits(wall_s=2, idle_s=60), "no end within 2 s"),
    ],
)
async def test_a_program_that_hangs_is_told_and_then_ended(
    brief: MakeBrief, checkout: Path, limits: Limits, error: str
) -> None:
    reply = await agent("tidy").run(brief(limits=limits), lambda _: None)
    assert reply.outcome is Outcome.TIMEOUT
    assert reply.error == error
    assert (checkout / "tidied").exists()


async def test_a_program_that_ignores_the_end_is_ended_all_the_same(brief: MakeBrief) -> None:
    before = time.monotonic()
    limits = Limits(wall_s=60, idle_s=1)
    reply = await agent("stubborn").run(brief(limits=limits), lambda _: None)
    assert reply.outcome is Outcome.TIMEOUT
    assert time.monotonic() - before < 30
    assert not processes_with("scripted.py\0stubborn")


async def test_cancelling_ends_the_program(run: Run, checkout: Path) -> None:
    working = asyncio.create_task(run.of("tidy"))
    await eventually(checkout / "hanging")
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert (checkout / "tidied").exists()
    assert not processes_with("scripted.py\0tidy")


async def test_the_model_is_reached_through_the_gateway_alone(
    brief: MakeBrief, events: list[AgentEvent]
) -> None:
    async with thinking(Say(text="go on"), Say(text='{"summary": "Thought."}')) as (made, server):
        reply = await made.run(brief(), events.append)
    assert reply.output == WrittenCode(summary="Thought."), reply.error
    assert (reply.usage.requests, reply.usage.input_tokens) == (2, 2000)
    assert reply.usage.source is UsageSource.GATEWAY
    assert reply.usage.cost_usd is not None
    kept = [event.data for event in events if event.tool == "gateway"]
    assert [exchange["status"] for exchange in kept] == [200, 200]
    assert KEY in server.heard[0].headers["authorization"]
    assert KEY not in repr(events) + repr(reply) + repr(made)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=401), AuthFailed),
        (Fault(status=403), AuthFailed),
        (Fault(status=429, headers={"retry-after": "1800"}), RateLimited),
        (Fault(status=503), Transient),
        (Silence(), Transient),
    ],
)
async def test_trouble_of_the_provider_ends_the_run_with_its_cause(
    brief: MakeBrief, fault: Turn, error: type[StepError]
) -> None:
    async with thinking(fault) as (made, _):
        with pytest.raises(error) as raised:
            await made.run(brief(limits=Limits(wall_s=60, idle_s=3)), lambda _: None)
    assert KEY not in str(raised.value)


async def test_a_used_up_budget_ends_the_run_and_the_bill_is_there(brief: MakeBrief) -> None:
    limits = Limits(wall_s=60, tokens=3000)
    async with thinking(Say(text="go on")) as (made, server):
        reply = await made.run(brief(limits=limits), lambda _: None)
    assert reply.outcome is Outcome.LIMIT
    assert "tokens used of 3000" in reply.error
    assert len(server.heard) == 3
    assert reply.usage.input_tokens == 3000


async def test_requests_are_the_turns_of_a_program(brief: MakeBrief) -> None:
    limits = Limits(wall_s=60, turns=2)
    async with thinking(Say(text="go on")) as (made, server):
        reply = await made.run(brief(limits=limits), lambda _: None)
    assert (reply.outcome, reply.error) == (Outcome.LIMIT, "all requests are used")
    assert len(server.heard) == 2


async def test_a_program_sees_no_key_and_nothing_of_the_host(run: Run, checkout: Path) -> None:
    os.environ["CHIMERA_TEST_CANARY"] = canary = "canary-6f1d-environment"
    try:
        reply = await run.of("looks")
    finally:
        del os.environ["CHIMERA_TEST_CANARY"]
    assert reply.outcome is Outcome.COMPLETED, reply.error
    seen = (checkout / "seen.txt").read_text()
    assert "HOME=/run/home" in seen
    for secret in (KEY, canary, str(checkout)):
        assert secret not in seen


async def test_a_program_that_is_not_installed_is_a_matter_of_configuration(
    brief: MakeBrief,
) -> None:
    made = AcpAgent(command=["no-such-agent"], upstream=upstream())
    with pytest.raises(ConfigError, match="no-such-agent: no such program"):
        await made.run(brief(), lambda _: None)


async def test_ten_runs_at_once_leave_nothing_behind(brief: MakeBrief) -> None:
    await agent("works").run(brief(), lambda _: None)
    fds = len(os.listdir("/proc/self/fd"))
    shared, many = brief(), range(10)
    replies = await asyncio.gather(*(agent("works").run(shared, lambda _: None) for _ in many))
    assert [reply.outcome for reply in replies] == [Outcome.COMPLETED] * 10
    assert not processes_with("scripted.py\0works")
    assert len(os.listdir("/proc/self/fd")) <= fds


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ('{"summary": "a"}', "a"),
        ('Words {not json} and {"x": 1}, then\n```json\n{"summary": "b"}\n```\nBye.', "b"),
        ('{"summary": "old"} … {"summary": "new"}', "new"),
        ('{"summary": "kept"} and {"other": 1}', "kept"),
        ('{"summary": "brace } in \\" a {string"}', 'brace } in " a {string'),
        ("{" * 5000 + '```json\n{"summary": "c"}', "c"),
    ],
)
def test_the_last_object_that_fits_is_the_answer(text: str, summary: str) -> None:
    assert answer_in(text, WrittenCode) == WrittenCode(summary=summary)


@pytest.mark.parametrize("text", ["", "no", "{", "[]", '{"summary": 3}', "{" * 100_000])
def test_a_text_without_an_answer_says_what_is_missing(text: str) -> None:
    with pytest.raises(NoAnswer, match=r"no JSON object|summary"):
        answer_in(text, WrittenCode)


def test_an_inner_object_is_not_taken_for_the_answer() -> None:
    review = {"decision": "approve", "summary": "Fine.", "comments": []}
    found = answer_in(f"I looked. {json.dumps(review)}", Review)
    assert isinstance(found, Review)
    assert found.summary == "Fine."


def test_a_lone_program_is_shown_without_what_lies_beside_it(tmp_path: Path) -> None:
    program = tmp_path / "agent"
    program.write_text("#!/bin/sh\n")
    assert folders_of(program)[0] == program


def test_a_program_from_npm_is_shown_with_its_dependencies(tmp_path: Path) -> None:
    entry = tmp_path / "node_modules" / "agent" / "index.js"
    entry.parent.mkdir(parents=True)
    entry.write_text("#!/usr/bin/env no-such-interpreter\n")
    link = tmp_path / "node_modules" / ".bin" / "agent"
    link.parent.mkdir()
    link.symlink_to(entry)
    assert folders_of(link) == [tmp_path]


def test_a_role_that_only_reads_says_so(brief: MakeBrief) -> None:
    assert brief(Role.GUARDIAN).read_only


async def test_what_was_asked_before_the_provider_failed_is_on_the_bill(run: Run) -> None:
    """By the gateway's count, whatever the program would have said of it."""
    async with thinking(Say(text="no JSON in this"), Fault(status=401)) as (program, server):
        with pytest.raises(AuthFailed):
            await program.run(run.brief, run.events.append)
    used = used_so_far(run.events)
    assert len(server.heard) == 2
    assert (used.requests, used.input_tokens, used.output_tokens) == (1, 1000, 100)
    assert used.cost_usd is not None
