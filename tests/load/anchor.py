"""`python -m tests.load.anchor`: what any server takes here, as a measure of the machine.

It reads a request to its end, waits for one small write to reach the disk, and says 202. On its
first line it prints its port. What a noisy machine does to it, it does to ours as well.
"""

import asyncio
import os
import tempfile

ANSWER = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"


async def main() -> None:
    """Serve until the parent's end of standard input closes."""
    with tempfile.TemporaryFile() as file:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(_length(head))
                    file.write(b"x")
                    file.flush()
                    os.fsync(file.fileno())
                    writer.write(ANSWER)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2048)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(os.read, 0, 1)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


if __name__ == "__main__":
    asyncio.run(main())
