"""What the checks of a commit show after their moment has passed."""

from dataclasses import replace

from bot.domain import Cause, Outcome, Phase
from bot.tasks.base import note
from tests.conversation.desk import Desk
from tests.conversation.states import states
from tests.conversation.test_other_doors import button, press
from tests.conversation.test_table import base_of


def shown(desk: Desk, sha: str) -> dict[str, tuple[str | None, list[str]]]:
    """Conclusion and buttons of our checks on a commit, by name."""
    return {
        check.name: (check.conclusion, [action["identifier"] for action in check.actions])
        for check in desk.repository.checks.values()
        if check.head_sha == sha
    }


async def test_the_buttons_of_an_approval_go_with_it(desk: Desk) -> None:
    sha = await base_of(desk)
    task = await desk.task(await desk.issue(), states(sha)["approval"])
    await desk.passes(30)
    button(desk, "approve")
    await desk.comment(task.issue, "/chimera approve", "maintain")
    await desk.house.queue.change(task.id, states(sha)["completed"])
    await desk.passes(30)
    assert {found for _, found in shown(desk, sha).values() if found} == set()


async def test_a_person_who_cancels_is_no_failure_in_any_check(desk: Desk) -> None:
    sha = await base_of(desk)
    task = await desk.task(await desk.issue(), states(sha)["approval"])
    await desk.passes(30)
    await desk.comment(task.issue, "/chimera cancel")
    await desk.passes(30)
    assert shown(desk, sha)["chimera / production"] == ("cancelled", [])


async def test_a_rejection_says_who_and_why_in_comment_journal_and_check(desk: Desk) -> None:
    sha = await base_of(desk)
    task = await desk.task(await desk.issue(), states(sha)["approval"])
    await desk.comment(task.issue, "/chimera reject not on a Friday", "maintain")
    await desk.passes(30)
    [line] = await desk.house.queue.journal(task.id)
    said = "Rejected by maintain-only: not on a Friday"
    assert (line.by, line.cause, line.summary) == ("maintain-only", Cause.PERSON, said)
    text = desk.ours(task.issue)[0]
    assert f"**Why:** {said}" in text
    assert "`/chimera retry` to go on from the same phase" in text
    assert shown(desk, sha)["chimera / production"] == ("failure", ["retry", "hand-over"])
    await press(desk, "retry", "write")
    assert (await desk.now(task)).phase is Phase.PRODUCTION_DEPLOYMENT


async def test_on_a_commit_that_is_not_the_head_any_more_nothing_can_be_pressed(desk: Desk) -> None:
    old = await base_of(desk)
    task = await desk.task(await desk.issue(), states(old)["running"])
    sent_back = note(
        replace(await desk.now(task), cursor=replace(task.cursor, phase=Phase.GUARDIAN_REVIEW)),
        Outcome.BACK, "Changes requested: 1 to mend", desk.clock(), cause=Cause.REVIEW,
    )  # fmt: skip
    await desk.house.queue.change(
        task.id, lambda now: replace(now, facts=replace(now.facts, pull=9999)), line=sent_back
    )
    await desk.passes(30)
    assert shown(desk, old)["chimera / guardian"] == ("failure", ["hand-over"])
    new = await desk.owner.push(desk.repository, "other", {"a.txt": "a\n"}, "More")
    await desk.house.queue.change(
        task.id, lambda now: replace(now, facts=replace(now.facts, head_sha=new))
    )
    await desk.passes(30)
    assert shown(desk, old) == {
        "chimera / task": ("neutral", []),
        "chimera / guardian": ("failure", []),
    }, "what was found stays"
