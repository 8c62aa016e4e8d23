"""The dashboard's lists: all tasks, dead letters, parts, deliveries. No script is needed."""

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from bot.config.choices import Verb
from bot.domain import Status
from bot.web import hints
from bot.web.acting import permitted
from bot.web.auth import Scope
from bot.web.bodies import MAX_PAGE, DeadFilter, DeliveryFilter, read_query
from bot.web.call import Call
from bot.web.card import card_of
from bot.web.deliveries import require_all_repositories
from bot.web.frame import frame
from bot.web.render import page
from bot.workflow.commands import PHASE_WORDS


async def all_tasks(call: Call) -> Response:
    """Every task there is and has been, newest first; of one status, where one is wanted."""
    wanted = read_query(call.request, PageOfTasks)
    found = await call.parts.queue.page(
        status=[] if wanted.status is None else [wanted.status],
        among=call.who.repos,
        limit=wanted.limit,
        cursor=wanted.cursor,
    )
    return page(
        "tasks.html",
        **frame(call, hints=hints.address(call)),
        cards=[card_of(task) for task in found.tasks],
        next=found.cursor,
        chosen=wanted.status,
        statuses=list(Status),
    )


async def dead_letters(call: Call) -> Response:
    """What broken machinery has stopped: requeue it, from any phase, or give it up."""
    wanted = read_query(call.request, PageOfDead)
    found = await call.parts.queue.page(
        status=[Status.DEAD],
        among=call.who.repos,
        limit=wanted.limit,
        cursor=wanted.cursor,
    )
    rights = {task.id: await permitted(call, task) for task in found.tasks}
    return page(
        "dead.html",
        **frame(call, hints=hints.address(call)),
        cards=[card_of(task) for task in found.tasks],
        next=found.cursor,
        may_retry={task_id for task_id, verbs in rights.items() if Verb.RETRY in verbs},
        may_discard={task_id for task_id, verbs in rights.items() if Verb.CANCEL in verbs},
        phase_words=PHASE_WORDS,
    )


async def parts_page(call: Call) -> Response:
    """What `/health` says, for people: how each part is, and what to do where it is not well."""
    parts = await call.health.parts()
    return page(
        "parts.html",
        **frame(call),
        parts=sorted(parts, key=lambda part: part.ok),  # what asks for somebody stands first
        trouble=sum(not part.ok for part in parts),
    )


async def deliveries_page(call: Call) -> Response:
    """What GitHub has delivered and what became of it; for whoever may see all repositories."""
    require_all_repositories(call)
    wanted = read_query(call.request, PageOfDeliveries)
    rows = await call.parts.queue.deliveries(
        state=wanted.state,
        limit=wanted.limit,
        before=int(wanted.cursor) if wanted.cursor is not None else None,
    )
    return page(
        "deliveries.html",
        **frame(call),
        rows=rows,
        state=wanted.state,
        next=str(rows[-1].id) if len(rows) == wanted.limit else None,
        may_act=call.who.may(Scope.WRITE) or bool(call.who.login),
    )


class PageOfTasks(BaseModel):
    """What the address of the page of all tasks may say."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(default=None, pattern=r"^[0-9]{1,18}$")
    live: int | None = None


class PageOfDead(DeadFilter):
    """What the address of the page of dead letters may say."""

    live: int | None = None


class PageOfDeliveries(DeliveryFilter):
    """What the address of the page of deliveries may say."""

    live: int | None = None
