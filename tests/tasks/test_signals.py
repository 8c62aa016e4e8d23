"""SIGTERM, once and twice, at a real process with a step that does not end."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.domain import Status
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore

from . import signalled

ROOT = Path(__file__).parents[2]


@contextmanager
def process(path: Path, grace_s: float) -> Iterator["subprocess.Popen[str]"]:
    """A process whose step has started."""
    running = subprocess.Popen(
        [sys.executable, signalled.__file__, str(path), str(grace_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert running.stdout is not None
    try:
        for said in running.stdout:
            if said == "started\n":
                break
        yield running
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


async def test_sigterm_drains_within_the_grace_and_gives_the_task_back(tmp_path: Path) -> None:
    path = tmp_path / "chimera.db"
    with process(path, 0.2) as running:
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0
    store = await SqliteStore.open(path)
    task = await TaskQueue(store, time.time).get("chimera-1")
    await store.close()
    assert task.status is Status.QUEUED


def test_a_second_sigterm_ends_the_process_at_once(tmp_path: Path) -> None:
    with process(tmp_path / "chimera.db", 600) as running:
        assert running.stdout is not None
        running.send_signal(signal.SIGTERM)
        for said in running.stdout:
            if "draining" in said:
                break
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 128 + signal.SIGTERM
