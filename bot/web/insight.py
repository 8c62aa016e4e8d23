"""The numbers over HTTP: JSON for programs, text for Prometheus, the API's own description."""

from starlette.responses import Response

from bot.web.call import Call
from bot.web.metrics import MEDIA_TYPE, page_of
from bot.web.problem import Problem, json_response
from bot.web.statistics import Numbers, as_json, statistics


async def metrics_json(call: Call) -> Response:
    """Pool, queue, durations and failures as JSON."""
    return json_response(as_json(await _numbers(call)))


async def metrics_text(call: Call) -> Response:
    """The same for Prometheus."""
    text = page_of(await _numbers(call))
    return Response(text, headers={"content-type": MEDIA_TYPE, "cache-control": "no-store"})


async def _numbers(call: Call) -> Numbers:
    if call.who.repos is not None:
        raise Problem(403, "The numbers of all repositories need a token for all repositories.")
    return await statistics(call.parts)
