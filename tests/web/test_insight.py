"""Numbers, health, event streams and the API's own description."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import jsonschema_rs
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message

from bot import __version__
from bot.domain import Cause, Cursor, JournalLine, Outcome, Phase, Status, Task
from bot.tasks.sqlite import SqliteStore
from bot.web.health import STORE_SEEN_S
from bot.web.openapi import document
from bot.web.parts import HealthPart, WebSettings
from bot.web.routes import API
from tests.web.house import START, House


def step(task: Task, summary: str, seconds: float = 2.0) -> JournalLine:
    return JournalLine(
        task_id=task.id,
        n=0,
        phase=Phase.CODE_IMPLEMENTATION,
        cursor=Cursor(),
        outcome=Outcome.PASS,
        summary=summary,
        started_at=START,
        seconds=seconds,
    )


async def note(house: House, task: Task, summary: str) -> None:
    await house.queue.change(task.id, lambda t: t, line=step(task, summary))


async def test_metrics_say_what_pool_and_store_hold(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    await house.add(issue=2)
    await note(house, task, "done")
    await house.put(task, status=Status.FAILED, cause=Cause.GATE, started_at=START)
    numbers = (await client.get("/api/metrics")).json()
    assert (numbers["slots"], numbers["queue_depth"]) == (5, 1)
    assert numbers["total_workflows_processed"] == 0
    assert numbers["tasks"]["FAILED"] == 1
    assert numbers["success_rate"] == 0.0
    assert numbers["phase_seconds"]["CODE_IMPLEMENTATION"]["p95_s"] == 2.0
    assert numbers["failures"][0]["cause"] == "gate"


async def test_prometheus_can_read_the_metrics_and_finds_bounded_labels(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add('title with "quotes"\n', issue=1)
    await note(house, task, "done")
    await house.put(task, status=Status.FAILED, cause=Cause.GATE)
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["chimera_pool_slots"].samples[0].value == 5.0
    assert families["chimera_workflows_processed"].type == "counter"
    failed = [s.value for s in families["chimera_tasks"].samples if s.labels["status"] == "FAILED"]
    assert failed == [1.0]
    assert task.id not in answer.text
    assert "quotes" not in answer.text


async def test_health_names_the_part_and_what_to_do(
    house: House, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/health")).json()["status"] == "ok"
    house.health = [HealthPart(name="github", ok=False, detail="401", fix="Renew the key.")]
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["parts"][1]["fix"] == "Renew the key."


async def test_a_server_without_a_webhook_secret_is_not_well(house: House) -> None:
    house.settings = WebSettings()
    async with house.client() as client:
        answer = (await client.get("/health")).json()
    assert answer["status"] == "degraded"
    [webhook] = [part for part in answer["parts"] if part["name"] == "webhook"]
    assert not webhook["ok"]
    assert "CHIMERA_WEBHOOK_SECRET" in webhook["fix"]


async def test_without_the_store_health_is_a_503(house: House, client: httpx.AsyncClient) -> None:
    await house.store.close()
    answer = await client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["parts"][0]["name"] == "store"
    assert (await client.get("/livez")).status_code == 200


@contextmanager
def no_room(store: SqliteStore) -> Iterator[None]:
    """A file system that takes not one byte more of the store."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = store.path.with_name(f"{store.path.name}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_a_server_that_cannot_store_is_not_ready_and_lives_until_there_is_room(
    house: House, client: httpx.AsyncClient
) -> None:
    with no_room(house.store):
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "the store cannot be written\n")
        told = await client.get("/health")
        assert (told.status_code, told.json()["ready"]) == (503, False)
        assert told.json()["parts"][0]["ok"] is False
        assert (await client.get("/livez")).status_code == 200
    house.clock.at += STORE_SEEN_S
    assert (await client.get("/readyz")).text == "ready\n"
    assert (await client.get("/health")).json()["ready"] is True


async def test_who_asks_often_does_not_write_as_often(
    house: House, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    await house.store.close()
    assert (await client.get("/readyz")).status_code == 200, "seen less than a second ago"
    house.clock.at += STORE_SEEN_S
    assert (await client.get("/readyz")).status_code == 503


async def test_not_ready_while_starting_or_draining(
    house: House, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    house.is_ready = False
    assert (await client.get("/readyz")).text == "starting\n"
    house.is_ready, house.is_draining = True, True
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "draining\n")


@asynccontextmanager
async def stream(
    house: House, path: str, headers: dict[str, str] | None = None
) -> AsyncIterator[asyncio.Queue[str]]:
    """The texts of an open event stream; httpx's transport would wait for its end."""
    texts: asyncio.Queue[str] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            await texts.put(message["body"].decode())

    raw = [(b"host", b"localhost"), *((k.encode(), v.encode()) for k, v in (headers or {}).items())]
    where, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "headers": raw,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
    }
    task = asyncio.create_task(house.web()(scope, receive, send))
    try:
        yield texts
    finally:
        gone.set()
        await asyncio.wait_for(task, 5)


async def next_event(texts: "asyncio.Queue[str]") -> tuple[int, str]:
    while True:
        text = await asyncio.wait_for(texts.get(), 5)
        fields = dict(line.split(": ", 1) for line in text.strip().splitlines() if ": " in line)
        if fields.get("event") == "step":
            return int(fields["id"]), json.loads(fields["data"])["summary"]


async def test_a_stream_tells_what_was_and_what_comes_and_goes_on_after_a_break(
    house: House,
) -> None:
    task, other = await house.add(issue=1), await house.add(issue=2)
    await note(house, task, "first")
    await note(house, other, "not of this task")
    path = f"/api/tasks/{task.id}/events"
    async with stream(house, path) as texts:
        seen, summary = await next_event(texts)
        assert summary == "first"
        await note(house, task, "second")
        assert (await next_event(texts))[1] == "second"
    async with stream(house, path, {"last-event-id": str(seen)}) as texts:
        assert (await next_event(texts))[1] == "second"
    async with stream(house, f"/api/events?after={seen}") as texts:
        assert (await next_event(texts))[1] == "not of this task"


@pytest.mark.parametrize("given", ["x", "-1", "9" * 30, "1.5"])
async def test_a_made_up_event_id_is_refused(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/api/events", headers={"last-event-id": given})
    assert answer.status_code == 400


async def test_the_description_is_valid_and_describes_real_answers(
    house: House, client: httpx.AsyncClient
) -> None:
    description = (await client.get("/openapi.json")).json()
    assert description["info"]["version"] == __version__
    schemas = {"components": description["components"]}
    task = await house.add(issue=1)
    await note(house, task, "first")
    for name, path in [
        ("TaskDetail", f"/api/tasks/{task.id}"),
        ("TaskPage", "/api/tasks"),
        ("Journal", f"/api/tasks/{task.id}/journal"),
        ("Problem", "/api/tasks/none"),
    ]:
        schema = {"$ref": f"#/components/schemas/{name}", **schemas}
        jsonschema_rs.validator_for(schema).validate((await client.get(path)).json())


def test_every_row_of_the_table_is_described() -> None:
    description = document(API, version="1")
    described = {
        (method.upper(), path)
        for path, operations in description["paths"].items()
        for method in operations
    }
    assert described == {(row.method, row.path) for row in API}
    ids = [op["operationId"] for ops in description["paths"].values() for op in ops.values()]
    assert len(ids) == len(set(ids))
    assert all(op["summary"] for ops in description["paths"].values() for op in ops.values())
    assert "$ref" not in json.dumps(
        [op["parameters"] for ops in description["paths"].values() for op in ops.values()]
    )
