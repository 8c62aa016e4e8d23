"""One admitted request, as every handler gets it."""

from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from bot.domain import Task
from bot.errors import NotFound
from bot.tasks.statistics import History
from bot.web.auth import Principal
from bot.web.health import Health
from bot.web.parts import WebParts
from bot.web.problem import json_response
from bot.web.recent import Recent
from bot.web.session import Sessions

MAX_ID = 80  #: characters of a task's id that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The request, the parts, and who is asking."""

    request: Request
    parts: WebParts
    sessions: Sessions
    history: Recent[History]  #: what estimates are made from
    health: Health
    who: Principal

    async def task(self) -> Task:
        """The task that the path names. NotFound also when its repository is not theirs to see."""
        task_id = self.request.path_params["task_id"][:MAX_ID]
        missing = NotFound(f"There is no task {task_id!r}.")
        try:
            task = await self.parts.queue.get(task_id)
        except NotFound:
            raise missing from None
        if not self.who.may_see(task):
            raise missing
        return task


def answer(model: BaseModel, status: int = 200) -> Response:
    """A shape of `shapes` as a JSON answer."""
    return json_response(model.model_dump(mode="json"), status)
