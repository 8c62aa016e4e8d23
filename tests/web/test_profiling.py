"""Where the event loop's time goes: watched on request, by one, and not loaded before."""

import asyncio
import subprocess
import sys
import time

import httpx

from tests.web.house import OTHER, House, bearer

SHORT = {"seconds": "0.3"}


async def busy(until: asyncio.Event) -> None:
    """A task of the loop that has nothing to do with the request."""
    while not until.is_set():
        end_of_turn = time.monotonic() + 0.005
        while time.monotonic() < end_of_turn:
            pass
        await asyncio.sleep(0)


async def test_a_profile_shows_what_other_tasks_of_the_loop_do(client: httpx.AsyncClient) -> None:
    done = asyncio.Event()
    other = asyncio.create_task(busy(done))
    answer = await client.post("/api/profile", params=SHORT)
    done.set()
    await other
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "busy" in answer.text


async def test_nothing_watches_after_the_answer(client: httpx.AsyncClient) -> None:
    await client.post("/api/profile", params=SHORT)
    assert sys.getprofile() is None


async def test_one_watches_at_a_time(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post("/api/profile", params=SHORT) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert (await client.post("/api/profile", params=SHORT)).status_code == 200


async def test_it_takes_a_token_that_may_write_everywhere(
    house: House, client: httpx.AsyncClient
) -> None:
    reader = bearer(await house.tokens.create("reader", scopes=("read",)))
    one = bearer(await house.tokens.create("one", scopes=("write",), repos=(OTHER.id,)))
    assert (await client.post("/api/profile", params=SHORT, headers=reader)).status_code == 403
    assert (await client.post("/api/profile", params=SHORT, headers=one)).status_code == 403


async def test_a_time_that_cannot_be_is_refused(client: httpx.AsyncClient) -> None:
    for seconds in ("0", "61", "soon", "nan"):
        answer = await client.post("/api/profile", params={"seconds": seconds})
        assert answer.status_code == 422, seconds


def test_a_server_that_nobody_watches_has_not_loaded_the_profiler() -> None:
    say = "import sys, bot.app, bot.web.routes; print('pyinstrument' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
