"""Nothing that there is stays out of sight: cut lists say so, and one page has every task."""

import re

import httpx
import pytest

from bot.domain import Cause, Status
from bot.facts import Facts, Finding
from bot.web.overview import RECENT, SHOWN
from tests.web.house import OTHER, House

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def some(house: House, count: int, *, title: str = "Task", **values: object) -> None:
    for n in range(count):
        task = await house.add(f"{title} {n}")
        if values:
            await house.put(task, **values)


def titles(text: str) -> list[str]:
    return re.findall(r'class="title"[^>]*>([^<]+)<', text)


def counts(text: str) -> dict[str, str]:
    """What stands behind each heading."""
    found = re.findall(r'<h2[^>]*>([\w ]+) <span class="count">([^<]+)<', text)
    return {name: count.strip() for name, count in found}


async def test_a_list_that_is_cut_says_so_and_leads_to_the_rest(
    house: House, client: httpx.AsyncClient
) -> None:
    await some(house, RECENT, title="Sad", status=Status.FAILED, cause=Cause.REVIEW)
    await some(house, SHOWN, title="Queued")
    text = (await client.get("/")).text
    assert (counts(text)["Failed and dead"], counts(text)["Queue"]) == (str(RECENT), str(SHOWN))
    assert "?status=QUEUED" not in text
    await some(house, 1, title="Sad", status=Status.FAILED, cause=Cause.REVIEW)
    await some(house, 1, title="Queued")
    text = (await client.get("/")).text
    assert (counts(text)["Failed and dead"], counts(text)["Queue"]) == (f"{RECENT}+", f"{SHOWN}+")
    assert 'href="/tasks?status=FAILED"' in text
    assert 'href="/tasks?status=QUEUED"' in text


async def test_every_task_is_on_the_page_of_all_tasks_the_newest_first(
    house: House, client: httpx.AsyncClient
) -> None:
    await some(house, 5)
    await some(house, 2, title="Done", status=Status.COMPLETED)
    first = (await client.get("/tasks?limit=4")).text
    assert titles(first) == ["Done 1", "Done 0", "Task 4", "Task 3"]
    [older] = re.findall(r'href="(\?cursor=\d+)"', first)
    last = (await client.get(f"/tasks{older}&limit=4")).text
    assert titles(last) == ["Task 2", "Task 1", "Task 0"]
    assert ">Older<" not in last


async def test_the_tasks_of_one_status_can_be_looked_at(
    house: House, client: httpx.AsyncClient
) -> None:
    await some(house, 1)
    await some(house, 3, title="Done", status=Status.COMPLETED, summary="it is live")
    text = (await client.get("/tasks?status=COMPLETED&limit=2")).text
    assert titles(text) == ["Done 2", "Done 1"]
    assert text.count("it is live") == 2
    assert re.search(r'href="\?status=COMPLETED&amp;cursor=\d+"', text)
    assert "No task is dead." in (await client.get("/tasks?status=DEAD")).text


async def test_nobody_sees_there_what_is_of_another_repository(
    house: House, client: httpx.AsyncClient
) -> None:
    await some(house, 1)
    await house.put(await house.add("Elsewhere", repo=OTHER), status=Status.COMPLETED)
    token = await house.tokens.create("t", scopes=("read",), repos=(OTHER.id,))
    answer = await client.get("/tasks", headers={"authorization": f"Bearer {token}"})
    assert titles(answer.text) == ["Elsewhere"]


@pytest.mark.parametrize("query", ["status=SLEEPING", "cursor=x", "limit=0", "colour=red"])
async def test_an_address_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, query: str
) -> None:
    assert (await client.get(f"/tasks?{query}")).status_code == 422


async def test_whoever_browses_to_nowhere_gets_a_page_and_a_program_a_document(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/nowhere", headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no page at this address." in page.text
    assert "All tasks" in page.text
    document = await client.get("/nowhere")
    assert document.headers["content-type"] == "application/problem+json"
    assert "/openapi.json" in document.json()["detail"]


async def test_a_finding_shows_code_as_code_and_markup_as_words(
    house: House, client: httpx.AsyncClient
) -> None:
    finding = Finding(path="a.py", line=1, severity="nit", body="`50` <b>half</b>")
    task = await house.put(await house.add(), facts=Facts(findings=(finding,)))
    text = (await client.get(f"/tasks/{task.id}")).text
    assert "<code>50</code> &lt;b&gt;half" in text


async def test_a_fresh_server_draws_no_empty_plot(client: httpx.AsyncClient) -> None:
    text = (await client.get("/statistics")).text
    assert "No task has ended in the last four weeks." in text
    assert "<svg" not in text


async def test_what_became_of_a_delivery_leads_to_its_task(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add()
    await house.queue.accept("guid-1", "check_run", "requested_action", "{}")
    [row] = await house.queue.pending()
    await house.queue.inbox_done(row.id, f"task {task.id}: approve by ada, done")
    text = (await client.get("/deliveries")).text
    assert f'<a href="/tasks/{task.id}">task {task.id}</a>: approve by ada, done' in text
