"""A uvicorn server for the length of a block."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn

START_S = 30.0


@contextlib.asynccontextmanager
async def served(server: uvicorn.Server, listener: socket.socket) -> AsyncIterator[None]:
    """Serves on a socket until the block ends."""
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(START_S):
            while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
                await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await running
