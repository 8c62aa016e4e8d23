"""What people do on the task's own pull request: review it, approve it, close it."""

from dataclasses import replace

import pytest

from bot.domain import Phase, Status, Task, Wait, WaitFor
from tests.conversation.desk import Desk
from tests.conversation.test_other_doors import in_state, opened


async def with_pull(desk: Desk, task: Task, sha: str) -> int:
    """The one pull request that there is becomes the task's."""
    number = next(n for n, i in desk.repository.issues.items() if i.pull is not None)
    await desk.house.queue.change(
        task.id, lambda now: replace(now, facts=replace(now.facts, pull=number, head_sha=sha))
    )
    return number


async def test_a_review_may_hold_a_command_and_remarks_and_both_count(desk: Desk) -> None:
    sha = await opened(desk, "mine", {"a.txt": "a\n"})
    task = await in_state(desk, "approval")
    number = await with_pull(desk, task, sha)
    remark = {"path": "a.txt", "line": 1, "side": "RIGHT", "body": "Say b, too."}
    words = "Nearly.\n\n/chimera priority 8"
    reviewer = desk.person("write")
    await reviewer.review(desk.repository, number, "REQUEST_CHANGES", words, [remark])
    await desk.read()
    pull = desk.repository.issues[number].pull
    assert pull is not None
    assert [given.content for given in pull.reviews[-1].reactions] == ["eyes", "rocket"]
    now = await desk.now(task)
    assert (now.priority, now.phase) == (8, Phase.CODE_IMPLEMENTATION)
    assert [thread.body for thread in now.facts.threads] == ["Say b, too."]


@pytest.mark.parametrize(
    ("words", "approved", "receipt"),
    [
        ("Fine.", True, []),
        ("Fine.\n\n/chimera priority 8", True, ["eyes", "rocket"]),
        ("Not yet.\n\n/chimera reject it is Friday", False, ["eyes", "rocket"]),
    ],
)
async def test_an_approving_review_approves_unless_its_words_decide_otherwise(
    desk: Desk, words: str, approved: bool, receipt: list[str]
) -> None:
    sha = await opened(desk, "mine", {"a.txt": "a\n"})
    task = await in_state(desk, "approval")
    number = await with_pull(desk, task, sha)
    await desk.person("maintain").review(desk.repository, number, "APPROVE", words)
    await desk.read()
    pull = desk.repository.issues[number].pull
    assert pull is not None
    assert [given.content for given in pull.reviews[-1].reactions] == receipt
    now = await desk.now(task)
    assert (now.facts.approval is not None) == approved
    assert now.status is (Status.QUEUED if approved else Status.FAILED)


async def test_an_approving_review_says_nothing_where_the_merge_is_the_approval(desk: Desk) -> None:
    sha = await opened(desk, "mine", {"a.txt": "a\n"})
    task = await in_state(desk, "approval")
    number = await with_pull(desk, task, sha)
    key = f"pull:{desk.repository.id}/{number}"
    wait = Wait(on=WaitFor.APPROVAL, reason="merge it", key=key)
    await desk.house.queue.change(task.id, lambda now: replace(now, wait=wait))
    await desk.passes(30)
    shown = desk.ours(task.issue)
    await desk.person("maintain").review(desk.repository, number, "APPROVE", "Fine.")
    await desk.read()
    await desk.passes(30)
    now = await desk.now(task)
    assert (now.status, now.facts.approval) == (Status.WAITING, None)
    assert desk.ours(task.issue) == shown


@pytest.mark.parametrize("state", ["approval", "run", "paused", "running"])
async def test_a_pull_request_that_a_person_closes_ends_the_task_and_says_so(
    desk: Desk, state: str
) -> None:
    sha = await opened(desk, "mine", {"a.txt": "a\n"})
    task = await in_state(desk, state)
    number = await with_pull(desk, task, sha)
    await desk.owner.close(desk.repository, number)
    await desk.read()
    await desk.passes(30)
    now = await desk.now(task)
    if state == "running":
        assert now.cancel_by == "ada (pull request closed)"
        return
    assert now.status is Status.CANCELLED
    assert "pull request closed" in desk.ours(task.issue)[0]
