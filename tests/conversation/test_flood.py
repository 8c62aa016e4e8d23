"""A flood of commands, or of labels, does not use up what an installation may say in an hour."""

from dataclasses import replace

from bot.domain import Status, Task, Wait, WaitFor
from bot.github.governor import CREATIONS_A_MINUTE
from bot.workflow.patience import COMMANDS, HOUR_S
from tests.conversation.desk import CREATE, START, Desk

REACT = "POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions"
MORE = 5
FLOOD = 40  #: issues in a minute


async def test_a_flood_of_commands_by_a_stranger_is_answered_for_a_while_and_then_ignored(
    desk: Desk,
) -> None:
    issue = await desk.issue()
    for _ in range(COMMANDS + MORE):
        await desk.comment(issue, "/chimera start", "read")
    assert desk.count(REACT) == 2 * COMMANDS
    assert await desk.latest(issue) is None
    await desk.comment(issue, "/chimera help", "triage")
    assert desk.count(REACT) == 2 * COMMANDS + 2, "nobody else is held back"
    await desk.passes(HOUR_S)
    heard = await desk.comment(issue, "/chimera help", "read")
    assert {one.content for one in heard.reactions} == {"eyes", "rocket"}


async def test_whoever_has_a_role_is_always_heard(desk: Desk) -> None:
    issue = await desk.issue()
    for _ in range(COMMANDS + MORE):
        await desk.comment(issue, "/chimera help", "triage")
    assert desk.count(REACT) == 2 * (COMMANDS + MORE)


async def test_news_of_tasks_that_begin_later_leave_room_to_the_others_work(desk: Desk) -> None:
    flood = [await desk.task(await desk.issue(), begins_later) for _ in range(FLOOD)]
    assert 0 < desk.count(CREATE) <= CREATIONS_A_MINUTE / 4, "each has its reaction besides"
    work = await desk.issue()
    await desk.task(work)
    assert await desk.latest(work) is not None, "whoever begins now is told now"
    await desk.passes(600)
    assert [one.issue for one in flood if await desk.latest(one.issue) is None] == []


def begins_later(task: Task) -> Task:
    wait = Wait(on=WaitFor.RATE_LIMIT, reason="others are before this one", until=START + HOUR_S)
    return replace(task, status=Status.WAITING, wait=wait)
