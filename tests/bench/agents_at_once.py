"""Ten built-in agents at once, their commands caged: what the whole tree of processes holds.

The model is a recording, so nobody waits for an answer: what is measured is what runs here.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from bot.agents.agent import Brief, Limits, Outcome
from bot.agents.cage import Cage
from bot.agents.cage_watch import look_at, pss_of
from bot.agents.replay import Recording, ReplayAgent
from bot.agents.roster import ROSTER
from bot.domain import Role
from bot.errors import CageMissing
from bot.github.git import Git
from tests.bench.making_git import make_repository
from tests.bench.model import Absent, Reading

LOOK_S = 0.05
MAX_TASKS = 10_000
TEST = """import unittest, threading, urllib.request, http.server
class T(unittest.TestCase):
    def test_it_serves(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = "http://127.0.0.1:%d/file-0" % server.server_port
        self.assertTrue(urllib.request.urlopen(url).read())
        server.shutdown()
"""
SESSION = {
    "runs": {
        "coder#1": [
            [{"call": "list_files", "with": {}}],
            [{"call": "write_file", "with": {"path": "test_served.py", "content": TEST}}],
            [{"call": "run_command", "with": {"command": "python -m unittest test_served"}}],
            [{"call": "search", "with": {"regex": "assertTrue"}}],
            [{"reply": {"summary": "It serves."}}],
        ]
    }
}


async def at_once(count: int) -> Reading:
    """Seconds until all have answered, and the peak of memory, shared pages counted once."""
    try:
        cage = await Cage.open()
    except CageMissing as missing:
        raise Absent("no cage works on this machine") from missing
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sha = await asyncio.to_thread(make_repository, folder / "origin", 1)
        git = Git(folder / "git")
        mirror = await git.mirror(str(folder / "origin"), "bench")
        places = [folder / f"task-{number}" / "agent" for number in range(count)]
        await asyncio.gather(*(git.checkout(mirror, path, sha, "work") for path in places))
        before = await _held()
        agent = ReplayAgent(Recording.model_validate(SESSION))
        begun = time.perf_counter()
        runs = asyncio.gather(*(agent.run(_brief(cage, path), lambda _: None) for path in places))
        peak = before
        while not runs.done():
            peak = max(peak, await _held())
            await asyncio.wait([runs], timeout=LOOK_S)
        wall_s = time.perf_counter() - begun
        well = sum(reply.outcome is Outcome.COMPLETED for reply in await runs)
        tests = sum((path / "test_served.py").exists() for path in places)
    return {
        "wall_s": wall_s,
        "ok": min(well, tests) / count,
        "tree_kib": peak / 1024,
        "each_kib": peak / 1024 / count,
        "more_kib": (peak - before) / 1024 / count,
    }


async def _held() -> float:
    """Bytes of this process and of everything below it."""

    def look() -> int:
        return pss_of(look_at(os.getpid(), at_most=MAX_TASKS).pids)

    return await asyncio.to_thread(look)


def _brief(cage: Cage, checkout: Path) -> Brief:
    return Brief(
        run_id=f"{checkout.parent.name}/CODE_IMPLEMENTATION/1",
        role=Role.CODER,
        workspace=checkout,
        cage=cage,
        instructions="You work here.",
        prompt="Make it serve.",
        reply_type=ROSTER[Role.CODER].reply_type,
        limits=Limits(wall_s=300),
        read_only=False,
    )
