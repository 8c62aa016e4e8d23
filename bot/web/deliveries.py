"""The API over deliveries: what came, and once more."""

from starlette.responses import Response

from bot.web.bodies import DeliveryFilter, read_query
from bot.web.call import Call, answer
from bot.web.problem import Problem
from bot.web.shapes import DeliveryPage, Replayed, delivery_out


async def listing(call: Call) -> Response:
    """Stored deliveries, newest first."""
    require_all_repositories(call)
    wanted = read_query(call.request, DeliveryFilter)
    rows = await call.parts.queue.deliveries(
        state=wanted.state,
        limit=wanted.limit,
        before=int(wanted.cursor) if wanted.cursor is not None else None,
    )
    following = str(rows[-1].id) if len(rows) == wanted.limit else None
    return answer(DeliveryPage(deliveries=[delivery_out(row) for row in rows], next=following))


async def replay(call: Call) -> Response:
    """Read a stored delivery once more; what it asked for is not done twice."""
    require_all_repositories(call)
    delivery_id = call.request.path_params["delivery_id"]
    await call.parts.queue.replay(delivery_id)
    return answer(Replayed(delivery_id=delivery_id), 202)


def require_all_repositories(call: Call) -> None:
    """Raises Problem for whoever may see some repositories only."""
    if call.who.repos is not None:
        raise Problem(403, "Deliveries are for tokens of all repositories.")
