"""Who may use the wizard: one browser on this machine, that has the address which we printed.

The address carries a token that is good once; it opens a session in a cookie, and every form
carries a token of its own. The host is compared with our own, for a page of a stranger could have
its name resolve to loopback.
"""

import hmac
import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.web.problem import Problem

START = "/start"


class Entrance:
    """One wizard's entrance; `host` is where it listens, as a browser writes it."""

    def __init__(self, host: str) -> None:
        self._hosts = {host, host.replace("127.0.0.1", "localhost")}
        self._base = f"http://{host}"
        self._token = secrets.token_hex(32)
        self._session = secrets.token_hex(32)
        # Cookies know no ports: two wizards on one machine must not share one.
        self._cookie = f"chimera_setup_{host.rpartition(':')[2]}"
        self.form_token = secrets.token_hex(32)

    @property
    def address(self) -> str:
        """What a person opens; it works once."""
        return f"{self._base}{START}?token={self._token}"

    def url(self, path: str) -> str:
        """A page of ours, as GitHub is told to send the browser back to."""
        return f"{self._base}{path}"

    def start(self, request: Request) -> Response:
        """The first request: the token goes, the session comes. Raises Problem.

        The browser that has been let in may open the address once more.
        """
        self._require_host(request)
        if _same(request.cookies.get(self._cookie, ""), self._session):
            return RedirectResponse("/", 303)
        given = request.query_params.get("token", "")
        if not self._token or not _same(given, self._token):
            raise Problem(403, "This address has been used, or was copied in part. Start again.")
        self._token = ""
        answer = RedirectResponse("/", 303)
        # Lax, not strict: the browser comes back from GitHub's pages.
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="lax")
        return answer

    def admit(self, request: Request) -> None:
        """Raises Problem for everybody but the browser that we let in."""
        self._require_host(request)
        if not _same(request.cookies.get(self._cookie, ""), self._session):
            raise Problem(403, "Open the address that `chimera setup` has printed.")

    def admit_form(self, given: str) -> None:
        """Raises Problem for a form that is not from a page of ours."""
        if not _same(given, self.form_token):
            raise Problem(403, "The form is not from this page. Go back, reload and try again.")

    def _require_host(self, request: Request) -> None:
        if request.headers.get("host", "").lower() not in self._hosts:
            raise Problem(403, "This wizard is for this machine only.")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
