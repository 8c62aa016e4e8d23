"""What `ingest` is held against: the usual ways to take a webhook."""

import hashlib
import hmac
import json
import socket
import tempfile
from contextlib import closing

import aiosqlite
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench import wire
from tests.bench.ingest import bombarded
from tests.bench.model import Reading
from tests.bench.serving import served

_TABLE = """
CREATE TABLE inbox (id INTEGER PRIMARY KEY, guid TEXT NOT NULL UNIQUE, event TEXT, body TEXT)
"""
_INSERT = "INSERT INTO inbox (guid, event, body) VALUES (?, ?, ?) ON CONFLICT (guid) DO NOTHING"


async def aiosqlite_each(count: int, callers: int) -> Reading:
    """Starlette and uvicorn, and for each request a connection, an insert and a durable commit."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/inbox.db"
        async with aiosqlite.connect(path) as made:
            await made.execute("PRAGMA journal_mode=WAL")
            await made.execute(_TABLE)

        async def receive(request: Request) -> Response:
            body = await request.body()
            given = request.headers["x-hub-signature-256"]
            wanted = hmac.new(wire.SECRET.encode(), body, hashlib.sha256).hexdigest()
            if not hmac.compare_digest(given, f"sha256={wanted}"):
                return Response(status_code=401)
            json.loads(body)
            row = (request.headers["x-github-delivery"], "issues", body.decode())
            async with aiosqlite.connect(path, timeout=60) as connection:
                await connection.execute("PRAGMA synchronous=FULL")
                await connection.execute(_INSERT, row)
                await connection.commit()
            return Response(status_code=202)

        app = Starlette(routes=[Route("/webhook", receive, methods=["POST"])])
        with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as listener:
            config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
            async with served(uvicorn.Server(config), listener):
                return await bombarded(listener.getsockname()[1], count, callers)


async def gidgethub_only(count: int, callers: int) -> Reading:
    """The usual bot: aiohttp's server, gidgethub verifies and parses, nothing is kept."""
    from aiohttp import web
    from gidgethub import sansio

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        event = sansio.Event.from_http(request.headers, body, secret=wire.SECRET)
        return web.Response(status=200, text=event.delivery_id)

    app = web.Application()
    app.router.add_post("/webhook", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port: int = runner.addresses[0][1]
        return await bombarded(port, count, callers)
    finally:
        await runner.cleanup()
