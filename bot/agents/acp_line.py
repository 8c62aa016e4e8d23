"""The line to a caged program: JSON-RPC messages, one to a line (agentclientprotocol.com,
"Transports"), with a bound on a line and on all lines together.
"""

import asyncio
import json
from typing import Any, TypeGuard

MAX_LINE = 50 * 1024 * 1024  #: bytes; a message may carry a whole file, twice
MAX_TALK = 512 * 1024 * 1024  #: bytes of one run


class Line:
    """A transport for the protocol's library; `None` from `receive` is the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._heard = 0
        self.broken = ""  #: why we stopped listening before the program stopped talking

    async def send(self, message: dict[str, Any]) -> None:
        """Raises OSError where the program has gone."""
        self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """The next message; what is no message (programs print all sorts of things) is skipped."""
        while (line := await self._line()) is not None:
            self._heard += len(line)
            if self._heard > MAX_TALK:
                self.broken = f"the agent said more than {MAX_TALK} bytes"
                return None
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if _is_message(message):
                return message
        return None

    async def close(self) -> None:
        """Hangs up."""
        self._writer.close()

    async def _line(self) -> bytes | None:
        try:
            return await self._reader.readline() or None
        except ValueError:  # what asyncio makes of a line beyond the limit
            self.broken = f"the agent sent a line of more than {MAX_LINE} bytes"
        except OSError:
            pass
        return None


def _is_message(found: Any) -> TypeGuard[dict[str, Any]]:
    """Whether the protocol's library can read it (jsonrpc.org/specification)."""
    return (
        isinstance(found, dict)
        and isinstance(found.get("id"), int | str | None)
        and isinstance(found.get("method"), str | None)
        and isinstance(found.get("error"), dict | None)
    )
