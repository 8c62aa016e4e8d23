"""The API over tasks: what goes in, what comes out, what is refused and how it is said."""

import httpx
import pytest

from bot.config.choices import Verb
from bot.domain import Cause, Cursor, JournalLine, Outcome, Phase, Status, Wait, WaitFor
from bot.errors import StoreError, Transient
from bot.facts import Deployment, Facts, FrozenFile, Spend
from bot.web.parts import Submission, WebSettings
from bot.workflow.commands import spec_of
from tests.web.house import OTHER, START, House

WISH = {"feature": "Add logout\n\nA button.", "target_url": "https://staging.example.test/x"}


async def test_a_wish_is_accepted_and_becomes_a_task(
    house: House, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/api/tasks", json={**WISH, "priority": 8})
    assert answer.status_code == 202
    assert answer.json().keys() == {"task_id", "status"}
    assert answer.json()["status"] == "QUEUED"
    shown = (await client.get(f"/api/tasks/{answer.json()['task_id']}")).json()
    assert (shown["phase"], shown["priority"], shown["position"]) == ("E2E_TEST_GENERATION", 8, 1)
    assert shown["result"] == {"test_path": "", "code_pr_id": None, "deployment_url": ""}
    assert shown["created_at"] == "2023-11-14T22:13:20.000Z"


async def test_a_submission_names_the_default_repository_and_priority(
    house: House, client: httpx.AsyncClient
) -> None:
    await client.post("/api/tasks", json=WISH)
    [wish] = house.submissions
    assert (wish.repository, wish.priority, wish.by) == ("octo/shop", 5, "local")


WRONG = [
    ({}, {"#/feature"}),
    ({"feature": " \n"}, {"#/feature"}),
    ({"feature": "nul \x00"}, {"#/feature"}),
    ({"feature": "x" * 60_001}, {"#/feature"}),
    ({"feature": 5}, {"#/feature"}),
    ({**WISH, "priority": 0}, {"#/priority"}),
    ({**WISH, "priority": 11}, {"#/priority"}),
    ({**WISH, "priority": "5"}, {"#/priority"}),
    ({**WISH, "priority": True}, {"#/priority"}),
    ({**WISH, "issue": 0}, {"#/issue"}),
    ({**WISH, "repository": "shop"}, {"#/repository"}),
    ({**WISH, "repository": "octo/.."}, {"#/repository"}),
    ({**WISH, "repository": "octo/a/b"}, {"#/repository"}),
    ({**WISH, "colour": "red"}, {"#/colour"}),
    (
        {"target_url": "ftp://x", "priority": 99, "a/b": 1},
        {"#/feature", "#/target_url", "#/priority", "#/a~1b"},
    ),
    ([], {"#"}),
    ("text", {"#"}),
]


@pytest.mark.parametrize(("body", "pointers"), WRONG)
async def test_every_wrong_field_is_named(
    house: House, client: httpx.AsyncClient, body: object, pointers: set[str]
) -> None:
    answer = await client.post("/api/tasks", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["pointer"] for error in answer.json()["errors"]} == pointers
    assert house.submissions == []


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.test/",
        "https://staging.example.test.evil.test/",
        "https://user@staging.example.test/",
        "https://staging.example.test@evil.test/",
        "https://evil.test\\@staging.example.test/",
        "https://staging.example.test:99999/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//staging.example.test/",
        "https:///path",
        "https://[::1",
        "http://localhost:3001/",
        "http://2130706433/",
        "https://staging.example.tëst/",
        "https://staging.example.test/\r\nx",
    ],
)
async def test_a_target_that_is_not_allowed_exactly_is_refused(
    house: House, client: httpx.AsyncClient, url: str
) -> None:
    answer = await client.post("/api/tasks", json={**WISH, "target_url": url})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/target_url"]


