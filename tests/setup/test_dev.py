"""`chimera dev` against a real server with a real store, and a channel on a real socket."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bot.cli.main import cli
from bot.errors import InputError
from bot.setup.saved import read_saved
from bot.setup.signature import HEADER, sign, why_not
from bot.setup.smee import Smee, delivery_of
from tests.web.deliveries import GUID, body_of, headers_for, labeled
from tests.web.house import SECRET, House, opened_house
from tests.web.serving import serving

DEADLINE_S = 20.0


@dataclass
class Desk:
    house: House
    url: str
    root: Path

    async def types(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`chimera dev …` with the server's secret in a file."""
        clean = {name: value for name, value in os.environ.items() if "CHIMERA" not in name}
        secret = self.root / "secret"
        secret.write_text(SECRET)
        given = {"CHIMERA_WEBHOOK_SECRET_FILE": str(secret), "CHIMERA_DATA_DIR": str(self.root)}
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "bot", "dev", *words],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**clean, **given, **env},
        )

    async def stored(self) -> list[str]:
        return [one.delivery_id for one in await self.house.queue.deliveries()]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened_house(tmp_path) as house, serving(house) as port:
        yield Desk(house, f"http://127.0.0.1:{port}/webhook", tmp_path)


def logged(payload: Any) -> str:
    """As GitHub's delivery log shows one."""
    headers = {"X-GitHub-Event": "issues", "X-GitHub-Delivery": GUID}
    return json.dumps({"id": 1, "guid": GUID, "request": {"headers": headers, "payload": payload}})


async def test_saved_deliveries_are_signed_and_taken(desk: Desk) -> None:
    folder = desk.root / "saved"
    folder.mkdir()
    (folder / "1.json").write_text(logged(labeled()))
    (folder / "issues.labeled.json").write_text(json.dumps(labeled()))
    done = await desk.types("replay", str(folder), "--url", desk.url, "--json")
    rows = json.loads(done.stdout)["deliveries"]
    assert [(row["event"], row["status"], row["answer"]) for row in rows] == [
        ("issues", 202, "accepted"),
        ("issues", 202, "accepted"),
    ]
    assert sorted(await desk.stored()) == sorted(row["delivery"] for row in rows)


async def test_a_kept_guid_is_taken_once(desk: Desk) -> None:
    file = desk.root / "one.json"
    file.write_text(logged(labeled()))
    said = []
    for _ in range(2):
        done = await desk.types("replay", str(file), "--keep-id", "--url", desk.url, "--json")
        said.append(json.loads(done.stdout)["deliveries"][0]["answer"])
    assert said == ["accepted", "duplicate"]
    assert await desk.stored() == [GUID]


async def test_a_refused_delivery_is_exit_1_and_a_silent_server_69(desk: Desk) -> None:
    file = desk.root / "issues.json"
    file.write_text(json.dumps(labeled()))
    other = desk.root / "other"
    other.write_text("another secret of thirty-two chars")
    refused = await desk.types(
        "replay", str(file), "--url", desk.url, CHIMERA_WEBHOOK_SECRET_FILE=str(other)
    )
    assert (refused.returncode, "401" in refused.stdout) == (1, True)
    assert await desk.stored() == []
    silent = await desk.types("replay", str(file), "--url", "http://127.0.0.1:1/webhook")
    assert silent.returncode == 69
    assert "Traceback" not in silent.stderr


@pytest.mark.parametrize("address", ["smee.io/x", "https://", "http://a:99999/x", "http://[::1/x"])
def test_an_address_that_is_none_is_usage(address: str) -> None:
    for words in (["smee", address], ["replay", ".", "--url", address]):
        done = CliRunner().invoke(cli, ["dev", *words])
        assert (done.exit_code, "is no address such as" in done.stderr) == (2, True)


