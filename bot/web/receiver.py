"""`POST /webhook`: from a stranger's bytes to a durable row, and nothing more.

The order of the checks is part of the promise: method, path, size, headers, signature, content
type, JSON, duplicate, store. What was answered with 2xx is stored or means nothing to us; trouble
of ours is a 503, so that GitHub's delivery log shows it as failed and it is sent again.

A delivery comes in one of two ways: as a request of the ASGI application, or, where it is small
and has arrived whole, straight from the connection (`direct`). The checks are the same code.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from starlette.types import Receive, Scope, Send

from bot.errors import StoreError
from bot.github.webhook import BadHeader, BadSignature, Delivery, Unreadable, parse, to_json
from bot.log import get
from bot.tasks.inbox import Inbox, NewDelivery
from bot.web.answer import Answer
from bot.web.arrivals import Arrivals, Arrived, Reply
from bot.web.body import BodyReader
from bot.web.parts import SECRET_FIX, WebSettings
from bot.web.problem import RETRY_AFTER_S, Problem

TOGETHER = 96 * 1024 * 1024  #: bytes of large bodies in memory at one time
HOOK_PATHS = ("/webhook", "/api/github/webhooks")  #: the second is the name that Probot gave it
NO_SECRET = "This server has no webhook secret, so it can believe no delivery."
OFF_THE_LOOP = 128 * 1024  #: bytes; hashing and parsing more would hold up the event loop


class Receiver:
    """The webhook's door: an ASGI application of its own, for a POST to one of `HOOK_PATHS`."""

    def __init__(
        self,
        queue: Inbox,
        settings: WebSettings,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._draining = draining
        self._log = get("web").bind()  # once: to make a logger costs as much as to write a line
        self._bodies = BodyReader(
            limit=settings.body_limit,
            together=TOGETHER,
            within_s=settings.body_deadline_s,
        )
        self._arrivals = Arrivals(self._take_all)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """202 accepted or ignored, 200 duplicate, 4xx the sender's fault, 503 ours. Never 500."""
        peer = (scope.get("client") or ("",))[0]
        answer = await self._answer(dict(scope["headers"]), receive, peer=peer)
        await answer(scope, receive, send)

    def take(self, headers: Mapping[bytes, bytes], body: bytes, peer: str, reply: Reply) -> None:
        """A small delivery, whole; `reply` is called once, when it is refused or on the disk."""
        self._arrivals.add(Arrived(headers, body, peer, reply))

    async def _take_all(self, arrived: Sequence[Arrived]) -> None:
        deliveries: list[Delivery] = []
        replies: list[Reply] = []
        for one in arrived:
            taken = self._read(one)
            if isinstance(taken, Answer):
                one.reply(taken)
            else:
                deliveries.append(taken)
                replies.append(one.reply)
        if not deliveries:
            return
        try:
            answers = await self._store(deliveries)
        except Exception as error:
            answers = [self._trouble(error)] * len(deliveries)
        for reply, answer in zip(replies, answers, strict=True):
            reply(answer)

    def _read(self, one: Arrived) -> Delivery | Answer:
        try:
            return self._sorted(self._parse(one.headers, one.body, one.peer))
        except Exception as error:
            return self._trouble(error)

    async def _answer(
        self, headers: Mapping[bytes, bytes], receive: Receive, *, peer: str
    ) -> Answer:
        try:
            declared = headers.get(b"content-length", b"0").decode("latin-1")
            async with self._bodies.read(declared, receive) as body:
                if len(body) > OFF_THE_LOOP:
                    delivery = await asyncio.to_thread(self._parse, headers, body, peer)
                else:
                    delivery = self._parse(headers, body, peer)
                taken = self._sorted(delivery)
                return taken if isinstance(taken, Answer) else (await self._store([taken]))[0]
        except Exception as error:
            return self._trouble(error)

    def _trouble(self, error: Exception) -> Answer:
        match error:
            case Problem():
                problem = error
            case StoreError():
                self._log.error("delivery_not_stored", error=str(error))
                problem = _not_now("The store cannot be written.")
            case _:
                self._log.error("delivery_not_taken", exc_info=error)
                problem = _not_now("The delivery could not be taken.")
        return Answer.of(problem.response())

    def _parse(self, headers: Mapping[bytes, bytes], body: bytes, peer: str) -> Delivery:
        try:
            delivery = parse(headers, body, secrets=self._settings.webhook_secrets)
        except BadHeader as error:
            raise Problem(400, str(error)) from None
        except BadSignature as error:
            raise self._refused(error, peer) from None
        except Unreadable as error:
            _require_json(headers)
            raise Problem(400, str(error)) from None
        _require_json(headers)
        return delivery

    def _refused(self, error: BadSignature, peer: str) -> Problem:
        """Whose fault it is that nobody can tell where a delivery is from."""
        if self._settings.webhook_secrets:
            self._log.warning("signature_refused", peer=peer)
            return Problem(401, str(error))
        self._log.error("webhook_secret_missing", peer=peer, fix=SECRET_FIX)
        return _not_now(NO_SECRET)

    def _sorted(self, delivery: Delivery) -> Delivery | Answer:
        """The delivery, if it has to be stored; else what is said of it."""
        if delivery.event is None:
            self._log.info("delivery_ignored", delivery=delivery.id, event_name=delivery.event_name)
            return _said(202, "ignored", delivery)
        if self._draining():
            raise _not_now("Shutting down.")
        return delivery

    async def _store(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        are_new = await self._queue.accept_all([_row(delivery) for delivery in deliveries])
        return [self._stored(*one) for one in zip(deliveries, are_new, strict=True)]

    def _stored(self, delivery: Delivery, is_new: bool) -> Answer:
        # At INFO a delivery has one line, from who reads it: under a burst a second one would cost
        # more than any other step on the way to the disk.
        self._log.debug(
            "delivery_stored" if is_new else "delivery_repeated",
            delivery=delivery.id,
            event_name=delivery.event_name,
            action=delivery.action,
            repository=delivery.repository,
        )
        if not is_new:
            return _said(200, "duplicate", delivery)
        return _said(202, "accepted", delivery)


def _row(delivery: Delivery) -> NewDelivery:
    assert delivery.event is not None, "what means nothing is not stored"
    return NewDelivery(
        delivery_id=delivery.id,
        event_name=delivery.event_name,
        action=delivery.action,
        payload_text=to_json(delivery.event),
    )


def _require_json(headers: Mapping[bytes, bytes]) -> None:
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Problem(415, "Set the webhook's content type to application/json.")


def _said(status: int, word: str, delivery: Delivery) -> Answer:
    """The short answer; nothing in a GUID that was let pass needs an escape in JSON."""
    return Answer.json(status, f'{{"status":"{word}","delivery":"{delivery.id}"}}')


def _not_now(why: str) -> Problem:
    text = f"{why} Nothing was stored; send it again."
    return Problem(503, text, headers={"retry-after": str(RETRY_AFTER_S)})
