"""The App's own credential: a short JWT signed with its private key.

By the clock that we are given, and refused at the door when the key cannot be one; githubkit's
strategy does neither, and shares its tokens between all Apps of a process that have one number.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
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
        return jwt.encode(claims, self._key, algorithm="RS256")


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
