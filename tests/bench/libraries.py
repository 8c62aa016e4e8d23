"""`python -m tests.bench.libraries KEY_FILE PORT`: a bot of its libraries alone, doing nothing.

What a webhook receiver with an App needs before a line of ours: uvicorn with its parser in C,
Starlette, aiosqlite with an open store, PyYAML, and githubkit, which has signed as the App and
asked a GitHub on PORT that does not answer. Prints its resident memory in KiB.
"""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import aiosqlite
import uvicorn
import uvicorn.protocols.http.httptools_impl
import yaml
from githubkit import AppAuthStrategy, GitHub
from githubkit.exception import RequestError
from starlette.applications import Starlette

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") / 1024


async def idle(key: str, port: int) -> float:
    config = uvicorn.Config(Starlette(), port=0, log_config=None, lifespan="off")
    config.load()
    assert yaml.safe_load("a: 1") == {"a": 1}
    github = GitHub(AppAuthStrategy("1", key), base_url=f"http://127.0.0.1:{port}")
    async with aiosqlite.connect(":memory:"):
        with contextlib.suppress(RequestError):
            await github.rest.apps.async_get_authenticated()
        return _resident_kib()


def _resident_kib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB


if __name__ == "__main__":
    print(asyncio.run(idle(Path(sys.argv[1]).read_text(), int(sys.argv[2]))))
