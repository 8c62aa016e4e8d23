"""Deliveries as they really are, and with everything wrong with them that a field can have.

A field that is missing, null or of another type never ends in an error, and never in a meaning
that the delivery did not have: what it bears on is empty, or the delivery means nothing.
"""

import asyncio
import dataclasses
import gc
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.events import Event
from bot.github.fields import Fields
from bot.github.readers import event_of, repo_of
from bot.github.webhook import from_json, parse, to_json
from tests.fuzz.mutate import OTHERS, changed, examples, garbled, places
from tests.web.deliveries import headers_for, raw
from tests.web.house import SECRET, House, opened_house

EXAMPLES = examples()
MANY = 10_000 if os.environ.get("FUZZ") == "all" else 1_500
STALL_S = 0.050  #: of the event loop; counted in processor time, which no neighbour can lengthen
EMPTY = {"", 0, None, "main", "open", "ghost"}

#: What each event's meaning hangs on; a change anywhere else changes nothing.
OF_ALL = (
    "action",
    "repository.id repository.name repository.full_name repository.default_branch",
    "repository.owner.login installation.id",
    "sender.login sender.id sender.type",
)
ISSUE = (
    "issue.number issue.title issue.body issue.state issue.html_url",
    "issue.updated_at",
    "issue.labels issue.pull_request",
    "issue.user.login issue.user.id issue.user.type",
)
MEANING = {
    "issues": (*ISSUE, "label.name"),
    "issue_dependencies": ("blocking_issue.number blocking_issue.repository_url",),
    "issue_comment": (*ISSUE, "comment.id comment.body"),
    "pull_request_review": (
        "review.id review.node_id review.state review.body review.commit_id pull_request.number",
    ),
    "check_run": (
        "check_run.id check_run.name check_run.external_id check_run.head_sha",
        "check_run.check_suite.head_branch",
        "requested_action.identifier",
    ),
    "check_suite": (
        "check_suite.head_sha check_suite.conclusion check_suite.app.slug check_suite.app.id",
    ),
    "workflow_run": (
        "workflow_run.id workflow_run.path workflow_run.display_title workflow_run.conclusion",
        "workflow_run.head_sha workflow_run.html_url workflow_run.event workflow.path",
    ),
    "deployment_status": (
        "deployment.id deployment.environment workflow_run.id",
        "deployment_status.state deployment_status.environment_url",
    ),
    "deployment_protection_rule": ("environment deployment_callback_url",),
    "push": ("ref before after",),
    "pull_request": (
        "pull_request.number pull_request.merged pull_request.merge_commit_sha",
        "pull_request.head.ref pull_request.head.sha pull_request.base.ref",
    ),
    "merge_group": ("merge_group.head_sha merge_group.head_ref",),
    "repository": (),
    "installation": ("repositories repositories_added repositories_removed",),
    "installation_repositories": ("repositories repositories_added repositories_removed",),
}


def read(name: str, payload: Any) -> Event | None:
    fields = Fields(payload)
    return event_of(name, fields, repo_of(fields))


def leaves(value: Any) -> Iterator[Any]:
    """Every text, number and truth in an event."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, tuple):
        for member in value:
            yield from leaves(member)
    else:
        yield value


def scalars(payload: Any) -> Iterator[Any]:
    """Every text, number and truth in a payload, and the parts of what is written in one."""
    if isinstance(payload, dict | list):
        for member in payload.values() if isinstance(payload, dict) else payload:
            yield from scalars(member)
    else:
        yield payload
        if isinstance(payload, str):
            parts = payload.split("/")
            yield from (payload.lower(), payload.partition("@")[0], *parts)
            yield from (int(part) for part in parts if part.isdecimal() and len(part) < 20)


def bears_on(place: tuple[str | int, ...], name: str) -> bool:
    """Whether a place holds something that the meaning hangs on, lies in it, or around it."""
    dotted = ".".join(map(str, place))
    known = " ".join((*OF_ALL, *MEANING[name])).split()
    return any(
        path == dotted or path.startswith(f"{dotted}.") or dotted.startswith(f"{path}.")
        for path in known
    )


@pytest.mark.parametrize("key", sorted(EXAMPLES))
def test_an_example_of_every_delivery_that_we_listen_to_is_understood(key: str) -> None:
    event = read(key.partition(".")[0], EXAMPLES[key])
    assert event is not None
    assert from_json(to_json(event)) == event


@pytest.mark.parametrize("key", sorted(EXAMPLES))
def test_a_field_of_another_kind_takes_its_own_meaning_away_and_no_other(key: str) -> None:
    name, payload = key.partition(".")[0], EXAMPLES[key]
    whole = read(name, payload)
    said = set(scalars(payload))
    for place in list(places(payload)):
        for value in OTHERS:
            with changed(payload, place, value):
                event = read(name, payload)
            where = f"{place} = {value!r}"
            if not bears_on(place, name):
                assert event == whole, where
            elif event is not None:
                assert type(event) is type(whole) or place == ("action",), where
                assert set(leaves(event)) <= said | {value if _is_scalar(value) else None} | EMPTY


def test_ten_thousand_garbled_deliveries_are_read_without_a_stall() -> None:
    dice, slowest = random.Random(5), (0.0, "")
    keys = sorted(EXAMPLES)
    gc.collect()
    gc.freeze()  # this process's own tests are not the server's to clean up
    try:
        for number in range(MANY):
            key = dice.choice(keys)
            body = _encoded(garbled(EXAMPLES[key], dice))
            name = dice.choice((key.partition(".")[0],) * 9 + ("unheard_of",))
            headers = headers_for(body, x_github_event=name)
            began = time.thread_time()
            delivery = parse(raw(headers), body, secrets=[SECRET])
            if delivery.event is not None:
                stored = to_json(delivery.event)
                slowest = max(slowest, (time.thread_time() - began, key))
                assert from_json(stored) == delivery.event, number
    finally:
        gc.unfreeze()
    assert slowest[0] < STALL_S, slowest


async def test_every_garbled_delivery_with_a_valid_signature_is_a_2xx(tmp_path: Path) -> None:
    dice, keys = random.Random(6), sorted(EXAMPLES)
    async with opened_house(tmp_path) as house, house.client() as client:
        for _ in range(max(4, MANY // 250)):
            chosen = [dice.choice(keys) for _ in range(50)]
            answers = await asyncio.gather(*(_post(client, key, dice) for key in chosen))
            assert {answer.status_code for answer in answers} <= {202}
        assert await _all_stored_can_be_read(house) > 0


async def _post(client: httpx.AsyncClient, key: str, dice: random.Random) -> httpx.Response:
    body = _encoded(garbled(EXAMPLES[key], dice))
    guid = f"{dice.getrandbits(128):032x}"
    name = key.partition(".")[0]
    headers = headers_for(body, x_github_event=name, x_github_delivery=guid)
    return await client.post("/webhook", content=body, headers=headers)


async def _all_stored_can_be_read(house: House) -> int:
    rows = await house.queue.deliveries(limit=100_000)
    for row in rows:
        from_json(row.payload_text)
    return len(rows)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int)


def _encoded(payload: Any) -> bytes:
    return json.dumps(payload).encode()
