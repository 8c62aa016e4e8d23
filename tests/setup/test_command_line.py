"""Set-up to sweep as somebody types it: processes of their own against a hub on a socket."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import Any

import httpx

from bot.config.environment import SETTINGS_FILE
from tests.setup.stand import DEADLINE_S, Stand, Wizard


def environment(stand: Stand) -> dict[str, str]:
    """Only the data directory is told; everything else comes out of it."""
    clean = {name: value for name, value in os.environ.items() if "CHIMERA" not in name}
    clean.pop("HTTP_PROXY", None)
    return clean | {"CHIMERA_DATA_DIR": str(stand.data_dir), "CHIMERA_WRITE_SPACING_S": "0"}


async def typed(stand: Stand, *words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bot", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(stand),
    )


async def set_up(stand: Stand, hook_url: str) -> dict[str, Any]:
    """`chimera setup` without a browser, walked through over HTTP; its last line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "setup", "--no-browser", "--json"),
        stdout=asyncio.subprocess.PIPE,
        env=environment(stand),
    )
    assert process.stdout is not None
    try:
        async with (
            asyncio.timeout(DEADLINE_S * 2),
            httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser,
        ):
            first = json.loads(await process.stdout.readline())
            assert first["event"] == "listening"
            wizard = Wizard(address=first["url"], browser=browser)
            await wizard.enter()
            await wizard.make_app(stand.hub.base_url, hook_url=hook_url)
            app = next(one for one in stand.hub.world.apps.values() if one.slug == "chimera-acme")
            stand.hub.install(app.id, "acme")
            await wizard.submit("/prepare", repository="acme/shop", labels="1", files="1")
            await wizard.submit("/finish")
            last: dict[str, Any] = json.loads(await process.stdout.read())
            assert await process.wait() == 0
            return last
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_setup_then_doctor_then_sweep_with_nothing_else_said(stand: Stand) -> None:
    last = await set_up(stand, "http://127.0.0.1:1/webhook")
    assert last["finished"] is True
    assert last["settings"] == str(stand.data_dir / SETTINGS_FILE)
    await stand.hub.settle()

    examined = await typed(stand, "doctor", "--repository", "acme/shop", "--json")
    findings = json.loads(examined.stdout)["findings"]
    told = {m: " | ".join(f["text"] for f in findings if f["mark"] == m) for m in ("good", "bad")}
    assert "the key works: chimera-acme" in told["good"]
    assert "has every label" in told["good"]
    assert "deliveries failed (502)" in told["bad"]
    assert "settings.yml is its owner's alone" in told["good"]

    failed = {one.guid for one in stand.hub.deliveries}
    asked = [json.loads((await typed(stand, "deliveries", "sweep", "--json")).stdout)["asked"]]
    await stand.hub.settle()
    assert set(asked[0]) == failed
    again = [one for one in stand.hub.deliveries if one.redelivery]
    assert {one.guid for one in again} == failed


async def test_a_sweep_without_an_app_says_what_to_do(stand: Stand) -> None:
    done = await typed(stand, "deliveries", "sweep")
    assert done.returncode == 78
    assert "chimera setup" in done.stderr
    assert "Traceback" not in done.stderr


async def test_setup_that_made_nothing_exits_with_1(stand: Stand) -> None:
    done = await typed(stand, "setup", "--no-browser", "--json", "--minutes", "0.01")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["listening", "ended"]
    assert (lines[1]["app_id"], done.returncode) == (None, 1)


async def test_the_doctor_prints_signs_and_fixes_for_people(stand: Stand) -> None:
    done = await typed(stand, "doctor", "--offline")
    signs = {line[0] for line in done.stdout.splitlines() if not line.startswith(" ")}
    assert signs == {"✓", "!", "✗"}
    assert "    → Run `chimera setup`" in done.stdout
    assert done.returncode == 1


async def test_ctrl_c_ends_the_set_up_with_a_word_and_its_own_code(stand: Stand) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "setup", "--no-browser", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(stand),
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S * 2):
            await process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 130
    assert said.decode() == "interrupted; ending what was started …\n"
