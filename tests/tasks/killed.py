"""A process to be killed: it accepts and works, and says each thing that it was promised.

    python killed.py STORE BOOT FIRST

One line of JSON a promise: `["accepted", guid]`, `["submitted", issue, id]`, `["done", id, fence]`.
"""

import asyncio
import json
import sys
import time
from dataclasses import replace

from bot.domain import Cursor, JournalLine, Outcome, RepoRef, Status, Task
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore

STEPS = 3


def say(*what: object) -> None:
    print(json.dumps(what), flush=True)


async def receive(queue: TaskQueue, first: int) -> None:
    for n in range(first, first + 1_000_000):
        await queue.accept(f"guid-{n}", "issues", "labeled", "{}")
        say("accepted", f"guid-{n}")
        repo = RepoRef(id=n % 50, owner="octo", name="shop")
        wish = Task(id="", feature="f", title="t", repo=repo, issue=n + 1)
        task, created = await queue.submit(wish)
        assert created
        say("submitted", n + 1, task.id)


async def work(queue: TaskQueue, owner: str) -> None:
    while True:
        task = await queue.claim(owner)
        if task is None:
            await asyncio.sleep(0.001)
            continue
        while task.status is Status.RUNNING:
            turn = task.cursor.turn
            after = replace(task, cursor=Cursor(turn=turn + 1))
            if turn == STEPS:
                after = replace(after, status=Status.COMPLETED)
            line = JournalLine(
                task_id=task.id,
                n=0,
                phase=task.phase,
                cursor=task.cursor,
                outcome=Outcome.PASS,
                summary=f"turn {turn}",
                started_at=time.time(),
                seconds=0.0,
            )
            task = await queue.record(task, line, after, keep=True)
        say("done", task.id, task.fence)


async def main(path: str, boot: str, first: int) -> None:
    queue = TaskQueue(await SqliteStore.open(path), time.time)
    await queue.release_boot("host", boot)
    workers = [work(queue, f"host/{boot}") for _ in range(4)]
    await asyncio.gather(receive(queue, first), *workers)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
