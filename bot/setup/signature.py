"""Signing a body as GitHub does, and why a signature does not fit, in words.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from bot.github.webhook import BadSignature, verify

HEADER = "x-hub-signature-256"
_FORM = "application/x-www-form-urlencoded"
_WELL_FORMED = re.compile(r"sha256=[0-9a-f]{64}")


def sign(body: bytes, secret: str) -> str:
    """The value of `X-Hub-Signature-256` for these bytes."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def why_not(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> str:
    """Why a delivery's signature is refused; empty when it fits.

    `headers` have names in lower case. The answer tells nothing of a secret, and is meant for
    the one who runs the server: a sender hears the same words whatever the cause.
    """
    given = headers.get(HEADER, "")
    if not any(secrets):
        return "This side knows no webhook secret: set CHIMERA_WEBHOOK_SECRET."
    if _fits(given, body, secrets):
        return ""
    if not given and "x-hub-signature" in headers:
        return "It carries the old SHA-1 signature only: something on the way drops headers."
    if not given:
        return "It is not signed: the webhook has no secret on GitHub. Set the same one there."
    if _WELL_FORMED.fullmatch(given) is None:
        return f"The header {HEADER} is malformed: something on the way changes headers."
    if body.startswith(b"payload=") or headers.get("content-type", "").startswith(_FORM):
        return "It was sent as a form: set the webhook's content type to application/json."
    if _fits(given, body, [bare for secret in secrets for bare in _spellings(secret)]):
        return "The secrets differ only in white space around them: mind line ends in files."
    return (
        "The secret on GitHub is another than CHIMERA_WEBHOOK_SECRET, or the body was changed on "
        "the way (a channel or proxy that reads JSON and writes it anew does so)."
    )


def _fits(given: str, body: bytes, secrets: Sequence[str]) -> bool:
    try:
        verify(given.encode("utf-8", "replace"), body, secrets=secrets)
    except BadSignature:
        return False
    return True


def _spellings(secret: str) -> list[str]:
    bare = secret.strip()
    return [bare, f"{bare}\n", f"{bare}\r\n", f"{bare} ", f" {bare}"]
