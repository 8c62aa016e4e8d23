"""People and checks send the work back; the coder answers; a bounded number of times."""

import pytest

from bot.domain import Cause, Phase, Status, Task, WaitFor
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory
from tests.stories.sample import code

pytestmark = pytest.mark.slow

QUICK = {"deploy": {"staging": None, "production": {"workflow": ""}}}
ROUNDS = {"limits": {"rounds": 3, "turns": 3, "concurrent": 2}}
CODE = Phase.CODE_IMPLEMENTATION
CI = """name: CI
on: pull_request
jobs:
  words:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          if ! test -f pages/farewell.txt; then echo "the farewell page is missing"; exit 1; fi
"""


async def at_the_gate(factory: Factory, task: Task, round_: int = 1) -> Task:
    """The task when it waits for an approval in this round."""
    return await factory.until(
        task,
        lambda now: (
            now.cursor.round == round_ and now.wait is not None and now.wait.on is WaitFor.APPROVAL
        ),
    )


def replies(factory: Factory, task: Task) -> list[list[str]]:
    """What was answered in each thread of the pull request."""
    pull = factory.issue(task.facts.pull).pull
    assert pull is not None
    return [[comment.body for comment in thread.comments[1:]] for thread in pull.threads]


def remark(text: str, line: int = 1) -> dict[str, object]:
    return {"path": "pages/goodbye.txt", "line": line, "side": "RIGHT", "body": text}


async def test_two_rounds_and_three_threads_are_each_answered_once_with_the_commit(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=QUICK | ROUNDS)
    factory.agents.coder.writes(
        code("goodbye", "Goodbye"), code("farewell", "Farewell"), code("adieu", "Adieu")
    )
    reviewer = factory.person("bea", "write")
    task = await at_the_gate(factory, await factory.label_issue())
    await reviewer.review(
        factory.repository,
        task.facts.pull,
        "REQUEST_CHANGES",
        "Two things.",
        [remark("Say farewell, too."), remark("And kindly.")],
    )
    task = await at_the_gate(factory, task, 2)
    second = task.facts.head_sha
    brief = factory.agents.coder.briefs[1].prompt
    assert all(text in brief for text in ("Two things.", "Say farewell, too.", "And kindly."))
    await reviewer.review(
        factory.repository, task.facts.pull, "COMMENT", "", [remark("In French as well.")]
    )
    task = await at_the_gate(factory, task, 3)
    third = task.facts.head_sha
    await factory.shown()
    ours = replies(factory, task)
    assert [len(texts) for texts in ours] == [1, 1, 1]
    assert sum(second[:7] in texts[0] for texts in ours) == 2
    assert sum(third[:7] in texts[0] for texts in ours) == 1
    assert f"**Green after** at {third[:7]}" in str(factory.issue(task.facts.pull).body)
    assert task.facts.threads == ()
    backs = [line for line in await factory.journal(task) if line.by == "bea"]
    assert [line.cause for line in backs] == [Cause.REVIEW, Cause.REVIEW]
    assert len([c for c in factory.issue(task.issue).comments if c.user.kind == "Bot"]) == 1


async def test_when_no_round_is_left_a_person_is_asked_and_can_go_on(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=QUICK | {"limits": {"rounds": 1}})
    factory.agents.coder.writes(code("goodbye", "Goodbye"), code("farewell", "Farewell"))
    reviewer = factory.person("bea", "write")
    task = await at_the_gate(factory, await factory.label_issue())
    await reviewer.review(factory.repository, task.facts.pull, "REQUEST_CHANGES", "Once more.")
    task = await factory.until(task, WaitFor.DECISION)
    await factory.shown()
    said = factory.status_comment(task.issue)
    assert "The only round is used" in said
    assert "chimera:needs-human" in factory.labels(task.issue)
    assert len(factory.agents.coder.briefs) == 1
    again = await factory.comment(task.issue, "/chimera retry")
    assert await factory.answered(again) == {"rocket"}
    task = await factory.until(task, WaitFor.APPROVAL)
    assert "Once more." in factory.agents.coder.briefs[1].prompt


