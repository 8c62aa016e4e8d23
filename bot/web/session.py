"""Dashboard sessions: a signed cookie that names a token's id or a person, and form tokens.

The key belongs to the store: a session holds over restarts, and on every machine. A revoked token
ends its sessions at once, for the token is looked up on every request; so is what a person may see.
"""

import hashlib
import hmac

COOKIE = "chimera_session"
LIFETIME_S = 12 * 3600


class Sessions:
    """Signs and checks; keeps nothing."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def open(self, subject: str, *, now: float) -> str:
        """A cookie's value for the holder of a token (its id), or for a person (see `auth`)."""
        body = f"{subject}.{int(now) + LIFETIME_S}"
        return f"{body}.{self._sign('session', body)}"

    def read(self, cookie: str, *, now: float) -> str:
        """Whose session it is; empty when it is not ours or is over."""
        body, _, signature = cookie.rpartition(".")
        expected = self._sign("session", body)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            return ""
        subject, _, until = body.rpartition(".")
        return subject if now < int(until) else ""

    def form_token(self, key: str) -> str:
        """What a form of the dashboard carries, so that only our own pages can send it."""
        return self._sign("form", key)

    def owns_form(self, given: str, key: str) -> bool:
        expected = self.form_token(key).encode()
        return hmac.compare_digest(expected, given.encode("utf-8", "replace"))

    def _sign(self, purpose: str, text: str) -> str:
        message = f"{purpose}:{text}".encode("utf-8", "replace")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
