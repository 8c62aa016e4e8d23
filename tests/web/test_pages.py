"""The dashboard: what stands where, and that nothing foreign becomes markup."""

import re
from html.parser import HTMLParser

import httpx
import pytest

from bot.domain import (
    Cause,
    Cursor,
    Facts,
    Finding,
    JournalLine,
    Outcome,
    Phase,
    Proof,
    Status,
    Wait,
    WaitFor,
)
from bot.web.gantt import WIDTH, chart, took
from tests.web.house import START, House

XSS = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}"


class _Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def line(task_id: str, phase: Phase, outcome: Outcome, at: float, seconds: float) -> JournalLine:
    return JournalLine(
        task_id=task_id,
        n=0,
        phase=phase,
        cursor=Cursor(),
        outcome=outcome,
        summary=XSS,
        started_at=START + at,
        seconds=seconds,
        evidence=XSS,
        by=XSS,
    )


async def _hostile(house: House) -> str:
    task = await house.add(XSS, issue=1)
    proof = Proof(command=XSS, sha=XSS, exit_code=1, log=XSS)
    facts = Facts(
        branch=XSS,
        red=proof,
        green=(proof,),
        findings=(Finding(path=XSS, line=1, severity=XSS, body=XSS),),
    )
    first = line(task.id, Phase.E2E_TEST_GENERATION, Outcome.PASS, 0, 5)
    await house.queue.change(task.id, lambda t: t, line=first)
    wait = Wait(on=WaitFor.APPROVAL, reason=XSS)
    await house.put(task, status=Status.WAITING, wait=wait, facts=facts, requester=XSS, summary=XSS)
    return task.id


async def test_nothing_foreign_becomes_markup(house: House, client: httpx.AsyncClient) -> None:
    task_id = await _hostile(house)
    for path in ("/", f"/tasks/{task_id}"):
        answer = await client.get(path)
        assert answer.status_code == 200
        tags = _Tags(answer.text).found
        assert not [tag for tag, _ in tags if tag in ("script", "img", "iframe")]
        assert not [name for _, attrs in tags for name in attrs if name.startswith("on")]
        assert "49" not in re.sub(r"\d{4}-|:\d\d", "", answer.text).partition("alert(1)")[2][:40]
        assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize("path", ["/", "/statistics", "/sign-in", "/tasks/none"])
async def test_every_page_has_a_strict_policy_and_needs_no_script(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert " style=" not in answer.text


async def test_the_overview_puts_first_what_needs_a_person(
    house: House, client: httpx.AsyncClient
) -> None:
    states = {
        "asks": (Status.WAITING, Wait(on=WaitFor.APPROVAL, reason="approve")),
        "parked": (Status.WAITING, Wait(on=WaitFor.RUN, reason="run 88", until=START + 60)),
        "broken": (Status.DEAD, None),
        "queued": (Status.QUEUED, None),
        "finished": (Status.COMPLETED, None),
    }
    for number, (title, (status, wait)) in enumerate(states.items(), start=1):
        await house.put(await house.add(title, issue=number), status=status, wait=wait)
    running = await house.add("works", issue=9, priority=10)
    assert (await house.queue.claim("test")) is not None
    text = (await client.get("/")).text
    found = re.findall(r"<h2[^>]*>([\w ]+) <span|class=\"title\"[^>]*>(\w+)<", text)
    assert [heading or title for heading, title in found] == [
        *("Needs a person", "asks"),
        *("Running", running.title),
        *("Failed and dead", "broken"),
        *("Queue", "queued"),
        *("Waiting for GitHub or time", "parked"),
        *("Recent", "finished"),
    ]
    assert "place 1 in the queue" in text


async def test_a_skipped_phase_is_shown_as_skipped_and_never_as_passed(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    skipped = line(task.id, Phase.STAGING_DEPLOYMENT, Outcome.SKIP, 0, 0.0)
    await house.queue.change(task.id, lambda t: t, line=skipped)
    text = (await client.get(f"/tasks/{task.id}")).text
    row = text.partition('<th scope="row">Staging</th>')[2].partition("</tr>")[0]
    assert "skipped" in row
    assert "pass" not in row


async def test_an_ended_task_does_not_reload_and_offers_what_is_possible(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    live = (await client.get(f"/tasks/{task.id}")).text
    assert 'http-equiv="refresh"' in live
    assert ">Cancel<" in live
    assert 'http-equiv="refresh"' not in (await client.get(f"/tasks/{task.id}?live=0")).text
    await house.put(task, status=Status.FAILED, cause=Cause.NOT_GREEN)
    ended = (await client.get(f"/tasks/{task.id}")).text
    assert 'http-equiv="refresh"' not in ended
    assert ">Retry<" in ended
    assert ">Cancel<" not in ended
    assert "cause: not_green" in ended


async def test_statistics_show_percentiles_and_causes(
    house: House, client: httpx.AsyncClient
) -> None:
    assert "No task has ended yet." in (await client.get("/statistics")).text
    task = await house.add(issue=1)
    worked = line(task.id, Phase.CODE_IMPLEMENTATION, Outcome.PASS, 0, 130.0)
    await house.queue.change(task.id, lambda t: t, line=worked)
    await house.put(task, status=Status.FAILED, cause=Cause.REVIEW)
    text = (await client.get("/statistics")).text
    assert "2m 10s" in text
    assert "review" in text


@pytest.mark.parametrize("name", ["style.css", "icon.svg"])
async def test_static_files_are_served_from_the_package(
    client: httpx.AsyncClient, name: str
) -> None:
    assert (await client.get(f"/static/{name}")).status_code == 200
    assert (await client.get(f"/static/../{name}")).status_code == 404


def test_bars_lie_within_the_chart_in_the_order_of_time() -> None:
    lines = [
        line("t", Phase.E2E_TEST_GENERATION, Outcome.PASS, 0, 10),
        line("t", Phase.CODE_IMPLEMENTATION, Outcome.PASS, 10, 0.001),
        line("t", Phase.GUARDIAN_REVIEW, Outcome.BACK, 11, 29),
    ]
    drawn = chart(lines)
    assert drawn is not None
    assert [bar.x for bar in drawn.bars] == sorted(bar.x for bar in drawn.bars)
    assert len({bar.y for bar in drawn.bars}) == 3
    assert all(bar.width > 0 and bar.x + bar.width <= WIDTH for bar in drawn.bars)
    assert chart([]) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.3, "0.3s"), (10, "10s"), (59.6, "1m 0s"), (130, "2m 10s"), (3840, "1h 4m")],
)
def test_durations_are_words_people_use(seconds: float, words: str) -> None:
    assert took(seconds) == words
