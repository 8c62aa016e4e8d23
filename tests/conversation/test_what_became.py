"""The list of deliveries says of each what became of it, and names the task that it moved."""

from bot.domain import Phase, Status
from tests.conversation.desk import Desk
from tests.conversation.states import states
from tests.conversation.test_on_the_pull_request import with_pull
from tests.conversation.test_other_doors import button, in_state, opened, press
from tests.conversation.test_table import base_of


async def became(desk: Desk) -> list[str]:
    """The notes of what was delivered last, the newest first."""
    return [row.note for row in await desk.house.queue.deliveries()]


async def test_a_button_is_noted_with_its_task_and_who_pressed_it(desk: Desk) -> None:
    task = await desk.task(await desk.issue(), states(await base_of(desk))["approval"])
    await desk.passes(30)
    button(desk, "approve")
    await press(desk, "approve", "maintain")
    assert f"task {task.id}: approve by maintain-only, done" in await became(desk)


async def test_a_comment_is_noted_with_what_became_of_each_command(desk: Desk) -> None:
    task = await desk.task(await desk.issue(), states(await base_of(desk))["running"])
    await desk.comment(task.issue, "/chimera priority 7\n\n/chimera resume\n\n/chimera strat")
    [said] = [note for note in await became(desk) if "priority" in note]
    assert said == (
        f"task {task.id}: priority by ada, done; resume by ada, not possible; "
        "unknown command by ada, not possible"
    )


async def test_a_command_of_somebody_without_the_role_is_noted_as_not_permitted(desk: Desk) -> None:
    task = await desk.task(await desk.issue(), states(await base_of(desk))["running"])
    await desk.comment(task.issue, "/chimera cancel", "read")
    assert f"task {task.id}: cancel by read-only, not permitted" in await became(desk)


async def test_words_that_are_no_command_ask_for_nothing(desk: Desk) -> None:
    issue = await desk.issue()
    await desk.comment(issue, "A fine idea.")
    assert set(await became(desk)) == {"nothing to do"}


async def test_a_review_without_a_command_is_noted_with_the_task_that_it_sends_back(
    desk: Desk,
) -> None:
    sha = await opened(desk, "mine", {"a.txt": "a\n"})
    task = await in_state(desk, "approval")
    number = await with_pull(desk, task, sha)
    await desk.person("write").review(desk.repository, number, "REQUEST_CHANGES", "Once more.")
    await desk.read()
    assert (await desk.now(task)).phase is Phase.CODE_IMPLEMENTATION
    assert f"task {task.id}" in await became(desk)


async def test_an_issue_that_is_closed_is_noted_as_the_end_of_its_task(desk: Desk) -> None:
    task = await desk.task(await desk.issue(), states(await base_of(desk))["approval"])
    await desk.owner.close(desk.repository, task.issue)
    await desk.read()
    assert (await desk.now(task)).status is Status.CANCELLED
    assert f"task {task.id} cancelled" in await became(desk)
