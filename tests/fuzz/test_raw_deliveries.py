"""Deliveries as bytes: what JSON's grammar allows and no encoder writes, and what it does not.

`test_deliveries` changes values; here the text itself is strange: keys that come twice, numbers of
five thousand digits, escapes of half a character, nesting without an end, other headers.
"""

import copy
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.events import CommentCreated, IssueLabeled
from bot.github.webhook import from_json, parse, to_json
from bot.web.receiver import OFF_THE_LOOP
from tests.fuzz.mutate import Place, examples, places
from tests.fuzz.test_deliveries import bears_on, read
from tests.web.deliveries import headers_for, raw
from tests.web.house import SECRET, opened_house

EXAMPLES = examples()
MANY = 10_000 if os.environ.get("FUZZ") == "all" else 600
STALL_S = 0.050  #: of processor time, which no neighbour can lengthen
LONGEST = 65_536  #: characters of an issue's body

#: JSON by its grammar; a value in the text of a delivery.
STRANGE = (
    "-0",
    "1E400",
    "1.0",
    "0.1e-5",
    "9" * 5_000,
    "-" + "9" * 400,
    str(2**63),
    str(2**64),
    '"\\ud800"',
    '"\\udc00\\ud800 half"',
    '"\\u0000"',
    '"\\/\\b\\f\\n\\r\\t"',
    '"\u2028\u202e\ufeff"',
    '"' + "ü" * 70_001 + '"',
    "[" * 200 + "]" * 200,
    '{"a":' * 200 + "1" + "}" * 200,
    '{"id":1,"id":"two","id":null}',
    '{"login":[],"id":{},"name":true}',
    "[[],{},null,true,-1]",
    " \r\n\t null \t",
)
#: Nested deeper than any parser follows: it may cost the meaning, and nothing else.
BOTTOMLESS = ("[" * 20_000 + "]" * 20_000, '{"a":' * 20_000 + "1" + "}" * 20_000)
#: No JSON, though some parsers take it.
WRONG = ("NaN", "-Infinity", "+1", "01", "'x'", '"\t"', "undefined", '"', "[", "{,}")


def written(payload: Any, place: Place, value: str) -> bytes:
    """The payload as text, with this text at one place."""
    mark = "\x01here\x01"
    if not place:
        return value.encode("utf-8", "surrogatepass")
    text = json.dumps(_replaced(payload, place, mark))
    return text.replace(json.dumps(mark), value, 1).encode("utf-8", "surrogatepass")


def _replaced(payload: Any, place: Place, value: Any) -> Any:
    step, rest = place[0], place[1:]
    inner = _replaced(payload[step], rest, value) if rest else value
    made = copy.copy(payload)
    made[step] = inner
    return made


def drawn(dice: random.Random, values: tuple[str, ...]) -> tuple[str, Place, bytes]:
    key = dice.choice(KEYS)
    place = dice.choice(PLACES[key])
    return key, place, written(EXAMPLES[key], place, dice.choice(values))


KEYS = sorted(EXAMPLES)
PLACES = {key: list(places(EXAMPLES[key])) for key in KEYS}


def test_a_strange_text_where_no_meaning_hangs_changes_no_meaning() -> None:
    dice, same = random.Random(11), 0
    for _ in range(MANY):
        key, place, body = drawn(dice, STRANGE)
        name = key.partition(".")[0]
        event = parse(raw(headers_for(body, x_github_event=name)), body, secrets=[SECRET]).event
        if event is not None:
            assert from_json(to_json(event)) == event, (key, place)
        if not bears_on(place, name):
            assert event == read(name, EXAMPLES[key]), (key, place)
            same += 1
    assert same > MANY / 4


