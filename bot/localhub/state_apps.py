"""Accounts, Apps and their installations, tokens and deliveries, as rows of the hub."""

from dataclasses import dataclass, field

from bot.localhub.types import Json


@dataclass(slots=True, kw_only=True)
class Account:
    """A person, an organization, or the bot user of an App."""

    id: int
    login: str
    kind: str  #: "User", "Organization" or "Bot"
    site_admin: bool = False
    token: str = ""
    created_at: float = 0.0


@dataclass(slots=True, kw_only=True)
class App:
    """A GitHub App as registered: who owns it, what it may ask for, where its hooks go."""

    id: int
    slug: str
    name: str
    owner: Account
    bot: Account
    client_id: str
    client_secret: str
    webhook_secret: str
    hook_url: str
    hook_active: bool
    pem: str
    public_key: str
    permissions: dict[str, str]
    events: list[str]
    external_url: str
    description: str
    created_at: float
    callback_urls: list[str] = field(default_factory=list)  #: where people may be sent back to


@dataclass(slots=True, kw_only=True)
class Installation:
    """An App installed on an account; ``repository_ids`` is None for all repositories."""

    id: int
    app: App
    account: Account
    repository_ids: set[int] | None
    permissions: dict[str, str]
    events: list[str]
    created_at: float
    suspended_at: float | None = None
    suspended_by: Account | None = None


@dataclass(slots=True, kw_only=True)
class Grant:
    """A token that was given out, with what it may do and until when."""

    token: str
    expires_at: float
    permissions: dict[str, str]
    repository_ids: set[int] | None
    installation: Installation | None = None
    app: App | None = None


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One attempt to deliver one webhook."""

    id: int
    guid: str
    event: str
    action: str | None
    app: App
    installation_id: int | None
    repository_id: int | None
    payload: Json
    body: bytes
    created_at: float
    redelivery: bool = False
    delivered_at: float | None = None
    status_code: int = 0
    status: str = "pending"
    duration: float = 0.0
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""
