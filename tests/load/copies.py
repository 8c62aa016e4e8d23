"""One delivery, ten thousand times: one task. With a hub, for a task needs one."""

import asyncio
from collections import Counter
from pathlib import Path

from bot.localhub.hub import LocalHub
from bot.localhub.state_apps import Delivery
from bot.localhub.webhooks import headers_for
from tests.faults.sample import wish
from tests.faults.served import AGENT, Served
from tests.load.figures import Figure
from tests.load.wire import over
from tests.stories import sample

SEEN_S = 60.0


async def copies(folder: Path, count: int) -> list[Figure]:
    """A labelled issue whose delivery comes so often makes one task."""
    name = f"{count:,} copies of one delivery"
    hub = LocalHub(folder / "hub")
    async with hub.serve():
        owner = hub.add_user("ada")
        files = sample.files({}) | {"agent.py": AGENT}
        site = await asyncio.to_thread(hub.create_repository, "ada", "site", files)
        served = await Served.registered(folder, hub)
        hub.install(served.app.id, "ada", [site])
        await served.start()
        try:
            hub.webhooks.pause()
            made = await owner.open_issue(site, *wish(1))
            await owner.label(site, made["number"], "chimera")
            labelled = next(one for one in hub.deliveries if _is_label(one))
            answers = await over(served.port, [_request(served.port, labelled)] * count, lines=50)
            async with asyncio.timeout(SEEN_S):
                while not (tasks := await served.tasks()):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
        finally:
            await served.kill()
    said = Counter(one.status for one in answers)
    return [
        Figure(load=name, name="tasks", value=len(tasks), exactly=1),
        Figure(load=name, name="answered 202", value=said[202], exactly=1),
        Figure(load=name, name="answered 200, a duplicate", value=said[200], exactly=count - 1),
    ]


def _is_label(delivery: Delivery) -> bool:
    return delivery.event == "issues" and b'"action":"labeled"' in delivery.body


def _request(port: int, delivery: Delivery) -> bytes:
    fields = headers_for(delivery) | {
        "host": f"127.0.0.1:{port}",
        "content-length": str(len(delivery.body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST /webhook HTTP/1.1\r\n{head}\r\n".encode() + delivery.body
