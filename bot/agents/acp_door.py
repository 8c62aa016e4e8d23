"""The outer end of a caged program's two connections: the line, and the leash."""

import asyncio
from contextlib import suppress

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Door:
    """Takes the first connection for the line and the second for the leash, and no third."""

    def __init__(self) -> None:
        self._came = 0
        self._line: asyncio.Future[Ends] = asyncio.get_running_loop().create_future()
        self._let_go = asyncio.Event()

    @property
    def line(self) -> "asyncio.Future[Ends]":
        """Both directions of the program's standard input and output, once it is there."""
        return self._line

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """For `listening`; a connection is closed when this returns."""
        self._came += 1
        match self._came:
            case 1:
                if not self._line.done():
                    self._line.set_result((reader, writer))
                with suppress(OSError):
                    await writer.wait_closed()
            case 2:
                await self._let_go.wait()

    def let_go(self) -> None:
        """Closes the leash: the program is asked to end."""
        self._let_go.set()
