"""Where the event loop's time goes, asked for while it runs.

Nothing is loaded, registered or counted before somebody asks: the profiler is the optional extra
`profile` (pyinstrument), which looks at the loop's thread once a millisecond for as long as it is
wanted. A tracer from outside needs rights that a hardened server does not have.
"""

import asyncio

from starlette.responses import PlainTextResponse, Response

from bot.web.bodies import Sampling, read_query
from bot.web.call import Call
from bot.web.problem import Problem

INTERVAL_S = 0.001

_one_at_a_time = asyncio.Lock()


async def profile(call: Call) -> Response:
    """Watch the event loop for some seconds: a tree of its calls by time. One at a time (409)."""
    if call.who.repos is not None:
        raise Problem(403, "What all repositories share needs a token for all repositories.")
    try:
        from pyinstrument import Profiler  # noqa: PLC0415 - loaded only when it is asked for
    except ImportError:
        raise Problem(
            501, "No profiler is installed: pip install 'chimera-bot[profile]'."
        ) from None
    if _one_at_a_time.locked():
        raise Problem(409, "Somebody else is watching; ask again in some seconds.")
    wanted = read_query(call.request, Sampling)
    async with _one_at_a_time:
        profiler = Profiler(interval=INTERVAL_S, async_mode="disabled")  # every task, not this one
        with profiler:
            await asyncio.sleep(wanted.seconds)
    text = await asyncio.to_thread(profiler.output_text, unicode=True, show_all=False)
    return PlainTextResponse(text, headers={"cache-control": "no-store"})
