"""The buttons of the dashboard: who may press which, and what pressing does.

A token goes by its scope, a person by their role in the task's repository, as in a comment.
"""

from starlette.responses import RedirectResponse, Response

from bot.config.choices import Verb
from bot.domain import Task
from bot.web.auth import Scope
from bot.web.call import Call
from bot.web.deliveries import require_all_repositories
from bot.web.frame import own_form
from bot.web.problem import Problem
from bot.web.session import COOKIE
from bot.web.sign_in import here
from bot.workflow.steering import is_possible

DISCARD = "discard"  #: of a dead task; in a comment it is `cancel`
_GATE = frozenset({Verb.APPROVE, Verb.REJECT, Verb.ROLLBACK})
_WORK = frozenset(
    {
        Verb.CANCEL,
        Verb.RETRY,
        Verb.PAUSE,
        Verb.RESUME,
        Verb.PRIORITY,
        Verb.BUDGET,
        Verb.REVIEW,
        Verb.DEPLOY,
    }
)


async def press(call: Call) -> Response:
    """A button of the dashboard; the token's scope, or the person's role, says who may press it."""
    form = await own_form(call)
    task = await call.task()
    word = call.request.path_params["verb"]
    if word == DISCARD:
        await _require(call, task, Verb.CANCEL)
        await call.parts.discard(task.id, call.who.name)
    elif word in _GATE | _WORK:
        await _require(call, task, Verb(word))
        await call.parts.steer(task.id, call.who.name, Verb(word), form.get("said", ""))
    else:
        raise Problem(404, f"There is no button {word[:20]!r}.")
    return RedirectResponse(here(form.get("back", "")) if "back" in form else _page(task), 303)


async def replay(call: Call) -> Response:
    """Read a delivery once more, from its page."""
    form = await own_form(call)
    require_all_repositories(call)
    if not call.who.may(Scope.WRITE) and not call.who.login:
        raise Problem(403, f"{call.who.name!r} lacks the scope {Scope.WRITE.value!r}.")
    await call.parts.queue.replay(call.request.path_params["delivery_id"])
    return RedirectResponse(here(form.get("back", "/deliveries")), 303)


async def sign_out(call: Call) -> Response:
    """Forget the session on this browser."""
    await own_form(call)
    gone = RedirectResponse("/sign-in", 303)
    gone.delete_cookie(COOKIE)
    return gone


async def permitted(call: Call, task: Task) -> frozenset[Verb]:
    """What this client may do with this task, in whatever state it is."""
    who, people = call.who, call.parts.people
    if who.login:
        if people is None or task.repo is None:
            return frozenset()
        return (_GATE | _WORK) & await people.verbs(task.repo, who.login)
    work = _WORK if who.may(Scope.WRITE) else frozenset()
    return work | (_GATE if who.may(Scope.APPROVE) else frozenset())


async def offered(call: Call, task: Task) -> frozenset[Verb]:
    """What this client may do with this task now."""
    return frozenset(verb for verb in await permitted(call, task) if is_possible(task, verb))


async def _require(call: Call, task: Task, verb: Verb) -> None:
    if verb not in await permitted(call, task):
        raise Problem(403, f"{call.who.name!r} may not {verb} this task.")


def _page(task: Task) -> str:
    return f"/tasks/{task.id}"
