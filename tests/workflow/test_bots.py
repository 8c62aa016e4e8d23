"""What bots say, we ourselves among them, is never a command and never wakes work."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain import Actor, Task
from bot.events import (
    CheckButton,
    CommentCreated,
    Event,
    IssueGone,
    IssueLabeled,
    IssueSnapshot,
    IssueUnlabeled,
    PullChanged,
    Pushed,
    ReviewSubmitted,
)
from tests.conversation.desk import Desk, open_desk
from tests.workflow.test_ground import task_in

OTHER = Actor(login="helper[bot]", id=77, is_bot=True)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


def said_by(bot: Actor, desk: Desk, task: Task) -> list[Event]:
    """Everything that would move the task if a person had done it."""
    issue = IssueSnapshot(
        number=task.issue, title=task.title, body="", author=bot, labels=("chimera",)
    )
    here, sha = desk.ref, task.facts.head_sha
    cancel = "/chimera cancel"
    return [
        CommentCreated(repo=here, sender=bot, issue=issue, comment_id=5, body=cancel),
        ReviewSubmitted(
            repo=here, sender=bot, pull=task.facts.pull, review_id=6,
            state="changes_requested", body=cancel, commit_sha=sha,
        ),
        IssueLabeled(repo=here, sender=bot, issue=issue, label="chimera"),
        IssueLabeled(repo=here, sender=bot, issue=issue, label="chimera:priority-high"),
        IssueUnlabeled(repo=here, sender=bot, issue=issue, label="chimera"),
        IssueGone(repo=here, sender=bot, issue=issue, how="closed"),
        CheckButton(
            repo=here, sender=bot, check_run_id=7, check_name="chimera / production",
            external_id=f"{task.id}/1", head_sha=sha, identifier="approve",
        ),
        Pushed(
            repo=here, sender=bot, ref=f"refs/heads/{task.facts.branch}",
            before=sha, after="b" * 40,
        ),
        PullChanged(
            repo=here, sender=bot, pull=task.facts.pull, action="closed",
            head_ref=task.facts.branch, head_sha=sha, base_ref="main",
        ),
    ]  # fmt: skip


@pytest.mark.parametrize("own", [True, False], ids=["ourselves", "another bot"])
async def test_nothing_that_a_bot_does_moves_a_task_or_is_answered(desk: Desk, own: bool) -> None:
    task = await task_in(desk, "approval")
    await desk.passes(60)
    bot = replace(OTHER, login=f"{desk.app.slug}[bot]") if own else OTHER
    before, calls = await desk.now(task), len(desk.hub.calls)
    for event in said_by(bot, desk, task):
        await desk.house.intake.act(event, 0)
        assert await desk.now(task) == before, type(event).__name__
    await desk.passes(60)
    writes = [c.route for c in desk.hub.calls[calls:] if c.method != "GET"]
    assert [w for w in writes if "access_tokens" not in w] == []
