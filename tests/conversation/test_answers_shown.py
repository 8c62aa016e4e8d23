"""For how long an answer stands in the status comment: as long as it is true."""

from dataclasses import replace

from bot.domain import Status
from tests.conversation.desk import Desk
from tests.conversation.states import states
from tests.conversation.test_table import base_of


async def test_where_a_task_stood_is_not_told_any_more_once_it_has_gone_on(desk: Desk) -> None:
    sha = await base_of(desk)
    task = await desk.task(await desk.issue(), states(sha)["approval"])
    await desk.comment(task.issue, "/chimera status\n\n/chimera resume\n\n/chimera stauts", "admin")
    await desk.passes(30)
    shown = desk.ours(task.issue)[0]
    assert all(said in shown for said in ("is waiting:", "it waits for an approval", "Did you"))
    await desk.comment(task.issue, "/chimera approve", "maintain")
    await desk.passes(30)
    shown = desk.ours(task.issue)[0]
    assert "is waiting:" not in shown
    assert "it waits for an approval" not in shown
    assert "Did you mean `/chimera status`?" in shown, "it is as true as before"


async def test_at_the_end_there_is_the_end_and_what_is_asked_after_it(desk: Desk) -> None:
    task = await desk.task(await desk.issue())
    await desk.comment(task.issue, "/chimera help")
    await desk.passes(30)
    assert "<summary>Commands</summary>" in desk.ours(task.issue)[0]
    await desk.comment(task.issue, "/chimera cancel")
    await desk.passes(30)
    assert "<summary>Commands</summary>" not in desk.ours(task.issue)[0]
    await desk.comment(task.issue, "/chimera explain")
    await desk.passes(30)
    assert "Journal of E2E test" in desk.ours(task.issue)[0]
    await desk.comment(task.issue, "/chimera retry")
    await desk.passes(30)
    assert "Journal of E2E test" not in desk.ours(task.issue)[0]
    assert "<summary>Commands</summary>" not in desk.ours(task.issue)[0], "nor does it come back"


async def test_whoever_waits_for_a_merge_needs_no_other_approval(desk: Desk) -> None:
    put = states(await base_of(desk))["approval"]
    task = await desk.task(await desk.issue(), put)
    wait = (await desk.now(task)).wait
    assert wait is not None
    await desk.house.queue.change(
        task.id, lambda now: replace(now, wait=replace(wait, key=f"pull:{desk.repository.id}/9999"))
    )
    said = await desk.comment(task.issue, "/chimera approve", "maintain")
    assert [r.content for r in said.reactions] == ["eyes", "confused"]
    await desk.passes(30)
    assert "whoever merges" in desk.ours(task.issue)[0]
    now = await desk.now(task)
    assert (now.status, now.facts.approval) == (Status.WAITING, None)
