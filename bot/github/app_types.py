"""What GitHub told us of the App itself: its installations, its allowance, its hook."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AppInfo:
    id: int
    slug: str
    name: str
    html_url: str
    owner: str  #: the login
    of_organisation: bool  #: else it is a person's
    permissions: tuple[tuple[str, str], ...]
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    id: int
    account: str
    suspended: bool
    permissions: tuple[tuple[str, str], ...]
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The requests of one installation in the present hour."""

    limit: int
    remaining: int
    resets_at: int  #: Unix seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class HookDelivery:
    id: int  #: of this attempt, for redelivery
    guid: str  #: shared by all attempts
    event: str
    action: str
    status_code: int  #: our answer; 0: none
    redelivery: bool
    delivered_at: str
    installation_id: int
    repository_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HookConfig:
    url: str
    content_type: str
    insecure_ssl: bool
    has_secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApp:
    """What the manifest conversion hands out, once. Three of these are secrets."""

    id: int
    slug: str
    html_url: str
    client_id: str
    client_secret: str
    webhook_secret: str
    pem: str
