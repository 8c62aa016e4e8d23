"""The dashboard: what stands where, and that nothing foreign becomes markup."""

import re
from html.parser import HTMLParser

import httpx
import pytest

from bot import __version__
from bot.domain import Cause, Cursor, JournalLine, Outcome, Phase, Status, Wait, WaitFor
from bot.facts import Facts, Finding, Proof
from bot.web.gantt import WIDTH, chart, took
from bot.web.routes import PAGES
from bot.web.row import Row
from tests.web.house import SHOP, START, House

XSS = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}"


SCRIPTS = [f"/static/{name}?{__version__}" for name in ("vendor/htmx.min.js", "live.js")]


class _Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


async def form_token(client: httpx.AsyncClient, task_id: str, **headers: str) -> str:
    """What the forms of a task's page carry."""
    page = (await client.get(f"/tasks/{task_id}", headers=headers)).text
    return page.partition('name="form_token" value="')[2].partition('"')[0]


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
        assert [attrs["src"] for tag, attrs in tags if tag == "script"] == SCRIPTS
        assert {attrs["src"] for tag, attrs in tags if tag == "img"} == {"/static/icon.svg"}
        assert not [tag for tag, _ in tags if tag == "iframe"]
        assert not [name for _, attrs in tags for name in attrs if name.startswith("on")]
        assert "49" not in re.sub(r"\d{4}-|:\d\d", "", answer.text).partition("alert(1)")[2][:40]
        assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize(
    "path",
    ["/", "/tasks", "/dead", "/deliveries", "/statistics", "/parts", "/sign-in", "/tasks/none"],
)
async def test_every_page_has_a_strict_policy_and_nothing_inline(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for what in ("script-src", "style-src", "connect-src", "form-action"):
        assert f"{what} 'self';" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert " style=" not in answer.text
    assert "<style" not in answer.text
    assert [attrs for tag, attrs in _Tags(answer.text).found if tag == "script" and not attrs] == []


@pytest.mark.parametrize(
    "row", [row for row in PAGES if row.method == "POST"], ids=lambda row: row.path
)
async def test_nothing_is_changed_by_a_link_or_by_a_form_of_another_page(
    house: House, client: httpx.AsyncClient, row: Row
) -> None:
    task = await house.add(issue=1)
    await house.queue.accept("guid-1", "issues", "labeled", "{}")
    path = row.path.format(task_id=task.id, verb="cancel", delivery_id="guid-1")
    assert (await client.get(path)).status_code == 405
    for form in ({}, {"form_token": ""}, {"form_token": "0" * 64}):
        assert (await client.post(path, data=form)).status_code == 403
    own = {"form_token": await form_token(client, task.id)}
    foreign = await client.post(path, data=own, headers={"origin": "https://evil.example.test"})
    assert foreign.status_code == 403
    assert not (await house.queue.get(task.id)).status.ended
    assert (await client.post(path, data=own)).status_code == 303


async def test_a_button_that_does_not_exist_does_nothing(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    own = {"form_token": await form_token(client, task.id)}
    for verb in ("hold", "start", "x" * 200, "%2e%2e"):
        assert (await client.post(f"/tasks/{task.id}/{verb}", data=own)).status_code == 404
    assert (await client.post(f"/tasks/{task.id}/discard", data=own)).status_code == 409


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("write", 403), ("approve", 303)])
async def test_only_a_token_for_it_opens_the_gate_of_production(
    house: House, client: httpx.AsyncClient, scope: str, status: int
) -> None:
    bearer = {"authorization": f"Bearer {await house.tokens.create('t', scopes=(scope,))}"}
    task = await house.add(issue=1)
    wait = Wait(on=WaitFor.APPROVAL, reason="approve")
    await house.put(task, status=Status.WAITING, wait=wait, facts=Facts(head_sha="ab" * 20))
    own = {"form_token": await form_token(client, task.id, **bearer), "said": "ab" * 20}
    answer = await client.post(f"/tasks/{task.id}/approve", data=own, headers=bearer)
    assert answer.status_code == status
    approved = (await house.queue.get(task.id)).facts.approval is not None
    assert approved == (status == 303)


async def test_the_queue_is_shown_in_its_order_with_what_holds_each_task_up(
    house: House, client: httpx.AsyncClient
) -> None:
    await house.add("Later", issue=1, priority=1)
    sooner = await house.add("Sooner", issue=2, priority=9)
    text = (await client.get("/")).text
    assert text.index("Sooner") < text.index("Later")
    assert text.count("waits for a free slot") == 2
    await house.lasting.hold(SHOP, "ada", "release week")
    held = "starts are held by ada (release week)"
    assert (await client.get("/")).text.count(held) == 2
    assert f"place 1 in the queue: {held}" in (await client.get(f"/tasks/{sooner.id}")).text
    told = (await client.get(f"/api/tasks/{sooner.id}")).json()
    assert told["status"] == "QUEUED"
    assert told["wait"] == {"on": "hold", "reason": held, "until": None, "needs_person": True}


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
    assert 'title="place in the queue">1.<' in text


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


@pytest.mark.parametrize(
    "name", ["style.css", "icon.svg", "live.js", "vendor/htmx.min.js", "vendor/htmx.LICENSE.txt"]
)
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