@pytest.mark.parametrize(
    ("values", "allowed"), [(STRANGE, {202}), (BOTTOMLESS, {202}), (WRONG, {202, 400})]
)
async def test_after_a_valid_signature_json_is_a_2xx_and_nothing_is_a_500(
    tmp_path: Path, values: tuple[str, ...], allowed: set[int]
) -> None:
    dice = random.Random(12)
    async with opened_house(tmp_path) as house, house.client() as client:
        for number in range(max(60, MANY // 20)):
            key, place, body = drawn(dice, values)
            name = key.partition(".")[0]
            headers = headers_for(body, x_github_event=name, x_github_delivery=f"{number:032x}")
            answer = await client.post("/webhook", content=body, headers=headers)
            assert answer.status_code in allowed, (key, place, body[:80])
        for row in await house.queue.deliveries(limit=100_000):
            from_json(row.payload_text)


@pytest.mark.parametrize("value", ["null", "[]", "{}", "7", '"x"', "true", *BOTTOMLESS])
async def test_a_body_that_is_json_and_no_delivery_is_ignored(tmp_path: Path, value: str) -> None:
    async with opened_house(tmp_path) as house, house.client() as client:
        for name in ("issues", "installation", "push", "unheard_of"):
            body = written(None, (), value)
            answer = await _post(client, body, x_github_event=name)
            assert (answer.status_code, answer.json()["status"]) == (202, "ignored")
        assert await house.queue.pending() == []


LABELED = EXAMPLES["issues.labeled"]


@pytest.mark.parametrize("text", ["x" * LONGEST, "ü" * LONGEST, "🦁" * LONGEST, "\\\n" * 32_768])
def test_the_longest_text_that_an_issue_can_have_is_kept_whole(text: str) -> None:
    body = json.dumps(LABELED | {"issue": LABELED["issue"] | {"body": text}}).encode()
    event = parse(raw(headers_for(body)), body, secrets=[SECRET]).event
    assert isinstance(event, IssueLabeled)
    assert from_json(to_json(event)) == event
    assert event.issue.body == text


@pytest.mark.parametrize("size", [LONGEST + 1, 100_000, 1_000_000])
def test_a_text_that_no_issue_can_have_is_cut_and_the_rest_is_understood(size: int) -> None:
    comment = EXAMPLES["issue_comment.created"]
    long = {"issue": comment["issue"] | {"body": "y" * size}}
    body = json.dumps(comment | long).encode()
    event = parse(
        raw(headers_for(body, x_github_event="issue_comment")), body, secrets=[SECRET]
    ).event
    whole = read("issue_comment", comment)
    assert isinstance(event, CommentCreated)
    assert isinstance(whole, CommentCreated)
    assert (event.comment_id, event.body) == (whole.comment_id, whole.body)
    assert len(event.issue.body) <= size


@pytest.mark.parametrize("number", ["0", "-1", "true", "1.0", str(10**30), '"7"', "null", "[1]"])
def test_what_can_be_no_id_is_none(number: str) -> None:
    for place in (("issue", "number"), ("repository", "id")):
        body = written(LABELED, place, number)
        assert parse(raw(headers_for(body)), body, secrets=[SECRET]).event is None, place


HEADERS: list[tuple[dict[str, str | None], int]] = [
    ({}, 202),
    ({"x_github_hook_id": "not a number"}, 202),
    ({"x_github_hook_id": "9" * 400}, 202),
    ({"x_github_hook_installation_target_id": "١٢"}, 202),
    ({"x_github_hook_installation_target_type": "organization"}, 202),
    ({"x_hub_signature": "sha1=" + "0" * 40}, 202),  # the old one; nobody looks at it
    ({"user_agent": None}, 202),
    ({"content_type": "application/json; charset=utf-8"}, 202),
    ({"content_type": "APPLICATION/JSON"}, 202),
    ({"content_type": "application/x-www-form-urlencoded"}, 415),
    ({"content_type": "multipart/form-data; boundary=x"}, 415),
    ({"content_type": "application/jsonp"}, 415),
    ({"content_type": None}, 415),
    ({"x_github_event": None}, 400),
    ({"x_github_event": "issues\t"}, 400),
    ({"x_github_event": "Issues"}, 400),
    ({"x_github_delivery": None}, 400),
    ({"x_github_delivery": "../../x"}, 400),
    ({"x_github_delivery": "a" * 101}, 400),
    ({"x_hub_signature_256": None}, 401),
]


@pytest.mark.parametrize(("changes", "status"), HEADERS, ids=lambda it: str(it)[:60])
async def test_headers_as_they_may_come(
    tmp_path: Path, changes: dict[str, str | None], status: int
) -> None:
    body = json.dumps(LABELED).encode()
    async with opened_house(tmp_path) as house, house.client() as client:
        answer = await _post(client, body, **changes)
        assert answer.status_code == status
        assert len(await house.queue.pending()) == (status == 202)


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_the_case_of_a_header_does_not_matter(case: Callable[[str], str]) -> None:
    body = json.dumps(LABELED).encode()
    headers = {case(name): value for name, value in headers_for(body).items()}
    assert isinstance(parse(raw(headers), body, secrets=[SECRET]).event, IssueLabeled)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json"])
async def test_a_form_is_refused_whatever_type_it_names(tmp_path: Path, kind: str) -> None:
    body = b"payload=" + json.dumps(LABELED).encode()
    async with opened_house(tmp_path) as house, house.client() as client:
        answer = await _post(client, body, content_type=kind)
        assert answer.status_code == (400 if kind.endswith("json") else 415)
        assert await house.queue.pending() == []


def heavy(size: int) -> Iterator[tuple[str, str, bytes]]:
    """Bodies that are as large as the loop itself will read, each the worst of its kind."""
    issue = json.dumps(LABELED["issue"])[:-1]
    head = '{"action":"labeled","repository":' + json.dumps(LABELED["repository"])
    labels = f'{head},"label":{{"name":"x"}},"issue":{issue},"labels":['
    text = f'{head},"label":{{"name":"x"}},"issue":{issue},"body":"'
    given = '{"action":"created","installation":{"id":1},"repositories":['
    fillings = {
        "labels": ("issues", labels, "{},", "{}]}}"),
        "names": ("issues", labels, '"a",', '""]}}'),
        "repositories": ("installation", given, '{"id":1,"full_name":"a/b"},', "{}]}"),
        "keys": ("issues", f"{head},", '"k":1,', '"z":0}'),
        "digits": ("issues", f'{head},"n":1', "9", "}"),
        "fraction": ("issues", f'{head},"n":0.', "9", "}"),
        "halves": ("issues", text, "\\ud800", '"}}'),
        "escapes": ("issues", text, "\\\\", '"}}'),
        "brackets": ("issues", f'{head},"n":', "[", "]" * 9),
        "branch": ("push", f'{head},"ref":"refs/heads/', "a/", '"}'),
        "dots": ("push", f'{head},"ref":"refs/heads/', ".", '"}'),
    }
    for kind, (name, before, filling, after) in fillings.items():
        times = (size - len(before) - len(after)) // len(filling)
        yield kind, name, (before + filling * times + after).encode()


def test_no_body_that_the_loop_reads_itself_holds_it_up() -> None:
    for kind, name, body in heavy(OFF_THE_LOOP):
        headers = headers_for(body, x_github_event=name)
        took = []
        for _ in range(3):
            began = time.thread_time()
            event = parse(raw(headers), body, secrets=[SECRET]).event
            if event is not None:
                to_json(event)
            took.append(time.thread_time() - began)
        assert min(took) < STALL_S, (kind, took)


async def _post(client: httpx.AsyncClient, body: bytes, **changes: str | None) -> httpx.Response:
    headers = headers_for(body, **changes)
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    return await client.post("/webhook", content=body, headers=encoded)
