"""Trouble on request: answers that fail, come late, or never come."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: Where the outermost layer leaves the function that closes the connection of a request.
ABORT = "localhub.abort"


class Reset(Response):
    """Instead of an answer the connection breaks off."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        abort = scope.get(ABORT)
        if abort is None:  # called without a socket: what a client would raise
            raise httpx.ReadError("connection reset by a scripted fault")
        abort()
        await asyncio.sleep(0)  # the server notices the loss before we are done


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to the next ``times`` matching requests."""

    method: str
    path: re.Pattern[str]
    status: int
    body: bytes
    headers: dict[str, str]
    apply: bool  #: the request is carried out before its answer is spoilt
    times: int
    delay_s: float
    reset: bool
    hits: int = 0


@dataclass(slots=True)
class Faults:
    """The script of faults; the first that matches is used."""

    #: What was made less than this many seconds ago cannot be read yet.
    lag_s: float = 0.0
    script: list[Fault] = field(default_factory=list)

    def add(
        self,
        method: str,
        path_regex: str,
        *,
        status: int = 502,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        apply: bool = False,
        times: int = 1,
        delay_s: float = 0.0,
        reset: bool = False,
    ) -> Fault:
        """Spoil the next ``times`` requests of this method whose path matches.

        ``status=0`` leaves the answer as it is (with ``delay_s``: slow but right). ``apply``
        carries the request out first: the write has happened, and its caller cannot know.
        """
        content = body if isinstance(body, bytes) else b"" if body is None else _text(body)
        fault = Fault(
            method=method.upper(),
            path=re.compile(path_regex),
            status=status,
            body=content,
            headers=dict(headers or {}),
            apply=apply,
            times=times,
            delay_s=delay_s,
            reset=reset,
        )
        self.script.append(fault)
        return fault

    def clear(self) -> None:
        """No more faults and no lag."""
        self.script.clear()
        self.lag_s = 0.0

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, counted as used."""
        for fault in self.script:
            wanted = fault.method in ("*", method)
            if wanted and fault.hits < fault.times and fault.path.search(path):
                fault.hits += 1
                return fault
        return None


async def delay(fault: Fault) -> None:
    """Wait as long as the fault says."""
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)


def _text(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
