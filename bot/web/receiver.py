"""`POST /webhook`: from a stranger's bytes to a durable row, and nothing more.

The order of the checks is part of the promise: method, path, size, headers, signature, content
type, JSON, duplicate, store. What was answered with 2xx is stored or means nothing to us; trouble
of ours is a 503, so that GitHub's delivery log shows it as failed and it is sent again.
"""

import asyncio
from collections.abc import Callable, Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.errors import StoreError
from bot.github.webhook import BadHeader, BadSignature, Delivery, Unreadable, parse, to_json
from bot.log import get, mask
from bot.tasks.inbox import Inbox
from bot.web.body import BodyReader
from bot.web.parts import WebSettings
from bot.web.problem import RETRY_AFTER_S, Problem

TOGETHER = 96 * 1024 * 1024  #: bytes of large bodies in memory at one time
HOOK_PATHS = ("/webhook", "/api/github/webhooks")  #: the second is the name that Probot gave it
OFF_THE_LOOP = 128 * 1024  #: bytes; hashing and parsing more would hold up the event loop

_HEADERS = ((b"cache-control", b"no-store"), (b"content-type", b"application/json"))


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """202 accepted or ignored, 200 duplicate, 4xx the sender's fault, 503 ours. Never 500."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        answer = await self._answer(headers, receive, peer=(scope.get("client") or ("",))[0])
        await answer(scope, receive, send)

    async def _answer(self, headers: Mapping[str, str], receive: Receive, *, peer: str) -> ASGIApp:
        try:
            async with self._bodies.read(headers, receive) as body:
                return await self._take(await self._read(headers, body, peer))
        except Problem as problem:
            return problem.response()
        except StoreError as error:
            self._log.error("delivery_not_stored", error=str(error))
            return _not_now("The store cannot be written.")
        except Exception:
            self._log.exception("delivery_not_taken")
            return _not_now("The delivery could not be taken.")

    async def _read(self, headers: Mapping[str, str], body: bytes, peer: str) -> Delivery:
        try:
            if len(body) > OFF_THE_LOOP:
                delivery = await asyncio.to_thread(self._parse, headers, body)
            else:
                delivery = self._parse(headers, body)
        except BadHeader as error:
            raise Problem(400, str(error)) from None
        except BadSignature as error:
            self._log.warning("signature_refused", peer=peer)
            raise Problem(401, str(error)) from None
        except Unreadable as error:
            _require_json(headers)
            raise Problem(400, str(error)) from None
        _require_json(headers)
        return delivery

    def _parse(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        return parse(headers, body, secrets=self._settings.webhook_secrets)

    async def _take(self, delivery: Delivery) -> ASGIApp:
        if delivery.event is None:
            self._log.info("delivery_ignored", delivery=delivery.id, event_name=delivery.event_name)
            return _said(202, "ignored", delivery)
        if self._draining():
            return _not_now("Shutting down.")
        is_new = await self._queue.accept(
            delivery.id, delivery.event_name, delivery.action, to_json(delivery.event)
        )
        self._log.info(
            "delivery_stored" if is_new else "delivery_repeated",
            delivery=delivery.id,
            event_name=delivery.event_name,
            action=delivery.action,
            repository=delivery.repository,
        )
        if not is_new:
            return _said(200, "duplicate", delivery)
        return _said(202, "accepted", delivery)


def _require_json(headers: Mapping[str, str]) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "Set the webhook's content type to application/json.")


def _said(status: int, word: str, delivery: Delivery) -> ASGIApp:
    """The short answer; nothing in a GUID that was let pass needs an escape in JSON."""
    body = mask(f'{{"status":"{word}","delivery":"{delivery.id}"}}').encode()
    headers = (*_HEADERS, (b"content-length", b"%d" % len(body)))

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def _not_now(why: str) -> Response:
    text = f"{why} Nothing was stored; send it again."
    return Problem(503, text, headers={"retry-after": str(RETRY_AFTER_S)}).response()