async def test_sign_prints_what_the_server_accepts(desk: Desk) -> None:
    body = desk.root / "body.json"
    body.write_bytes(body_of(labeled()))
    done = await desk.types("sign", str(body))
    assert done.stdout.strip() == headers_for(body.read_bytes())[HEADER]
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [("[]", "a JSON object"), ("{", "is not JSON"), ('{"a": 1}', "which event")],
)
def test_what_is_no_delivery_is_refused_with_a_reason(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "2026-01-01.json"
    file.write_text(text)
    with pytest.raises(InputError, match=told):
        read_saved(file)


BODY = b'{"zen":"Design for failure."}'
FITS = {HEADER: sign(BODY, SECRET)}


@pytest.mark.parametrize(
    ("headers", "body", "secrets", "told"),
    [
        (FITS, BODY, [], "knows no webhook secret"),
        ({}, BODY, [SECRET], "has no secret on GitHub"),
        ({"x-hub-signature": "sha1=0"}, BODY, [SECRET], "old SHA-1"),
        ({HEADER: "sha256=xyz"}, BODY, [SECRET], "malformed"),
        (FITS, b"payload=%7B%7D", [SECRET], "content type to application/json"),
        (FITS, BODY, [f"{SECRET}\n"], "white space"),
        (FITS, BODY, ["another"], "is another than"),
        (FITS, BODY + b" ", [SECRET], "changed on the way"),
    ],
)
def test_a_signature_that_fails_is_explained(
    headers: dict[str, str], body: bytes, secrets: list[str], told: str
) -> None:
    said = why_not(headers, body, secrets)
    assert told in said
    assert SECRET not in said


def test_a_signature_that_fits_needs_no_words() -> None:
    assert why_not(FITS, BODY, ["old", SECRET]) == ""


@pytest.mark.parametrize("data", ["{}", "ready", "[1]", '{"body": 1}', '{"x-github-event": "x"}'])
def test_what_is_no_delivery_on_a_channel_is_passed_over(data: str) -> None:
    assert delivery_of(data) is None


def event(payload: Any, **changes: str) -> str:
    """A delivery as smee.io sends it: the headers, and the body as parsed JSON."""
    body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
    headers = headers_for(body, **{"content_type": None, **changes})
    told = {**headers, "host": "smee.io", "body": payload, "timestamp": 1}
    return json.dumps(told, ensure_ascii=False)  # as JSON.stringify: U+2028 stays what it is


@asynccontextmanager
async def channel(events: list[str]) -> AsyncIterator[tuple[str, list[int]]]:
    """An SSE server that sends these and closes the line; its address and connections."""
    connections: list[int] = []

    async def send(_request: Request) -> Response:
        connections.append(1)
        text = "event: ready\ndata: {}\n\n" + "".join(
            f"id: {i}\ndata: {one}\n\n" for i, one in enumerate(events)
        )

        async def chunks() -> AsyncIterator[str]:
            for start in range(0, len(text), 700):
                yield text[start : start + 700]

        return StreamingResponse(chunks(), media_type="text/event-stream")

    app = Starlette(routes=[Route("/channel", send)])
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    )
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/channel", connections
    finally:
        server.should_exit = True
        await running


async def test_a_channel_is_passed_on_and_read_again_when_it_breaks(desk: Desk) -> None:
    umlaut = labeled(action="labeled")
    umlaut["issue"]["title"] = "Größe ändern – 🚀 \u2028"
    forged = event(labeled(), x_hub_signature_256="sha256=" + "0" * 64, x_github_delivery="forged")
    told: list[str] = []
    async with channel([event(umlaut), forged]) as (address, connections):
        reader = Smee(
            channel=address,
            target=desk.url,
            secrets=(SECRET,),
            tell=told.append,
            first_pause_s=0.01,
        )
        running = asyncio.create_task(reader.run())
        async with asyncio.timeout(DEADLINE_S):
            while len(connections) < 3:  # noqa: ASYNC110 - the other side's count
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await desk.stored() == [GUID]
    assert f"issues {GUID}: 202" in told
    assert any(one.startswith("issues forged: not passed on. The secret on GitHub") for one in told)
    assert "The channel has closed the line." in told
