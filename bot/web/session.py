"""Dashboard sessions: a signed cookie that names a token by its id, and form tokens.

The key lives as long as the process: after a restart people sign in again. A revoked token ends
its sessions at once, for the token is looked up on every request.
"""

import hashlib
import hmac
import secrets

COOKIE = "chimera_session"
LIFETIME_S = 12 * 3600


class Sessions:
    """Signs and checks; keeps nothing."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def open(self, token_id: str, *, now: float) -> str:
        """A cookie's value for the holder of this token."""
        body = f"{token_id}.{int(now) + LIFETIME_S}"
        return f"{body}.{self._sign('session', body)}"

    def read(self, cookie: str, *, now: float) -> str:
        """The id of the token that opened the session; empty when it is not ours or is over."""
        body, _, signature = cookie.rpartition(".")
        expected = self._sign("session", body)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            return ""
        token_id, _, until = body.rpartition(".")
        return token_id if now < int(until) else ""

    def form_token(self, token_id: str) -> str:
        """What a form of the dashboard carries, so that only our own pages can send it."""
        return self._sign("form", token_id)

    def owns_form(self, given: str, token_id: str) -> bool:
        expected = self.form_token(token_id).encode()
        return hmac.compare_digest(expected, given.encode("utf-8", "replace"))

    def _sign(self, purpose: str, text: str) -> str:
        message = f"{purpose}:{text}".encode("utf-8", "replace")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
