"""The nginx configurations that are shipped, in a real nginx; only TLS is left out."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from bot.demo.ports import free_port
from bot.web.session import COOKIE
from tests.web.deliveries import body_of, headers_for, labeled
from tests.web.house import House, bearer, opened_house
from tests.web.serving import serving
from tests.web.town import Town, living

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
SHIPPED = Path(__file__).parents[2] / "config" / "nginx"
PUBLIC = "https://chimera.example.com"
HEADER = "X-Forwarded-User"

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with opened_house(tmp_path) as house, living(house, tmp_path, PUBLIC) as town:
        house.settings = replace(house.settings, proxy_header=HEADER, proxies=("127.0.0.1",))
        town.person("ada", shop="triage")
        yield town


@asynccontextmanager
async def behind(house: House, name: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an nginx with this file, in front of the house."""
    assert NGINX is not None
    async with serving(house) as port:
        front = free_port()
        configuration = made(name, folder, front=front, back=port)
        running = subprocess.Popen([NGINX, "-c", str(configuration)])  # noqa: ASYNC220 - one moment
        try:
            base = f"http://127.0.0.1:{front}"
            async with httpx.AsyncClient(
                base_url=base,
                headers={"host": "chimera.example.com"},
                trust_env=False,
                timeout=20,
            ) as client:
                await answering(client)
                yield client
        finally:
            running.terminate()
            await asyncio.to_thread(running.wait, 20)


def made(name: str, folder: Path, *, front: int, back: int) -> Path:
    """The shipped file on these ports and without TLS, in a configuration that is whole."""
    passwords = folder / "passwords"
    passwords.write_text("ada:{PLAIN}pw\nroot:{PLAIN}pw\nada@example.test:{PLAIN}pw\n")
    lines = (SHIPPED / name).read_text().splitlines()
    text = "\n".join(line for line in lines if "ssl_certificate" not in line)
    for ours, theirs in (
        ("listen 443 ssl", f"listen 127.0.0.1:{front}"),
        ("http://127.0.0.1:8000", f"http://127.0.0.1:{back}"),
        ("/etc/nginx/chimera.htpasswd", str(passwords)),
    ):
        assert ours in text or "htpasswd" in ours
        text = text.replace(ours, theirs)
    whole = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    places = "".join(
        f"{kind}_temp_path {folder}/nginx-{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole.write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/nginx.pid;"
        f"error_log {folder}/nginx.log; events {{}} http {{ access_log off; {places}\n{text}\n}}\n"
    )
    return whole


async def answering(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await client.get("/livez")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_who_the_proxy_knows_is_known_and_nobody_can_name_another(
    town: Town, tmp_path: Path
) -> None:
    shop, vault = await town.tasks()
    ada = httpx.BasicAuth("ada", "pw")
    async with behind(town.house, "people.conf", tmp_path) as client:
        assert (await client.get("/", headers={HEADER: "root"})).status_code == 401
        for lie in ({}, {HEADER: "root"}, {HEADER.lower(): "root"}):
            page = await client.get("/", auth=ada, headers=lie)
            assert page.status_code == 200
            assert ">ada<" in page.text
            assert (await client.get(f"/tasks/{vault.id}", auth=ada)).status_code == 404
        bundle = await client.get(f"/api/tasks/{shop.id}/evidence", auth=ada)
        assert bundle.status_code == 200, "the link of the task's page"
        mail = await client.get("/", auth=httpx.BasicAuth("ada@example.test", "pw"))
        assert mail.status_code == 403
        assert "has to hold one login" in mail.text


async def test_tokens_probes_and_deliveries_need_no_password_and_give_no_name(
    town: Town, tmp_path: Path
) -> None:
    token = bearer(await town.house.tokens.create("ci", scopes=("read",)))
    root = {HEADER: "root"}
    async with behind(town.house, "people.conf", tmp_path) as client:
        assert (await client.get("/api/tasks", headers=token | root)).json() == {
            "tasks": [],
            "next": None,
        }
        wrong = {"authorization": "Bearer x"} | root
        assert (await client.get("/api/tasks", headers=wrong)).status_code == 401
        assert (await client.get("/statistics", headers=wrong)).status_code == 303
        assert (await client.get("/health", headers=root)).status_code == 200
        body = body_of(labeled(padding="x" * 3_000_000))
        taken = await client.post("/webhook", content=body, headers=headers_for(body) | root)
        assert taken.status_code == 202, "larger than what nginx lets in by itself"


async def test_behind_tls_people_sign_in_and_pages_hear_at_once_of_changes(
    town: Town, tmp_path: Path
) -> None:
    token = await town.house.tokens.create("ops", scopes=("write",))
    async with behind(town.house, "chimera.conf", tmp_path) as client:
        lie = await client.get("/statistics", headers={HEADER: "root"})
        assert lie.headers["location"].endswith("/sign-in?next=%2Fstatistics")
        ours = {"origin": PUBLIC}
        welcome = await client.post("/sign-in", data={"token": token}, headers=ours)
        assert welcome.status_code == 303
        assert "Secure" in welcome.headers["set-cookie"]
        cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        page = (await client.get("/", headers=cookie)).text
        hints = page.partition('data-hints="')[2].partition('"')[0]
        async with client.stream("GET", hints, headers=cookie) as stream:
            lines = stream.aiter_lines()
            async with asyncio.timeout(20):
                assert await anext(lines) == "retry: 2000"
                task = await town.house.add(issue=1)
                async for line in lines:
                    if line.startswith("data: "):
                        break
            assert task.id in line
