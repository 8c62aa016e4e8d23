"""kill -9 in the middle of everything: nothing promised is lost and nothing is done twice."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bot.domain import Status
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore, check

from . import killed

KILLS = 6
ROOT = Path(__file__).parents[2]
SEED = 20_261_122


def run_and_kill(path: Path, boot: int, after_s: float) -> list[list[Any]]:
    """Let a process work, kill it, and return every promise that it has made."""
    argv = [sys.executable, killed.__file__, str(path), str(boot), str(boot * 1_000_000)]
    out = path.with_suffix(f".{boot}.out")
    with out.open("wb") as stdout:
        process = subprocess.Popen(argv, stdout=stdout, env={"PYTHONPATH": str(ROOT)})
        deadline = time.monotonic() + 20
        while not out.stat().st_size and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(after_s)
        process.kill()
        process.wait()
    lines = out.read_bytes().split(b"\n")[:-1]  # a line cut short was not said
    assert lines, "the process has worked"
    return [json.loads(line) for line in lines]


async def test_what_was_promised_survives_kill_9(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    path = tmp_path / "chimera.db"
    promises = [
        promise
        for boot in range(KILLS)
        for promise in run_and_kill(path, boot, rng.uniform(0.02, 0.3))
    ]
    assert check(path) == []
    store = await SqliteStore.open(path)
    queue = TaskQueue(store, time.time)
    await queue.release_boot("host", "after")
    rows = await store.read(lambda tx: tx.all("SELECT * FROM task"))
    lines = await store.read(lambda tx: tx.all("SELECT task_id, turn FROM journal"))
    stored = {row.delivery_id for row in await queue.deliveries(limit=10**6)}
    await store.close()

    assert {p[1] for p in promises if p[0] == "accepted"} <= stored
    by_issue = {row["issue"]: row["id"] for row in rows}
    assert len(by_issue) == len(rows), "one task an issue"
    for _, issue, task_id in (p for p in promises if p[0] == "submitted"):
        assert by_issue[issue] == task_id
    status = {row["id"]: row["status"] for row in rows}
    for _, task_id, _fence in (p for p in promises if p[0] == "done"):
        assert status[task_id] == Status.COMPLETED
    assert set(status.values()) <= {Status.QUEUED, Status.COMPLETED}
    steps = Counter((row["task_id"], row["turn"]) for row in lines)
    assert set(steps.values()) == {1}, "no step was recorded twice"
    for task_id in (i for i, s in status.items() if s == Status.COMPLETED):
        assert all((task_id, turn) in steps for turn in range(1, killed.STEPS + 1))
