"""What every page of the dashboard needs around its own content, and the check on its forms."""

from typing import Any
from urllib.parse import urlencode

from bot.web.bodies import read_form
from bot.web.call import Call
from bot.web.problem import Problem

RELOAD_S = 15  #: how often a page reloads itself where no script runs


def frame(call: Call, *, hints: str = "", moves: bool = True) -> dict[str, Any]:
    """The values of `base.html`. `hints` is the stream that says when to look again.

    A page that moves stands still with `?live=0`.
    """
    query = call.request.query_params
    moves = moves and query.get("live") != "0"
    path = call.request.url.path
    rest = {name: value for name, value in query.items() if name != "live"}
    return {
        "who": call.who,
        "form_token": call.sessions.form_token(call.who.key),
        "moves": moves,
        "hints": hints if moves else "",
        "reload_s": RELOAD_S if moves else 0,
        "path": path,
        "here": f"{path}?{urlencode(rest)}" if rest else path,
        "still": f"{path}?{urlencode({**rest, 'live': 0})}",
        "now": call.parts.now(),
    }


def bare() -> dict[str, Any]:
    """The same for a page that nobody has to be signed in for."""
    return {
        "who": None,
        "form_token": "",
        "moves": False,
        "hints": "",
        "reload_s": 0,
        "path": "",
        "here": "",
        "still": "",
        "now": 0.0,
    }


async def own_form(call: Call) -> dict[str, str]:
    """The fields of a form of ours. Raises Problem for one that another page has made up."""
    form = await read_form(call.request)
    if not call.sessions.owns_form(form.get("form_token", ""), call.who.key):
        raise Problem(403, "The form is too old. Go back, reload the page and try again.")
    return form
