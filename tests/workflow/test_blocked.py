"""What "Blocked by #12" means: who waits, for what, and in which words."""

from dataclasses import replace

import pytest

from bot.domain import Actor, RepoRef, Task, WaitFor
from bot.errors import Parked, Refused
from bot.github.types import Issue
from bot.workflow.blocked import (
    MAX_NAMED,
    named_blockers,
    not_before_blockers,
    not_waited_for,
)

NOW = 1_800_000_000.0
REPO = RepoRef(id=7, owner="ada", name="shop")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Blocked by #12", (12,)),
        ("Add a total.\n\nblocked by: #12, #13 and #12", (12, 13)),
        ("- [ ] Blocked by #4\n- [x] depends on #5", (4, 5)),
        ("The road was blocked by #12 protesters", ()),
        ("Blocked by ada/other#12", ()),
        ("Blocked by Ada/Shop#12", (12,)),
        ("Blocked by https://github.com/ada/shop/issues/12", (12,)),
        ("Blocked by http://hub.local:3000/ada/shop/pull/12, #13", (12, 13)),
        ("Blocked by https://github.com/ada/other/issues/12", ()),
        ("Blocked by https://github.com/ada/shop/discussions/12", ()),
        ("`Blocked by #12`", ()),
        ("    Blocked by #12", ()),
        ("Blocked by nobody", ()),
        ("Blocked by " + " ".join(f"#{n}" for n in range(1, 40)), tuple(range(1, MAX_NAMED + 1))),
    ],
)
def test_only_a_line_that_begins_with_the_words_names_a_blocker(
    text: str, numbers: tuple[int, ...]
) -> None:
    assert named_blockers(text, REPO.full_name) == numbers


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Blocked by ada/other#12, #3", ["ada/other#12"]),
        ("Blocked by https://github.com/ada/other/issues/12", ["ada/other#12"]),
        ("Blocked by #12 and ADA/shop#13", []),
        ("See ada/other#12", []),
    ],
)
def test_what_is_named_of_another_repository_is_told_not_to_be_waited_for(
    text: str, names: list[str]
) -> None:
    told = not_waited_for(task(text))
    assert [said.split(":")[0] for said in told] == [f"Nothing here waits for {n}" for n in names]


def issue(
    number: int, *, state: str = "open", body: str = "", repository: str = "ada/shop"
) -> Issue:
    return Issue(
        number=number,
        repository=repository,
        title=f"Issue {number}",
        body=body,
        author=Actor(login="ada", id=1),
        labels=(),
        state=state,
        locked=False,
        is_pull=False,
        html_url="",
        created_at="",
        updated_at="",
    )


class Tracker:
    """Issues by number, and what GitHub says they wait for; what is not there was deleted."""

    def __init__(self, *issues: Issue, links: dict[int, list[Issue]] | None = None) -> None:
        self.issues = {one.number: one for one in issues}
        self.links = links or {}
        self.reads = 0

    async def blocked_by(self, number: int) -> list[Issue]:
        return self.links.get(number, [])

    async def issue(self, number: int) -> Issue:
        self.reads += 1
        if number not in self.issues:
            raise Refused("gone", status=410, body="")
        return self.issues[number]


def task(feature: str) -> Task:
    return Task(id="t", feature=feature, title="t", repo=REPO, issue=1)


async def parked(feature: str, tracker: Tracker) -> Parked | None:
    try:
        await not_before_blockers(task(feature), tracker, NOW)
    except Parked as wait:
        return wait
    return None


async def test_an_open_blocker_is_waited_for_by_its_closing() -> None:
    wait = await parked("Blocked by #12", Tracker(issue(12)))
    assert wait is not None
    assert (wait.on, wait.key) == (WaitFor.BLOCKED, "closed:ada/shop:12")
    assert str(wait) == "blocked by #12, which is open"
    assert wait.retry_at is not None
    assert wait.retry_at > NOW


async def test_the_first_open_one_of_several_is_named() -> None:
    tracker = Tracker(issue(12, state="closed"), issue(13))
    wait = await parked("Blocked by #12, #13", tracker)
    assert wait is not None
    assert "#13" in str(wait)


@pytest.mark.parametrize(
    "feature", ["Blocked by #12", "Blocked by #404", "Blocked by #1", "No such line"]
)
async def test_closed_deleted_or_its_own_number_blocks_nothing(feature: str) -> None:
    assert await parked(feature, Tracker(issue(12, state="closed"), issue(1))) is None


async def test_without_the_line_nothing_is_read() -> None:
    tracker = Tracker(issue(12))
    assert await parked("Mentions #12 in passing", tracker) is None
    assert tracker.reads == 0


async def test_a_circle_is_said_in_words_however_long() -> None:
    tracker = Tracker(
        issue(12, body="Blocked by #13"),
        issue(13, body="depends on #14"),
        issue(14, body="Blocked by #1"),
    )
    wait = await parked("Blocked by #12", tracker)
    assert wait is not None
    assert wait.on is WaitFor.DECISION, "nobody but a person ends it"
    assert "neither can begin" in str(wait)
    ended = Tracker(
        *(replace(i, state="closed") if i.number == 13 else i for i in tracker.issues.values())
    )
    wait = await parked("Blocked by #12", ended)
    assert wait is not None
    assert "neither can begin" not in str(wait)


async def test_what_github_calls_blocked_is_waited_for_without_a_line() -> None:
    wait = await parked("Add a total.", Tracker(links={1: [issue(11, state="closed"), issue(12)]}))
    assert wait is not None
    assert (wait.on, wait.key) == (WaitFor.BLOCKED, "closed:ada/shop:12")
    assert str(wait) == "blocked by #12, which is open"


async def test_what_is_linked_and_named_is_not_read_again() -> None:
    tracker = Tracker(issue(12), links={1: [issue(12, state="closed")]})
    assert await parked("Blocked by #12", tracker) is None
    assert tracker.reads == 0


async def test_an_issue_of_another_repository_is_named_with_it() -> None:
    tracker = Tracker(links={1: [issue(12, repository="Ada/Other")]})
    wait = await parked("Add a total.", tracker)
    assert wait is not None
    assert (wait.key, str(wait)) == (
        "closed:ada/other:12",
        "blocked by Ada/Other#12, which is open",
    )


async def test_a_circle_of_links_and_lines_is_said_in_words() -> None:
    named = issue(13, body="Blocked by #1")
    wait = await parked("Add a total.", Tracker(links={1: [issue(12)], 12: [named]}))
    assert wait is not None
    assert "neither can begin" in str(wait)


async def test_a_number_of_another_repository_closes_no_circle() -> None:
    elsewhere = issue(1, repository="ada/other")
    wait = await parked("Add a total.", Tracker(links={1: [issue(12)], 12: [elsewhere]}))
    assert wait is not None
    assert "neither can begin" not in str(wait)
