"""The wizard's pages: everything escaped and masked, nothing from elsewhere.

One page may send a form to GitHub and run our five lines of script that press its button; all
others may do neither.
"""

from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse, Response

from bot import __version__
from bot.web.masked import masked_templates

HERE = Path(__file__).parent
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src {script}; "
    "form-action 'self'{hub}; base-uri 'none'; frame-ancestors 'none'"
)


def page(name: str, status: int = 200, *, hub: str = "", **values: Any) -> Response:
    """The template as an answer; with `hub`, its form may go there and is sent by itself."""
    policy = _POLICY.format(script="'self'" if hub else "'none'", hub=f" {hub}" if hub else "")
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        # Not no-referrer: that makes a browser call the origin of our form to GitHub "null".
        "referrer-policy": "strict-origin",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }
    html = _environment.get_template(name).render(version=__version__, **values)
    return HTMLResponse(html, status, headers=headers)


_environment = masked_templates(HERE / "templates")
