"""Templates to pages: everything escaped, everything through the masker, nothing from elsewhere."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from bot import __version__
from bot.domain import Outcome, Status
from bot.log import mask
from bot.tasks.inbox import InboxState
from bot.web.gantt import took
from bot.web.masked import masked_templates
from bot.web.shapes import iso
from bot.web.steps import Mark
from bot.workflow.report.words import TITLES

HERE = Path(__file__).parent
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # Not no-referrer: with that, browsers say of our own forms that they come from "null".
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_CODE = re.compile(r"`([^`\n]{1,200})`")
# Signs that every font has; emoji are boxes where no colour font is installed.
STATUS_ICONS = {
    Status.QUEUED: "○",
    Status.RUNNING: "●",
    Status.WAITING: "◷",
    Status.COMPLETED: "✓",
    Status.FAILED: "✗",
    Status.CANCELLED: "⊘",
    Status.DEAD: "†",
}
OUTCOME_ICONS = {
    Outcome.PASS: "✓",
    Outcome.SKIP: "»",
    Outcome.AGAIN: "↻",
    Outcome.BACK: "↩",
    Outcome.FAIL: "✗",
    Outcome.WAIT: "◷",
}


DELIVERY_ICONS = {InboxState.NEW: "○", InboxState.DONE: "✓", InboxState.FAILED: "✗"}
MARK_WORDS = {
    Mark.AHEAD: "not yet",
    Mark.PASS: "passed",
    Mark.SKIP: "skipped",
    Mark.NOW: "now",
    Mark.WAIT: "waiting",
    Mark.FAIL: "ended here",
}


def page(name: str, status: int = 200, **values: Any) -> Response:
    """The template `name` as an answer with the headers that every page has."""
    return HTMLResponse(_environment.get_template(name).render(values), status, headers=HEADERS)


def instant(seconds: float) -> str:
    """Unix seconds for people: `2026-03-01 14:02:07 UTC`."""
    return iso(seconds).replace("T", " ").partition(".")[0] + " UTC"


def ago(seconds: float, now: float) -> str:
    """How long ago, in one unit: `now`, `4 min`, `3 h`, `12 d`."""
    passed = max(0.0, now - seconds)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if passed >= length:
            return f"{passed // length:.0f} {unit} ago"
    return "just now"


def web_address(text: str) -> str:
    """The text when it may stand in a link (http or https), else nothing."""
    try:
        return text if urlsplit(text).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def prose(text: str) -> Markup:
    """One line of words with its `code` as code; everything else in it is escaped and masked."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(mask(text)))))  # noqa: S704 - escaped


def money(cost_usd: float | None) -> str:
    """A price that nobody knows is not zero."""
    return "unknown" if cost_usd is None else f"${cost_usd:.2f}"


_environment = masked_templates(HERE / "templates")
_environment.filters |= {
    "instant": instant,
    "ago": ago,
    "iso": iso,
    "took": took,
    "money": money,
    "prose": prose,
    "web_address": web_address,
}
_environment.globals |= {
    "status_icon": STATUS_ICONS,
    "outcome_icon": OUTCOME_ICONS,
    "delivery_icon": DELIVERY_ICONS,
    "mark_words": MARK_WORDS,
    "phase_name": TITLES,
    "version": __version__,
}
