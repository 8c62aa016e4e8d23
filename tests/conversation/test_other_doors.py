"""What is asked without a comment: buttons, labels, reviews; and what machines ask."""

import pytest

from bot.domain import Status, Task
from bot.effects import EffectKind
from tests.conversation.conftest import OpenDesk
from tests.conversation.desk import CREATE, Desk
from tests.conversation.states import states
from tests.conversation.test_table import base_of

DONE = {"completed"}
END = {"failed": ["-1"], "dead": ["-1"], "cancelled": [], "completed": ["rocket"]}
ROLES = ("write", "maintain")  #: GitHub shows no button to who may not write


async def in_state(desk: Desk, state: str) -> Task:
    return await desk.task(await desk.issue(), states(await base_of(desk))[state])


def button(desk: Desk, identifier: str) -> int:
    """The check that carries this button."""
    for check in desk.repository.checks.values():
        if check.status == "completed" and identifier in [a["identifier"] for a in check.actions]:
            return check.id
    raise AssertionError(f"no check offers {identifier}")


async def press(desk: Desk, identifier: str, role: str) -> None:
    person = desk.person(role)
    await person.press(desk.repository, button(desk, identifier), identifier)
    await desk.read()
    await desk.passes(30)


# ── buttons ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("state", "identifier", "least", "becomes"),
    [
        ("approval", "approve", "maintain", Status.QUEUED),
        ("approval", "reject", "maintain", Status.FAILED),
        ("dead", "retry", "write", Status.QUEUED),
        ("dead", "hand-over", "write", Status.WAITING),
    ],
)
async def test_a_button_is_as_good_as_its_command_and_to_the_same_people(
    desk: Desk, state: str, identifier: str, least: str, becomes: Status
) -> None:
    task = await in_state(desk, state)
    await desk.passes(30)
    shown = desk.ours(task.issue)
    for role in ROLES[: ROLES.index(least)]:
        await press(desk, identifier, role)
        now = await desk.now(task)
        assert (now, desk.ours(task.issue)) == (task, shown), "nothing is done, nothing is said"
    await press(desk, identifier, least)
    assert (await desk.now(task)).status is becomes


async def test_an_approval_by_button_says_so_and_is_bound_to_the_commit(desk: Desk) -> None:
    task = await in_state(desk, "approval")
    await desk.passes(30)
    await press(desk, "approve", "maintain")
    approval = (await desk.now(task)).facts.approval
    assert approval is not None
    assert (approval.by, approval.via) == ("maintain-only", "button")
    assert approval.sha == task.facts.head_sha


async def test_a_check_that_is_asked_for_again_is_completed_again(desk: Desk) -> None:
    task = await in_state(desk, "approval")
    await desk.passes(30)
    check = button(desk, "approve")
    before = desk.count("PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}")
    await desk.owner.rerequest(desk.repository, check)
    await desk.read()
    await desk.passes(30)
    after = desk.count("PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}")
    assert after == before + 1, "told once more, so that its suite does not spin"
    spinning = [
        c.name
        for c in desk.repository.checks.values()
        if c.external_id.startswith(task.id) and c.name.startswith("chimera / production")
        if c.status not in DONE
    ]
    assert spinning == []


# ── labels ───────────────────────────────────────────────────────────────────────────────────


async def test_priority_labels_set_the_priority_before_and_after_the_start(desk: Desk) -> None:
    issue = await desk.issue()
    await desk.owner.label(desk.repository, issue, "chimera:priority-high", "chimera")
    await desk.read()
    task = await desk.latest(issue)
    assert task is not None
    assert task.priority == 8
    await desk.owner.unlabel(desk.repository, issue, "chimera:priority-high")
    await desk.read()
    assert (await desk.now(task)).priority == 5
    await desk.owner.label(desk.repository, issue, "chimera:priority-low")
    await desk.read()
    assert (await desk.now(task)).priority == 2


