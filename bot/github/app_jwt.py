"""The App's own credential: a short JWT signed with its private key.

By the clock that we are given, and refused at the door when the key cannot be one; githubkit's
strategy does neither, and shares its tokens between all Apps of a process that have one number.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""

import functools

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.errors import ConfigError

BACKDATE_S = 60  #: for a clock that runs ahead of GitHub's
LIFE_S = 540  #: GitHub refuses more than ten minutes
REUSED_S = 60  #: a signature costs a millisecond; a sweep sends dozens of requests in a row


class AppKey:
    """The private key of an App. Raises ConfigError where the PEM cannot be one."""

    def __init__(self, app_id: int, pem: str) -> None:
        self.app_id = app_id
        self._key = _load(pem)
        self._signed = "", 0.0  #: the last one, and when it was made

    def token(self, *, now: float) -> str:
        """A JWT that speaks for the App for at least `LIFE_S - REUSED_S` from `now` on."""
        token, made_at = self._signed
        if not token or not made_at <= now < made_at + REUSED_S:
            token = self._sign(now)
            self._signed = token, now
        return token

    def _sign(self, now: float) -> str:
        claims = {
            "iat": int(now) - BACKDATE_S,
            "exp": int(now) + LIFE_S,
            "iss": str(self.app_id),
        }
        return jwt.encode(claims, self._key, algorithm="RS256")


@functools.lru_cache(maxsize=4)
def _load(pem: str) -> RSAPrivateKey:
    """The key; it is checked, which takes as long as ten requests, once per process."""
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
