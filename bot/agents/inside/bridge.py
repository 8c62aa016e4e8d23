"""Runs a command with ports on its own loopback that lead to unix sockets.

    bridge.py PORT=SOCKET ... -- COMMAND ARG ...

The cage has no network; what it may reach is a unix socket that was bound in. Programs want a
host and a port, so this listens on 127.0.0.1:PORT, copies bytes both ways, and then becomes the
command. The listening half is a child process, which ends with the cage.
"""

import asyncio
import contextlib
import os
import socket
import sys
from functools import partial


def main(words: list[str]) -> None:
    cut = words.index("--")
    listeners = [(listen(int(port)), path) for port, _, path in map(split, words[:cut])]
    if os.fork() == 0:
        asyncio.run(serve(listeners))
        os._exit(0)
    for listener, _ in listeners:
        listener.close()
    command = words[cut + 1 :]
    os.execvp(command[0], command)  # noqa: S606 - what the cage is for, and no shell


def split(way: str) -> tuple[str, str, str]:
    return way.partition("=")


def listen(port: int) -> socket.socket:
    """Bound before the command starts, so that it never comes too early."""
    return socket.create_server(("127.0.0.1", port), backlog=128)


async def serve(listeners: list[tuple[socket.socket, str]]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):  # nobody may wait for our end of the command's output
        os.dup2(null, fd)
    servers = [
        await asyncio.start_server(partial(join, path), sock=listener)
        for listener, path in listeners
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def join(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        far_reader, far_writer = await asyncio.open_unix_connection(path)
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
    for end in (writer, far_writer):
        end.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


if __name__ == "__main__":
    main(sys.argv[1:])