async def test_taking_the_trigger_label_off_cancels(desk: Desk) -> None:
    issue = await desk.issue()
    await desk.owner.label(desk.repository, issue, "chimera")
    await desk.read()
    await desk.owner.unlabel(desk.repository, issue, "chimera")
    await desk.read()
    task = await desk.latest(issue)
    assert task is not None
    assert task.status is Status.CANCELLED
    await desk.passes(30)
    assert desk.labels(issue) == {"chimera:cancelled"}


async def test_a_start_by_comment_follows_a_task_that_a_label_has_started(desk: Desk) -> None:
    issue = await desk.issue()
    await desk.owner.label(desk.repository, issue, "chimera")
    await desk.read()
    first = await desk.latest(issue)
    await desk.comment(issue, "/chimera cancel")
    await desk.comment(issue, "/chimera start --priority 9 --budget 3")
    second = await desk.latest(issue)
    assert first is not None
    assert second is not None
    assert second.id != first.id
    assert (second.priority, second.budget_usd) == (9, 3.0)


@pytest.mark.parametrize("state", ["failed", "dead", "cancelled", "completed"])
async def test_a_task_that_follows_another_takes_over_what_the_issue_shows_of_it(
    desk: Desk, state: str
) -> None:
    first = await in_state(desk, state)
    await desk.passes(30)
    assert desk.reactions(first.issue) == END[state]
    await desk.comment(first.issue, "/chimera start")
    await desk.passes(30)
    second = await desk.latest(first.issue)
    assert second is not None
    assert second.id != first.id
    assert desk.reactions(first.issue) == ["eyes"], "the end of the first is no word on this one"
    assert desk.labels(first.issue) == {"chimera:queued"}
    await desk.house.queue.picture_soon(first.id)
    await desk.passes(30)
    assert desk.reactions(first.issue) == ["eyes"], "nor does the first take it off again"
    await desk.comment(first.issue, "/chimera cancel")
    await desk.passes(30)
    assert desk.reactions(first.issue) == []
    assert desk.labels(first.issue) == {"chimera:cancelled"}


# ── questions where there is no task ─────────────────────────────────────────────────────────


async def test_help_and_config_without_a_task_are_answered_in_one_comment(desk: Desk) -> None:
    issue = await desk.issue()
    await desk.comment(issue, "/chimera help")
    assert "`/chimera approve [sha7]`" in desk.ours(issue)[0]
    await desk.comment(issue, "/chimera config")
    assert len(desk.ours(issue)) == 1, "the second answer takes the place of the first"
    assert "`limits.rounds`" in desk.ours(issue)[0]
    assert desk.count(CREATE) == 3


async def test_a_command_that_is_none_leaves_no_comment_where_there_is_no_task(
    desk: Desk,
) -> None:
    issue = await desk.issue()
    said = await desk.comment(issue, "/chimera stauts")
    assert [r.content for r in said.reactions] == ["eyes", "confused"]
    assert desk.ours(issue) == []


async def test_a_comment_that_becomes_a_command_by_an_edit_is_none(desk: Desk) -> None:
    task = await in_state(desk, "approval")
    said = await desk.comment(task.issue, "Let us see.", "maintain")
    path = f"/repos/{desk.repository.full_name}/issues/comments/{said.id}"
    await desk.person("maintain").ask("PATCH", path, {"body": "/chimera approve"})
    await desk.read()
    assert said.body == "/chimera approve"
    assert ([r.content for r in said.reactions], await desk.now(task)) == ([], task)


async def test_config_says_what_is_wrong_with_a_broken_file(desk_with: OpenDesk) -> None:
    desk = await desk_with(files={".github/chimera.yml": "version: 1\nlimts: {}\n"})
    issue = await desk.issue()
    await desk.comment(issue, "/chimera config")
    assert "limts" in desk.ours(issue)[0]


# ── other people's pull requests ─────────────────────────────────────────────────────────────


async def opened(desk: Desk, branch: str, files: dict[str, str | bytes | None]) -> str:
    """A person's own pull request; its head."""
    sha = await desk.owner.push(desk.repository, branch, files, "Mine")
    await desk.owner.open_pull(desk.repository, branch, "Mine")
    await desk.read()
    return sha


