"""What agents did and what it cost, over the API and on pages."""

from dataclasses import replace

import httpx

from bot.agents.agent import AgentEvent, EventKind, Outcome, Reply, Usage
from bot.domain import Cursor, JournalLine, Phase, Role, Status, Task
from bot.domain import Outcome as Verdict
from bot.facts import Spend
from bot.workflow.transcripts import KEPT_DAYS, AgentRun, packed, stored_name
from tests.web.house import OTHER, START, House

XSS = "<script>alert(1)</script>"
USED = Usage(requests=1, input_tokens=1000, output_tokens=50, cost_usd=0.25)


async def kept(house: House, task: Task, which: str = "1") -> None:
    said = {"exit_code": 3}
    events = [
        AgentEvent(at_ms=10, kind=EventKind.TOOL_CALL, tool="run_command", text=XSS),
        AgentEvent(at_ms=20, kind=EventKind.TOOL_RESULT, tool="run_command", text=XSS, data=said),
        AgentEvent(at_ms=30, kind=EventKind.USAGE, used=USED),
    ]
    run = AgentRun(
        run_id=f"{task.id}/CODE_IMPLEMENTATION/{which}",
        role=Role.CODER,
        agent=f"llm ({XSS})",
        events=events,
        reply=Reply(outcome=Outcome.FAILED, error=XSS, usage=USED, duration_ms=1500),
    )
    name = stored_name(run.run_id, 1)
    await house.lasting.save_transcript(task.id, name, run.role.value, packed(run))


def step(task: Task, phase: Phase, spend: Spend, seconds: float = 2.0) -> JournalLine:
    return JournalLine(
        task_id=task.id,
        n=0,
        phase=phase,
        cursor=Cursor(phase=phase),
        outcome=Verdict.PASS,
        summary="done",
        started_at=START,
        seconds=seconds,
        spend=spend,
    )


async def test_runs_are_listed_and_one_is_shown_with_exit_codes_and_cost(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    path = f"/api/tasks/{task.id}/transcripts"
    assert (await client.get(path)).json() == {"task_id": task.id, "runs": []}
    await kept(house, task)
    [run] = (await client.get(path)).json()["runs"]
    assert (run["n"], run["role"], run["which"], run["tool_calls"]) == (1, "coder", "1", 1)
    assert (run["cost_usd"], run["tokens"]) == (0.25, {"input": 1000, "output": 50})
    shown = (await client.get(f"{path}/1")).json()
    assert [line["exit_code"] for line in shown["lines"]] == [None, 3, None]
    assert shown["lines"][2]["cost_usd"] == 0.25
    for missing in ("2", "0", "x", "01"):
        assert (await client.get(f"{path}/{missing}")).status_code == 404


async def test_pages_show_runs_and_nothing_that_was_said_becomes_markup(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    await kept(house, task)
    overview = (await client.get(f"/tasks/{task.id}")).text
    assert f'href="/tasks/{task.id}/runs/1"' in overview
    page = (await client.get(f"/tasks/{task.id}/runs/1")).text
    assert "exit code 3" in page
    assert "&lt;script&gt;" in page
    assert XSS not in overview + page


async def test_who_may_not_see_the_task_sees_none_of_its_runs(house: House) -> None:
    token = await house.tokens.create("other", scopes=("read",), repos=(OTHER.id,))
    task = await house.add(issue=1)
    await kept(house, task)
    async with house.client() as client:
        for path in (f"/api/tasks/{task.id}/transcripts/1", f"/tasks/{task.id}/runs/1"):
            answer = await client.get(path, headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == 404


async def test_transcripts_are_forgotten_after_the_stated_time(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    await kept(house, task)
    house.clock.at += KEPT_DAYS * 86_400 - 1
    await house.queue.purge()
    assert (await client.get(f"/api/tasks/{task.id}/transcripts/1")).status_code == 200
    house.clock.at += 2
    await house.queue.purge()
    assert (await client.get(f"/api/tasks/{task.id}/transcripts/1")).status_code == 404


async def test_a_task_says_what_each_phase_has_cost(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    paid = Spend(requests=2, input_tokens=1000, output_tokens=50, cost_usd=0.25)
    for spend in (paid, replace(paid, cost_usd=None)):
        line = step(task, Phase.CODE_IMPLEMENTATION, spend)
        await house.queue.change(task.id, lambda t: t, line=line)
    idle = step(task, Phase.E2E_VALIDATION, Spend())
    await house.queue.change(task.id, lambda t: t, line=idle)
    await house.put(task, status=Status.WAITING)
    code, validation = (await client.get(f"/api/tasks/{task.id}")).json()["phases"]
    assert code == {
        "phase": "CODE_IMPLEMENTATION",
        "steps": 2,
        "seconds": 4.0,
        "requests": 4,
        "tokens": {"input": 2000, "output": 100},
        "cost_usd": 0.25,
        "cost_complete": False,
    }
    assert (validation["requests"], validation["cost_usd"]) == (0, None)
    page = (await client.get(f"/tasks/{task.id}")).text
    assert "at least $0.25" in page
    assert "2,100" in page
