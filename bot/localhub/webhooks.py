"""Webhooks on their way to the Apps: signed, logged, sent in order, and troubled on request.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
"""

import asyncio
import hashlib
import hmac
import json
import random
from collections import deque
from collections.abc import Callable

import httpx

from bot.localhub.state_apps import App, Delivery
from bot.localhub.types import Clock

TIMEOUT_S = 10.0  #: GitHub gives up after ten seconds
#: Who is given up while it waits for one of so many connections leaves httpcore 1.0.9 one that is
#: neither used nor free, and after a burst of them nothing would be delivered any more. None is
#: kept: a request that is given up while it closes those that have ended leaves the rest open.
UNBOUNDED = httpx.Limits(max_connections=None, max_keepalive_connections=0)
MAX_BODY = 25 * 1024 * 1024  #: GitHub does not send larger payloads at all

Chance = float | Callable[[Delivery], bool]


class Webhooks:
    """The delivery log and the sender behind it.

    Deliveries to one App *start* in the order of their events; they may end in any order. Knobs
    make the line as bad as the real one: ``drop``, ``duplicate`` and ``reorder`` take a chance
    (0 to 1) or a predicate, ``delay_s`` seconds or a function of the delivery.
    """

    def __init__(self, now: Clock, seed: int = 0) -> None:
        self.now = now
        self.log: list[Delivery] = []
        self.drop: Chance = 0.0
        self.duplicate: Chance = 0.0
        self.reorder: Chance = 0.0
        self.delay_s: float | Callable[[Delivery], float] = 0.0
        self.random = random.Random(seed)  # noqa: S311 - for chances, not for secrets
        self.transport: httpx.AsyncBaseTransport | None = None
        self._waiting: deque[Delivery] = deque()
        self._sending: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None
        self._paused = False

    def enqueue(self, delivery: Delivery) -> None:
        """Log a delivery and send it as soon as a loop runs and nobody paused the line."""
        self.log.append(delivery)
        if self._says(self.drop, delivery):
            delivery.status = "dropped"
            return
        copies = 2 if self._says(self.duplicate, delivery) else 1
        for _ in range(copies):
            if self._waiting and self._says(self.reorder, delivery):
                self._waiting.insert(self.random.randrange(len(self._waiting)), delivery)
            else:
                self._waiting.append(delivery)
        self.kick()

    def pause(self) -> None:
        """Keep deliveries back until ``resume``."""
        self._paused = True

    def resume(self) -> None:
        """Send what was kept back."""
        self._paused = False
        self.kick()

    def kick(self) -> None:
        """Start what waits, if there is a loop to run it."""
        if self._paused:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        while self._waiting:
            task = loop.create_task(self._send(self._waiting.popleft()))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    @property
    def sending(self) -> set[asyncio.Task[None]]:
        """What is on its way now."""
        return set(self._sending)

    @property
    def idle(self) -> bool:
        """Nothing is on its way; what a pause keeps back does not count."""
        return not self._sending and (self._paused or not self._waiting)

    async def aclose(self) -> None:
        """Give up what is on its way and close the connections."""
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _send(self, delivery: Delivery) -> None:
        wait_s = self.delay_s(delivery) if callable(self.delay_s) else self.delay_s
        if wait_s:
            await asyncio.sleep(wait_s)
        delivery.request_headers = headers_for(delivery)
        started = self.now()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._http().post(
                    delivery.app.hook_url, content=delivery.body, headers=delivery.request_headers
                )
        except TimeoutError:
            _end(delivery, 504, "timed out", self.now() - started)
        except httpx.HTTPError as error:
            _end(delivery, 502, f"failed to connect to host: {type(error).__name__}", 0.0)
        else:
            status = "OK" if answer.is_success else f"Invalid HTTP Response: {answer.status_code}"
            _end(delivery, answer.status_code, status, self.now() - started)
            delivery.response_headers = dict(answer.headers)
            delivery.response_body = answer.text
        delivery.delivered_at = self.now()

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=self.transport, timeout=TIMEOUT_S, trust_env=False, limits=UNBOUNDED
            )
        return self._client

    def _says(self, chance: Chance, delivery: Delivery) -> bool:
        if callable(chance):
            return chance(delivery)
        return chance > 0 and self.random.random() < chance


def _end(delivery: Delivery, code: int, status: str, duration: float) -> None:
    delivery.status_code = code
    delivery.status = status
    delivery.duration = round(max(duration, 0.0), 2)


def headers_for(delivery: Delivery) -> dict[str, str]:
    """The headers of one delivery; the signature is over the raw body."""
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/1ocalhub",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(hook_id(delivery.app)),
        "X-GitHub-Hook-Installation-Target-ID": str(delivery.app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
    }
    if delivery.app.webhook_secret:
        headers["X-Hub-Signature-256"] = "sha256=" + sign(delivery.app, delivery.body)
    return headers


def hook_id(app: App) -> int:
    """An App has one hook; its number is made from the App's."""
    return app.id + 500_000


def sign(app: App, body: bytes) -> str:
    """The HMAC that proves where a delivery comes from."""
    return hmac.new(app.webhook_secret.encode(), body, hashlib.sha256).hexdigest()


def encode(payload: object) -> bytes:
    """A payload as the bytes that are signed and sent."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
