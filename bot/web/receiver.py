"""`POST /webhook`: from a stranger's bytes to a durable row, and nothing more.

The order of the checks is part of the promise: method, path, size, headers, signature, content
type, JSON, duplicate, store. What was answered with 2xx is stored or means nothing to us; trouble
of ours is a 503, so that GitHub's delivery log shows it as failed and it is sent again.
"""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from bot.errors import StoreError
from bot.github.webhook import BadHeader, BadSignature, Delivery, Unreadable, parse, to_json
from bot.log import get
from bot.tasks.inbox import Inbox
from bot.web.body import BodyReader
from bot.web.parts import WebSettings
from bot.web.problem import RETRY_AFTER_S, Problem, json_response

TOGETHER = 96 * 1024 * 1024  #: bytes of large bodies in memory at one time
HOOK_PATHS = ("/webhook", "/api/github/webhooks")  #: the second is the name that Probot gave it
OFF_THE_LOOP = 128 * 1024  #: bytes; hashing and parsing more would hold up the event loop

_log = get("web")


class Receiver:
    """The webhook's door."""

    def __init__(
        self,
        queue: Inbox,
        settings: WebSettings,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._draining = draining
        self._bodies = BodyReader(
            limit=settings.body_limit,
            together=TOGETHER,
            within_s=settings.body_deadline_s,
        )

    async def receive(self, request: Request) -> Response:
        """202 accepted or ignored, 200 duplicate, 4xx the sender's fault, 503 ours. Never 500."""
        try:
            async with self._bodies.read(request) as body:
                return await self._take(await self._read(request, body))
        except Problem as problem:
            return problem.response()
        except StoreError as error:
            _log.error("delivery_not_stored", error=str(error))
            return _not_now("The store cannot be written.")
        except Exception:
            _log.exception("delivery_not_taken")
            return _not_now("The delivery could not be taken.")

    async def _read(self, request: Request, body: bytes) -> Delivery:
        try:
            if len(body) > OFF_THE_LOOP:
                delivery = await asyncio.to_thread(self._parse, request, body)
            else:
                delivery = self._parse(request, body)
        except BadHeader as error:
            raise Problem(400, str(error)) from None
        except BadSignature as error:
            _log.warning("signature_refused", peer=request.client.host if request.client else "")
            raise Problem(401, str(error)) from None
        except Unreadable as error:
            _require_json(request)
            raise Problem(400, str(error)) from None
        _require_json(request)
        return delivery

    def _parse(self, request: Request, body: bytes) -> Delivery:
        return parse(request.headers, body, secrets=self._settings.webhook_secrets)

    async def _take(self, delivery: Delivery) -> Response:
        if delivery.event is None:
            _log.info("delivery_ignored", delivery=delivery.id, event_name=delivery.event_name)
            return _answer(202, "ignored", delivery)
        if self._draining():
            return _not_now("Shutting down.")
        is_new = await self._queue.accept(
            delivery.id, delivery.event_name, delivery.action, to_json(delivery.event)
        )
        _log.info(
            "delivery_stored" if is_new else "delivery_repeated",
            delivery=delivery.id,
            event_name=delivery.event_name,
            action=delivery.action,
            repository=delivery.repository,
        )
        if not is_new:
            return _answer(200, "duplicate", delivery)
        return _answer(202, "accepted", delivery)


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "Set the webhook's content type to application/json.")


def _answer(status: int, word: str, delivery: Delivery) -> Response:
    return json_response({"status": word, "delivery": delivery.id}, status)


def _not_now(why: str) -> Response:
    text = f"{why} Nothing was stored; send it again."
    return Problem(503, text, headers={"retry-after": str(RETRY_AFTER_S)}).response()