def checks(desk: Desk, sha: str) -> dict[str, str | None]:
    found = [c for c in desk.repository.checks.values() if c.head_sha == sha]
    return {c.name: c.conclusion for c in found if c.name.startswith("chimera")}


async def test_a_foreign_pull_request_gets_what_is_required_at_once(desk: Desk) -> None:
    sha = await opened(desk, "mine", {"a.txt": "a\n"})
    assert checks(desk, sha) == {"chimera / task": "success"}
    required = ["chimera / task", "chimera / guardian", "chimera / e2e"]
    desk.hub.configure(desk.repository, required_checks=required)
    desk.clock.at += 3600
    sha = await opened(desk, "another", {"b.txt": "b\n"})
    assert checks(desk, sha) == dict.fromkeys(required, "success")


async def test_what_people_push_after_the_end_of_a_task_is_theirs_and_not_blocked(
    desk: Desk,
) -> None:
    task = await in_state(desk, "cancelled")
    sha = await opened(desk, task.facts.branch, {"a.txt": "a\n"})
    assert checks(desk, sha) == {"chimera / task": "success"}
    titles = [c.title for c in desk.repository.checks.values() if c.head_sha == sha]
    assert titles == ["Goes on without Chimera"]


async def test_a_commit_of_ours_that_was_never_judged_is_not_let_through_after_the_end(
    desk: Desk,
) -> None:
    task = await in_state(desk, "dead")
    branch = task.facts.branch
    sha = await desk.owner.push(desk.repository, branch, {"a.txt": "a\n"}, "Ours")
    key = f"{task.id}/{EffectKind.PUSH}/{branch}@{sha}"
    ledger = desk.house.ledger
    await ledger.intend(key, task.id, EffectKind.PUSH, None, "")  # and its step was lost
    await desk.owner.open_pull(desk.repository, branch, "Ours")
    await desk.read()
    assert checks(desk, sha) == {}, "the task says what it is, should it go on"


async def test_a_broken_configuration_is_told_on_the_pull_request_that_brings_it(
    desk: Desk,
) -> None:
    sha = await opened(desk, "broken", {".github/chimera.yml": "version: 1\nlimits:\n  rouds: 2\n"})
    assert checks(desk, sha)["chimera / configuration"] == "failure"
    check = next(c for c in desk.repository.checks.values() if c.name.endswith("configuration"))
    assert [(a["path"], a["start_line"]) for a in check.annotations] == [(".github/chimera.yml", 3)]
    assert "rounds" in check.annotations[0]["message"], "and what was meant"
    assert (check.title, "`.github/chimera.yml:3:3`: unknown" in str(check.summary)) == (
        "1 problem",
        True,
    )


async def test_the_owners_file_is_told_on_its_pull_request_too(desk: Desk) -> None:
    shared = desk.hub.create_repository("ada", ".github", {"README.md": "ours\n"})
    desk.hub.set_installed_repositories(desk.installation, [desk.repository, shared])
    broken = {"chimera.yml": "trigger: {color: '@ada/all'}\n"}
    sha = await desk.owner.push(shared, "broken", broken, "Ours")
    await desk.owner.open_pull(shared, "broken", "Ours")
    await desk.read()
    told = [c for c in shared.checks.values() if c.name == "chimera / configuration"]
    assert [(c.head_sha, c.conclusion) for c in told] == [(sha, "failure")]
    assert [(a["path"], a["start_line"]) for a in told[0].annotations] == [("chimera.yml", 1)]
    assert "@ada/all" not in str(told[0].summary)


async def test_the_same_question_twice_is_answered_once_and_says_when(desk: Desk) -> None:
    task = await in_state(desk, "paused")
    for _ in range(2):
        await desk.comment(task.issue, "/chimera status", "read")
        await desk.passes(600)
    text = desk.ours(task.issue)[0]
    assert text.count("is waiting") == 1
    assert "<sub>for read-only, 12:1" in text
