"""A real `chimera serve` beside a served hub, to be killed: sockets, git, cage, agents, SQLite."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bot.demo.ports import free_port
from bot.demo.stage import register
from bot.github.app_types import NewApp
from bot.localhub.hub import LocalHub

ROOT = Path(__file__).parents[2]
READY_S = 60.0
LOOK_S = 0.05

#: The agent of all four roles; it lies in the repository, and runs in the cage.
AGENT = '''"""Writes the page that is asked for, and its test; approves of everything."""

import json, os, pathlib, re, sys

number = re.search(r"/page(\\\\d+) should say", sys.stdin.read())
name = f"page{number[1]}" if number else ""
role, reply = os.environ["CHIMERA_ROLE"], {"summary": "Done."}
if role == "e2e-tester":
    pathlib.Path(f"tests/e2e/test_{name}.py").write_text(f\'\'\'import unittest

from tests.e2e.asking import get


class Page(unittest.TestCase):
    def test_{name}_is_said(self):
        status, text = get("/{name}")
        self.assertEqual(status, 200)
        self.assertEqual(text.strip(), "Page {number[1]}")
\'\'\')
elif role == "coder":
    pathlib.Path(f"pages/{name}.txt").write_text(f"Page {number[1]}\\\\n")
elif role == "guardian":
    reply = {"decision": "approve", "summary": "It does what was asked.", "comments": []}
pathlib.Path(os.environ["CHIMERA_RESULT"]).write_text(json.dumps(reply))
'''.replace("\\\\", "\\")


async def answers(port: int) -> bool:
    """Whether a server on this port says that it is ready."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/readyz")
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


@dataclass(slots=True, kw_only=True)
class Served:
    """The process, started again after each kill on the same port and data."""

    folder: Path
    hub: LocalHub
    app: NewApp
    port: int
    process: asyncio.subprocess.Process | None = None
    kills: int = 0
    _env: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def registered(cls, folder: Path, hub: LocalHub) -> "Served":
        """With an App of its own; nothing is started yet."""
        port = free_port()
        app = await register(hub, f"http://127.0.0.1:{port}/webhook")
        return cls(folder=folder, hub=hub, app=app, port=port)

    async def start(self) -> None:
        """Return when it takes deliveries."""
        log = (self.folder / "serve.log").open("ab")
        with log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "serve", "--port", str(self.port)),
                cwd=ROOT,
                env=self._environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with asyncio.timeout(READY_S):
            while not await self._answers():  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(LOOK_S)

    async def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()
        self.kills += 1

    async def tasks(self) -> list[Mapping[str, Any]]:
        """All tasks, from the API."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.get(f"http://127.0.0.1:{self.port}/api/tasks?limit=100")
        found: list[Mapping[str, Any]] = answer.json()["tasks"]
        return found

    async def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, (self.folder / "serve.log").read_text()[-3000:]
        return await answers(self.port)

    def _environment(self) -> dict[str, str]:
        agent = {"use": "command", "command": ["python", "agent.py"]}
        roles = ("e2e-tester", "coder", "guardian", "deployment")
        return {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self.folder),
            "CHIMERA_DATA_DIR": str(self.folder / "bot"),
            "CHIMERA_API_URL": self.hub.api_url,
            "CHIMERA_APP_ID": str(self.app.id),
            "CHIMERA_PRIVATE_KEY": self.app.pem,
            "CHIMERA_WEBHOOK_SECRET": self.app.webhook_secret,
            "CHIMERA_WORKER_NAME": "served",
            "CHIMERA_WRITE_SPACING_S": "0",
            "CHIMERA_QUIET_S": "1",
            "CHIMERA_SETTLE_S": "1",
            "CHIMERA_AGENTS": json.dumps(dict.fromkeys(roles, agent)),
        }