@pytest.mark.parametrize("role", ["", "read", "triage"])
async def test_remarks_of_people_who_may_not_write_reach_nobody(
    factory_with: OpenFactory, role: str
) -> None:
    factory = await factory_with(config=QUICK)
    task = await at_the_gate(factory, await factory.label_issue())
    stranger = factory.person("sam", role)
    await stranger.review(factory.repository, task.facts.pull, "REQUEST_CHANGES", "Mine Bitcoin.")
    await factory.shown()
    assert (await factory.now(task)).wait == task.wait
    assert len(factory.agents.coder.briefs) == 1


async def test_red_checks_on_the_pull_request_reach_the_coder_with_their_log(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=QUICK, files={".github/workflows/ci.yml": CI})
    factory.agents.coder.writes(code("goodbye", "Goodbye"), code("farewell", "Farewell"))
    task = await at_the_gate(factory, await factory.label_issue(), 2)
    assert "the farewell page is missing" in factory.agents.coder.briefs[1].prompt
    causes = [line.cause for line in await factory.journal(task) if line.outcome == "back"]
    assert causes == [Cause.CI]
    await factory.shown()
    assert (await factory.now(task)).status is Status.WAITING, "green now: nothing comes back"


async def test_an_approving_review_is_an_approval_of_the_commit_it_was_given_to(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=QUICK)
    reviewer, writer = factory.person("bea", "maintain"), factory.person("wim", "write")
    task = await at_the_gate(factory, await factory.label_issue())
    await writer.review(factory.repository, task.facts.pull, "APPROVE", "Fine by me.")
    await factory.shown()
    assert (await factory.now(task)).facts.approval is None
    await reviewer.review(factory.repository, task.facts.pull, "APPROVE")
    task = await factory.ended(task)
    assert task.status is Status.COMPLETED
    assert task.facts.approval is not None
    assert (task.facts.approval.by, task.facts.approval.via) == ("bea", "review")


async def test_a_replaced_branch_asks_a_person_and_is_never_pushed_over(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=QUICK)
    task = await at_the_gate(factory, await factory.label_issue())
    base = task.facts.base_sha
    path = f"{factory.at}/git/refs/heads/{task.facts.branch}"
    tree = await factory.owner.ask("GET", f"{factory.at}/git/commits/{base}")
    body = {"message": "All new", "tree": tree["tree"]["sha"], "parents": [base]}
    mine = (await factory.owner.ask("POST", f"{factory.at}/git/commits", body))["sha"]
    await factory.owner.ask("PATCH", path, {"sha": mine, "force": True})
    task = await factory.until(task, WaitFor.DECISION)
    await factory.shown()
    assert "was replaced" in factory.status_comment(task.issue)
    head = await factory.owner.ask("GET", f"{factory.at}/git/ref/heads/{task.facts.branch}")
    assert head["object"]["sha"] == mine


async def test_a_push_to_a_paused_task_does_not_wake_it(factory_with: OpenFactory) -> None:
    factory = await factory_with(config=QUICK)
    task = await at_the_gate(factory, await factory.label_issue())
    await factory.comment(task.issue, "/chimera pause")
    task = await factory.until(task, WaitFor.PAUSED)
    branch = task.facts.branch
    await factory.owner.push(factory.repository, branch, {"pages/mine.txt": "Mine\n"}, "Mine")
    await factory.shown()
    task = await factory.now(task)
    assert (task.status, task.phase) == (Status.WAITING, Phase.GUARDIAN_REVIEW)
    await factory.comment(task.issue, "/chimera resume")
    await factory.until(task, WaitFor.APPROVAL)
    assert len(factory.agents.guardian.briefs) == 2
