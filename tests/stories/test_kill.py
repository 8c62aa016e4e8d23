"""A server that is killed, and the next one, which goes on: real processes, `chimera serve`."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from pydantic import SecretStr

from bot.demo.ports import free_ports
from bot.demo.stage import hub_with, register
from bot.github.app_types import NewApp
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository
from tests.stories.factory import DEADLINE_S, LOOK_S, MARK
from tests.stories.sample import BODY, TITLE, e2e_test, files, variables
from tests.stories.stores import ON_BOTH

pytestmark = pytest.mark.slow

PRODUCTION = {"workflow": "", "approval": "automatic"}
CONFIG = {"deploy": {"staging": None, "production": PRODUCTION}}
TEST = str(e2e_test("goodbye", "Goodbye")["tests/e2e/test_goodbye.py"])
TESTER = f"cat > tests/e2e/test_goodbye.py <<'EOF'\n{TEST}EOF\n"
GUARDIAN = """echo '{"decision": "approve", "summary": "Good."}' > "$CHIMERA_RESULT" """
CAGED = 4  #: bubblewrap outside, bubblewrap inside, the shell, its command
CODE = "CODE_IMPLEMENTATION"
CODER = "echo Goodbye > pages/goodbye.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A hub, and where servers can be started for it."""

    hub: LocalHub
    owner: Person
    repository: Repository
    app: NewApp
    folder: Path
    port: int
    database_url: str  #: empty: a file of its own

    @property
    def log(self) -> Path:
        return self.folder / "serve.log"

    def serve(self, coder: str) -> subprocess.Popen[bytes]:
        """A server; `coder` is the command of its coder."""
        settings = {
            "app_id": self.app.id,
            "api_url": self.hub.api_url,
            "web_url": self.hub.base_url,
            "public_url": f"http://127.0.0.1:{self.port}",
            "port": self.port,
            "data_dir": str(self.folder / "bot"),
            "write_spacing_s": 0.0,
            "quiet_s": 1.0,
            "settle_s": 1.0,
            "grace_s": 1.0,
            "worker_name": "one",
            "agents": {
                role: {"use": "command", "command": [line]}
                for role, line in (("e2e-tester", TESTER), ("coder", coder), ("guardian", GUARDIAN))
            },
        }
        file = self.folder / "settings.yml"
        file.write_text(yaml.safe_dump(settings))
        env = os.environ | {
            "DATABASE_URL": self.database_url,
            "CHIMERA_PRIVATE_KEY": self.app.pem,
            "CHIMERA_WEBHOOK_SECRET": self.app.webhook_secret,
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "bot", "serve", "--config", str(file)],
                env=env, stdout=log, stderr=log,
            )  # fmt: skip

    async def ask(self, path: str) -> Any:
        """The server's answer, or None while there is none."""
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.get(f"http://127.0.0.1:{self.port}{path}")
                return answer.json() if answer.status_code == 200 else None
        return None

    async def task(self) -> dict[str, Any]:
        """The one task, as the API has it; empty while there is none."""
        page = await self.ask("/api/tasks")
        return dict(page["tasks"][0]) if page and page["tasks"] else {}


@pytest.fixture
async def place(
    shared_store: dict[str, SecretStr], tmp_path: Path, scratch: Path
) -> AsyncIterator[Place]:
    url = shared_store.get("database_url", SecretStr("")).get_secret_value()
    (port,) = free_ports(1)
    told = variables(str(tmp_path / "deploys"), *free_ports(2))
    async with hub_with(tmp_path, files(CONFIG), told, "ada") as (hub, owner, repository):
        app = await register(hub, f"http://127.0.0.1:{port}/webhook")
        hub.install(app.id, "ada", [repository])
        yield Place(
            hub=hub,
            owner=owner,
            repository=repository,
            app=app,
            folder=tmp_path,
            port=port,
            database_url=url,
        )


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Every server of the story; whatever still runs at its end is ended."""
    servers: list[subprocess.Popen[bytes]] = []
    yield servers
    for server in servers:
        server.kill()
        server.wait()


async def until(look: Any, what: str) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := await look()):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(LOOK_S)
    return found


def running(words: str) -> list[int]:
    """The processes whose command line has these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words in path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"):
                found.append(int(path.parent.name))
    return [pid for pid in found if pid != os.getpid()]


def settled(pids: list[int]) -> bool:
    """Whether they all wait: bubblewrap ties its life to its parent's a moment after the start."""
    states = []
    for pid in pids:
        with contextlib.suppress(OSError):
            states.append(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])
    return len(states) >= CAGED and set(states) == {"S"}


@ON_BOTH
async def test_a_killed_server_s_task_goes_on_at_the_same_phase_in_the_next_one(
    place: Place, started: list[subprocess.Popen[bytes]]
) -> None:
    hanging = f"sleep 600.{os.getpid()}"
    started.append(place.serve(coder=hanging))
    await until(lambda: place.ask("/health"), "the server did not start")
    issue = (await place.owner.open_issue(place.repository, TITLE, BODY))["number"]
    await place.owner.label(place.repository, issue, "chimera")

    async def hangs() -> bool:
        return (await place.task()).get("phase") == CODE and settled(running(hanging))

    await until(hangs, "the coder did not start")
    started[0].send_signal(signal.SIGKILL)
    started[0].wait()

    async def gone() -> bool:
        return not running(hanging)

    await until(gone, "what the agent had started outlived the server")

    started.append(place.serve(coder=CODER))

    async def ended() -> dict[str, Any]:
        task = await place.task()
        return task if task.get("finished_at") else {}

    task = await until(ended, "the next server did not end the task")
    assert task["status"] == "COMPLETED", task["summary"]
    journal = (await place.ask(f"/api/tasks/{task['task_id']}/journal"))["lines"]
    tests = [line for line in journal if line["phase"] == "E2E_TEST_GENERATION"]
    assert [line["outcome"] for line in tests] == ["pass"], "no phase was done again"
    await until(lambda: _shown(place, issue), "the end is not shown")
    ours = [c for c in place.repository.issues[issue].comments if c.body.startswith(MARK)]
    assert len(ours) == 1
    pulls = [one for one in place.repository.issues.values() if one.pull is not None]
    assert len(pulls) == 1

    started[1].send_signal(signal.SIGTERM)
    assert started[1].wait(timeout=30) == 0, "SIGTERM is a clean end"
    assert list((place.folder / "bot" / "work").iterdir()) == [], "no checkout is left"
    assert place.app.webhook_secret not in place.log.read_text()


async def _shown(place: Place, issue: int) -> bool:
    return place.repository.issues[issue].state == "closed"
