"""The door takes deliveries while the house behind it is still being loaded."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import httpx
from pydantic import SecretStr

from bot.app import create_app
from bot.config.choices import CageKind
from bot.config.settings import Settings
from bot.door import Door, open_store, serving, web_settings
from tests.web.deliveries import body_of, headers_for, labeled
from tests.web.house import SECRET


def settings_in(folder: Path) -> Settings:
    return Settings(
        data_dir=folder, webhook_secret=SecretStr(SECRET), cage=CageKind.NONE, worker_name="door"
    )


async def test_a_delivery_is_stored_before_the_house_is_there_and_read_by_it(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path)
    body = body_of(labeled())
    async with open_store(settings) as opened:
        door = Door(opened.queue, web_settings(settings))
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with contextlib.closing(listener):
            async with serving(door, listener), httpx.AsyncClient(base_url=url) as client:
                first = await client.post("/webhook", content=body, headers=headers_for(body))
                waiting = asyncio.create_task(client.get("/livez"))
                async with create_app(settings, opened=opened) as house:
                    assert not waiting.done()
                    door.open(house)
                    again = await client.post("/webhook", content=body, headers=headers_for(body))
                    assert (await waiting).status_code == 200
                    assert len(await house.queue.pending()) == 1
    assert (first.status_code, again.status_code) == (202, 200)


async def test_an_unsigned_delivery_is_refused_before_the_house_is_there(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    body = body_of(labeled())
    async with open_store(settings) as opened:
        transport = httpx.ASGITransport(Door(opened.queue, web_settings(settings)))
        async with httpx.AsyncClient(transport=transport, base_url="http://bot.test") as client:
            headers = headers_for(body, x_hub_signature_256="sha256=00")
            answer = await client.post("/api/github/webhooks", content=body, headers=headers)
        assert answer.status_code == 401
        assert await opened.queue.pending() == []


_SERVED = """
import asyncio, contextlib, gc, sys
from pathlib import Path
from types import SimpleNamespace
from bot import door, log
from bot.app import create_app
from bot.config.choices import CageKind
from bot.config.settings import Settings

class Daemon:
    stopping = False
    async def run(self):
        print(gc.get_freeze_count() > len(gc.get_objects()))
    def stop(self):
        raise AssertionError("nobody asked")

@contextlib.asynccontextmanager
async def furnish(settings, opened):
    async with create_app(settings, opened=opened) as house:
        yield SimpleNamespace(web=house.web, daemon=Daemon())

log.set_up(level="ERROR")
settings = Settings(data_dir=Path(sys.argv[1]), port=0, cage=CageKind.NONE, worker_name="door")
asyncio.run(door.serve(settings, lambda: furnish))
"""


def test_the_collector_of_a_server_leaves_alone_what_was_loaded(tmp_path: Path) -> None:
    """In a process of its own, as a server is."""
    done = subprocess.run(
        [sys.executable, "-c", _SERVED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