@pytest.mark.parametrize(
    "url",
    ["http://staging.example.test", "HTTPS://STAGING.EXAMPLE.TEST/a?b#c", "http://localhost:3000"],
)
async def test_an_allowed_target_is_accepted(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.post("/api/tasks", json={**WISH, "target_url": url})
    assert answer.status_code == 202


async def test_without_a_default_repository_the_setting_is_named(house: House) -> None:
    house.settings = WebSettings()
    async with house.client() as client:
        answer = await client.post("/api/tasks", json={"feature": "Add logout"})
    assert answer.status_code == 422
    assert "CHIMERA_DEFAULT_REPOSITORY" in answer.text


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"feature": "\\ud800"}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b"feature=x", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"x" * (1024 * 1024 + 1), "application/json", 413),
    ],
)
async def test_a_body_that_cannot_be_read_is_a_4xx_problem(
    client: httpx.AsyncClient, body: bytes, kind: str, status: int
) -> None:
    answer = await client.post("/api/tasks", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_same_idempotency_key_gives_the_same_task(
    house: House, client: httpx.AsyncClient
) -> None:
    headers = {"idempotency-key": "one"}
    first = await client.post("/api/tasks", json=WISH, headers=headers)
    again = await client.post("/api/tasks", json=WISH, headers=headers)
    other = await client.post("/api/tasks", json={**WISH, "priority": 1}, headers=headers)
    assert first.json() == again.json()
    assert other.status_code == 422
    bad = await client.post("/api/tasks", json=WISH, headers={"idempotency-key": "a b"})
    assert bad.status_code == 400


@pytest.mark.parametrize(("error", "status"), [(StoreError("full"), 503), (Transient("x"), 503)])
async def test_trouble_while_submitting_says_try_again(
    house: House, error: Exception, status: int
) -> None:
    async def submit(_: Submission) -> None:
        raise error

    async with house.client(submit=submit) as client:
        answer = await client.post("/api/tasks", json=WISH)
    assert answer.status_code == status
    assert "retry-after" in answer.headers


async def test_a_mistake_of_ours_is_a_500_without_its_details(house: House) -> None:
    async def submit(_: Submission) -> None:
        raise RuntimeError("a secret path")

    async with house.client(submit=submit) as client:
        answer = await client.post("/api/tasks", json=WISH)
    assert answer.status_code == 500
    assert "secret path" not in answer.text


async def test_a_task_shows_what_it_made_what_it_waits_for_and_what_it_cost(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=3)
    facts = Facts(
        pull=12,
        tests=(FrozenFile(path="tests/e2e/test_logout.py", sha256="0" * 64),),
        staging=Deployment(
            name="staging/1.1",
            environment="staging",
            sha="abc",
            url="https://staging.example.test",
        ),
    )
    wait = Wait(on=WaitFor.APPROVAL, reason="approve production of abc")
    await house.put(
        task,
        status=Status.WAITING,
        facts=facts,
        wait=wait,
        cursor=Cursor(phase=Phase.PRODUCTION_DEPLOYMENT, round=2),
        spend=Spend(requests=3, input_tokens=1000, output_tokens=50, cost_usd=0.84),
    )
    shown = (await client.get(f"/api/tasks/{task.id}")).json()
    assert shown["result"] == {
        "test_path": "tests/e2e/test_logout.py",
        "code_pr_id": 12,
        "deployment_url": "https://staging.example.test",
    }
    assert shown["wait"] == {
        "on": "approval",
        "reason": "approve production of abc",
        "until": None,
        "needs_person": True,
    }
    assert (shown["repository"], shown["issue"], shown["pull_request"]) == ("octo/shop", 3, 12)
    assert (shown["round"], shown["cost_usd"]) == (2, 0.84)
    assert shown["tokens"] == {"input": 1000, "output": 50}


async def test_the_list_has_filters_and_pages_that_miss_nothing(
    house: House, client: httpx.AsyncClient
) -> None:
    made = [await house.add(f"wish {n}", issue=n) for n in range(1, 8)]
    await house.add("elsewhere", repo=OTHER, issue=1)
    await house.put(made[2], status=Status.FAILED, cause=Cause.GATE)
    seen: list[str] = []
    query: dict[str, str] = {"repository": "Octo/Shop", "limit": "3"}
    while True:
        page = (await client.get("/api/tasks", params=query)).json()
        seen += [task["task_id"] for task in page["tasks"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == [task.id for task in reversed(made)]
    failed = (await client.get("/api/tasks?status=FAILED")).json()["tasks"]
    assert [(task["task_id"], task["cause"]) for task in failed] == [(made[2].id, "gate")]


@pytest.mark.parametrize(
    "query",
    ["status=BUSY", "phase=x", "limit=0", "limit=201", "limit=x", "cursor=x", "colour=red"],
)
async def test_a_wrong_filter_is_named(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/tasks?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"#/{query.partition('=')[0]}"


async def test_cancel_ends_a_live_task_and_refuses_an_ended_one(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    first = await client.post(f"/api/tasks/{task.id}/cancel")
    assert (first.status_code, first.json()["status"]) == (200, "CANCELLED")
    again = await client.post(f"/api/tasks/{task.id}/cancel")
    assert again.status_code == 409


async def test_retry_is_for_tasks_that_ended_badly_and_may_name_the_phase(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    url = f"/api/tasks/{task.id}/retry"
    assert (await client.post(url)).status_code == 409
    await house.put(task, status=Status.DEAD, cause=Cause.POISON)
    assert (await client.post(url, json={"phase": "NOWHERE"})).status_code == 422
    answer = await client.post(url, json={"phase": "CODE_IMPLEMENTATION"})
    assert (answer.json()["status"], answer.json()["phase"]) == ("QUEUED", "CODE_IMPLEMENTATION")


async def test_retry_is_possible_in_every_state_in_which_the_comment_can_ask_for_it(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    wait = Wait(on=WaitFor.RUN, reason="run 88 is under way", key="run:88")
    for status in Status:
        parked = wait if status is Status.WAITING else None
        await house.put(task, status=status, wait=parked)
        answer = await client.post(f"/api/tasks/{task.id}/retry")
        possible = status in spec_of(Verb.RETRY).statuses
        assert answer.status_code == (200 if possible else 409), status
        assert possible or status in answer.json()["detail"]


async def test_priority_moves_a_task_in_the_queue(house: House, client: httpx.AsyncClient) -> None:
    await house.add(issue=1)
    late = await house.add(issue=2)
    url = f"/api/tasks/{late.id}/priority"
    assert (await client.post(url, json={"priority": 11})).status_code == 422
    answer = await client.post(url, json={"priority": 9})
    assert (answer.json()["priority"], answer.json()["position"]) == (9, 1)


async def test_dead_tasks_are_listed_and_can_be_discarded(
    house: House, client: httpx.AsyncClient
) -> None:
    live, task = await house.add(issue=1), await house.add(issue=2)
    await house.put(task, status=Status.DEAD)
    dead = (await client.get("/api/dead")).json()["tasks"]
    assert [each["task_id"] for each in dead] == [task.id]
    assert (await client.post(f"/api/dead/{live.id}/discard")).status_code == 409
    assert (await client.post(f"/api/dead/{task.id}/discard")).status_code == 200
    assert (await client.get("/api/dead")).json()["tasks"] == []


async def test_only_a_dead_task_is_requeued_as_such_and_it_may_name_the_phase(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    url = f"/api/dead/{task.id}/requeue"
    await house.put(task, status=Status.FAILED, cause=Cause.GATE)
    assert (await client.post(url)).status_code == 409
    await house.put(task, status=Status.DEAD, cause=Cause.TIMEOUT)
    assert (await client.post(url, json={"phase": "NOWHERE"})).status_code == 422
    answer = await client.post(url, json={"phase": "CODE_IMPLEMENTATION"})
    assert (answer.json()["status"], answer.json()["phase"]) == ("QUEUED", "CODE_IMPLEMENTATION")
    assert (await client.post(url)).status_code == 409


async def test_the_journal_is_complete_and_its_evidence_is_json(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    line = JournalLine(
        task_id=task.id,
        n=0,
        phase=Phase.E2E_TEST_GENERATION,
        cursor=Cursor(),
        outcome=Outcome.PASS,
        summary="2 written",
        started_at=START,
        seconds=1.25,
        evidence='{"exit_code": 1}',
    )
    await house.queue.change(task.id, lambda t: t, line=line)
    shown = (await client.get(f"/api/tasks/{task.id}/journal")).json()
    assert [(x["n"], x["phase"], x["outcome"], x["seconds"]) for x in shown["lines"]] == [
        (1, "E2E_TEST_GENERATION", "pass", 1.25)
    ]
    assert shown["lines"][0]["evidence"] == {"exit_code": 1}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/tasks/none"),
        ("GET", "/api/tasks/none/journal"),
        ("GET", "/api/tasks/none/events"),
        ("POST", "/api/tasks/none/cancel"),
        ("POST", "/api/dead/none/requeue"),
        ("POST", "/api/dead/none/discard"),
        ("GET", "/api/nothing"),
    ],
)
async def test_what_is_not_there_is_a_404_problem(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_method_is_told_the_right_ones(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/api/tasks")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert answer.headers["allow"] in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api", "/api/", "/nothing"])
async def test_whoever_guesses_an_address_is_told_where_to_look(
    client: httpx.AsyncClient, path: str
) -> None:
    detail = (await client.get(path)).json()["detail"]
    for address in ("/openapi.json", "/"):
        assert address in detail
        assert (await client.get(address)).status_code == 200


async def test_no_secret_leaves_in_an_answer(house: House, client: httpx.AsyncClient) -> None:
    token = "ghp_" + "a1B2" * 9
    task = await house.add(f"leak {token}", issue=1)
    for path in (f"/api/tasks/{task.id}", "/api/tasks", f"/tasks/{task.id}", "/"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert token not in answer.text
        assert "[secret]" in answer.text
