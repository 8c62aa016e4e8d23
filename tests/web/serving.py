"""The house behind the real HTTP server, on a free port of the loopback interface."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.web.server import ImpatientProtocol, make_server
from tests.web.house import House


@asynccontextmanager
async def serving(
    house: House, protocol: type[ImpatientProtocol] = ImpatientProtocol, *, port: int = 0
) -> AsyncIterator[int]:
    """The port, while the server runs; 0 takes a free one."""
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    server = make_server(house.web(), grace_s=1, protocol=protocol)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
                await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await running
