"""Who is asking, and what they may do: App JWTs, installation tokens, personal tokens.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

import base64
import binascii
import functools
import hashlib
import json
import secrets
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.localhub.errors import Refused, forbidden, not_found
from bot.localhub.state import Repository
from bot.localhub.state_apps import Account, App, Grant, Installation
from bot.localhub.types import Json
from bot.localhub.world import World

TOKEN_LIFE_S = 3600
JWT_LIFE_S = 600  #: the longest that GitHub accepts
CLOCK_DRIFT_S = 60
_LEVELS = {"read": 1, "write": 2, "admin": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The caller of one request."""

    via: str  #: "anonymous", "user", "app" (a JWT), "installation" or "workflow" (GITHUB_TOKEN)
    account: Account | None = None
    app: App | None = None
    installation: Installation | None = None
    grant: Grant | None = None

    @property
    def name(self) -> str:
        return self.account.login if self.account else self.via

    @property
    def scoped(self) -> bool:
        """Whether a grant, rather than a role, decides what this caller may do."""
        return self.grant is not None

    def holds(self, permission: str) -> bool:
        """Whether the grant has e.g. ``issues:write``; ``a:read|b:read`` means either."""
        if self.grant is None:
            return False
        held = self.grant.permissions
        wanted = (each.split(":") for each in permission.split("|"))
        return any(_LEVELS.get(held.get(key, ""), 0) >= _LEVELS[level] for key, level in wanted)

    def reaches(self, repo: Repository) -> bool:
        """Whether the grant covers this repository."""
        if self.grant is None:
            return False
        installation = self.installation
        if installation is not None and repo.owner is not installation.account:
            return False
        ids = self.grant.repository_ids
        return ids is None or repo.id in ids


ANONYMOUS = Actor(via="anonymous")


def identify(world: World, authorization: str) -> Actor:
    """The caller that an Authorization header names. Raises 401 for what is not valid."""
    scheme, _, value = authorization.strip().partition(" ")
    match scheme.lower():
        case "":
            return ANONYMOUS
        case "basic":
            return by_token(world, basic_password(value))
        case "bearer" | "token" if value.count(".") == 2 and not value.startswith("ghs_"):
            return by_jwt(world, value)
        case "bearer" | "token":
            return by_token(world, value.strip())
        case _:
            raise bad_credentials()


def bad_credentials() -> Refused:
    """401 for tokens that are unknown, expired or revoked."""
    return Refused(401, "Bad credentials")


def basic_password(value: str) -> str:
    """The password of HTTP basic auth; the user name is not looked at. Raises 401."""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_credentials() from error


def by_token(world: World, token: str) -> Actor:
    """The holder of a personal token, an installation token or a job's GITHUB_TOKEN."""
    for account in world.accounts.values():
        if account.token and secrets.compare_digest(account.token.encode(), token.encode()):
            return Actor(via="user", account=account)
    signed_in = world.user_tokens.get(token)
    if signed_in is not None and signed_in[1] > world.now():
        return Actor(via="user", account=signed_in[0])
    grant = world.grants.get(token)
    if grant is None or grant.expires_at <= world.now():
        raise bad_credentials()
    installation = grant.installation
    if installation is None:
        app = grant.app
        return Actor(via="workflow", account=app.bot if app else None, app=app, grant=grant)
    if installation.id not in world.installations:
        raise bad_credentials()
    if installation.suspended_at is not None:
        raise forbidden("This installation has been suspended")
    return Actor(
        via="installation",
        account=installation.app.bot,
        app=installation.app,
        installation=installation,
        grant=grant,
    )


def by_jwt(world: World, token: str) -> Actor:
    """The App that signed a JWT; ``iss`` is its id or client id. Raises 401."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        app = _issuer(world, claims)
        _verify(token, app.public_key)
    except jwt.InvalidTokenError as error:
        raise Refused(401, "A JSON web token could not be decoded") from error
    _check_times(world, claims)
    return Actor(via="app", account=app.bot, app=app)


@functools.lru_cache
def _verify(token: str, pem: str) -> None:
    """Raises jwt.InvalidTokenError where another key has signed; a client repeats its tokens."""
    jwt.decode(
        token,
        _loaded(pem),
        algorithms=["RS256"],
        options={"verify_exp": False, "verify_iat": False},
    )


@functools.lru_cache
def _loaded(pem: str) -> rsa.RSAPublicKey:
    """The key, read once: that takes as long as a whole request."""
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def _issuer(world: World, claims: Json) -> App:
    issuer = str(claims.get("iss"))
    for app in world.apps.values():
        if app.public_key and issuer in (str(app.id), app.client_id):
            return app
    raise Refused(404, "Integration not found")


def _check_times(world: World, claims: Json) -> None:
    now = world.now()
    expires, issued = claims.get("exp"), claims.get("iat")
    if not isinstance(expires, int | float) or expires <= now:
        raise Refused(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time "
            "at which the assertion expires",
        )
    if expires > now + JWT_LIFE_S + CLOCK_DRIFT_S:
        raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")
    if not isinstance(issued, int | float) or issued > now + CLOCK_DRIFT_S:
        raise Refused(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the "
            "assertion was issued",
        )


def new_installation_token(
    world: World, one: Installation, permissions: dict[str, str], repository_ids: set[int] | None
) -> Grant:
    """A token for an hour, in the long form: about 520 characters with ``.``, ``_`` and ``-``."""
    grant = Grant(
        token=f"ghs_{one.app.id}_{_jwt_like()}",
        expires_at=world.now() + TOKEN_LIFE_S,
        permissions={"metadata": "read"} | permissions,
        repository_ids=repository_ids,
        installation=one,
    )
    world.grants[grant.token] = grant
    return grant


def new_job_token(world: World, app: App, repo: Repository, permissions: dict[str, str]) -> Grant:
    """GITHUB_TOKEN of a workflow run: one repository, the permissions of the workflow file."""
    grant = Grant(
        token=f"ghs_{app.id}_{_jwt_like()}",
        expires_at=world.now() + 24 * 3600,
        permissions={"metadata": "read"} | permissions,
        repository_ids={repo.id},
        app=app,
    )
    world.grants[grant.token] = grant
    return grant


def _jwt_like() -> str:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "typ": "JWT"}).encode())
    return f"{header.decode().rstrip('=')}.{secrets.token_urlsafe(280)}.{secrets.token_urlsafe(64)}"


def new_key() -> tuple[str, str]:
    """A fresh RSA key as PEM texts: private (PKCS #1, as GitHub gives it) and public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def new_personal_token() -> str:
    """A personal access token in GitHub's classic form."""
    return "ghp_" + hashlib.sha256(secrets.token_bytes(32)).hexdigest()[:36]


def require(
    world: World, actor: Actor, repo: Repository, permission: str, role: str, *, reading: bool
) -> None:
    """Let the caller through or raise: 404 where the repository is hidden, 403 where it is not."""
    if actor.scoped:
        if not actor.reaches(repo):
            if repo.private:
                raise not_found()
            if not reading:
                raise forbidden()
        elif not actor.holds(permission):
            raise forbidden()
        return
    if actor.via == "app":
        raise Refused(401, "A JSON web token could not be decoded")
    if not world.may(repo, actor.account, "read"):
        raise not_found()
    if actor.via == "anonymous" and not reading:
        raise Refused(401, "Requires authentication")
    if not world.may(repo, actor.account, role):
        raise forbidden(f"Must have {role} rights to Repository.")
