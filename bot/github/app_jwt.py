"""The App's own credential: a short JWT signed with its private key.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""

import base64
import json

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.errors import ConfigError

BACKDATE_S = 60  #: for a clock that runs ahead of GitHub's
LIFE_S = 540  #: GitHub refuses more than ten minutes


class AppKey:
    """The private key of an App. Raises ConfigError where the PEM cannot be one."""

    def __init__(self, app_id: int, pem: str) -> None:
        self.app_id = app_id
        self._key = _load(pem)

    def token(self, *, now: float) -> str:
        """A JWT that speaks for the App until `now + LIFE_S` (Unix seconds)."""
        claims = {
            "iat": int(now) - BACKDATE_S,
            "exp": int(now) + LIFE_S,
            "iss": str(self.app_id),
        }
        signed = f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        signature = self._key.sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{_base64(signature)}"


def _load(pem: str) -> RSAPrivateKey:
    # A key in an environment variable often has its line ends written as \n.
    text = pem.replace("\\n", "\n").strip() + "\n"
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # Not the library's text: it may quote the key.
        raise ConfigError("the App's private key is not an unencrypted PEM key") from error
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError("the App's private key is not an RSA key, as GitHub makes them")
    return key


def _encoded(value: dict[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
