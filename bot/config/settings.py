"""`Settings`: everything that one server is told by whoever runs it.

Where a value comes from, the first that speaks wins:

1. the command line (`overrides`),
2. `CHIMERA_<NAME>` in the environment, or `CHIMERA_<NAME>_FILE`: a file that holds the value,
3. Probot's name for it (`APP_ID`, `PRIVATE_KEY`, `WEBHOOK_SECRET` …), or that with `_FILE`,
4. the YAML file named by `--config` or `CHIMERA_CONFIG`,
5. `settings.yml` in the data directory, which `chimera setup` writes,
6. the default below.

An empty variable counts as not set. Every problem is reported at once; each names the variable,
what is wrong with it and what to do. Secrets are never part of a problem's text.
"""

import base64
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.config.choices import PROFILES, AgentUse, CageKind, Profile
from bot.domain import Phase, Role

GITHUB_API = "https://api.github.com"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
UNSAID = (3, PROFILES[Profile.BALANCED], 10)  #: slots where nobody says anything
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_PEM = "PRIVATE KEY-----"
_PROBOTS_LEVELS = {"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "ERROR"}


def _unpacked(text: str) -> str:
    """What base64 holds, Probot's way to put a key into one line; empty where it is none."""
    try:
        return base64.b64decode(text).decode("ascii")
    except ValueError:
        return ""


def _split(value: object) -> object:
    """A list may be written with commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]


def _whole_address(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError("must be a whole address such as https://example.com")
    if "@" in parts.netloc:
        raise ValueError("must not carry a user or a password")
    return url.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_whole_address)]


class AgentSettings(BaseModel):
    """One agent, as the server provides it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    use: AgentUse = AgentUse.LLM
    """llm, acp, command or replay."""
    model: str = ""
    """Provider and model, such as `anthropic:…`. There is no default model."""
    base_url: WebAddress = ""
    """Another address of the provider's API."""
    command: tuple[str, ...] = ()
    """The program and its arguments, for acp and command."""
    recording: Path | None = None
    """The recorded session, for replay."""
    fallback: str = ""
    """The model that is used while the first one's provider is down."""
    fallback_agent: "AgentSettings | None" = None
    """Another agent, of any kind, that goes on where this one's provider is down or refuses us, or
    its program breaks down."""


class RetrySettings(BaseModel):
    """How a failure that may pass is tried again."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    tries: int = Field(default=3, ge=1, le=20)
    """Tries of one step before the task is left to a person."""
    first_s: float = Field(default=1.0, ge=0, le=600)
    """Seconds before the second try; doubled with every further one."""
    longest_s: float = Field(default=30.0, ge=0, le=3600)
    """Seconds between two tries at most."""


class Settings(BaseModel):
    """One server's settings; made by `environment.load_settings`."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        validate_default=True,
    )

    # ── the server ──
    data_dir: Path = Path("~/.local/share/chimera")
    """The directory of store, mirrors and evidence."""
    host: str = "127.0.0.1"
    """The address to listen on; beyond loopback the API requires a token."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    public_url: WebAddress = ""
    """The address by which people and GitHub reach this server, without a path; for links."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    database_url: SecretStr = SecretStr("")
    """`postgresql://…` for many machines; empty: SQLite in the data directory."""
    worker_name: str = ""
    """This process's name among several; empty: the machine's name."""
    api_auth: bool | None = None
    """Whether the API requires a token; null: unless the host, and any public address, is
    loopback."""

    # ── GitHub ──
    api_url: WebAddress = GITHUB_API
    """GitHub's REST API; on Enterprise Server `https://HOST/api/v3`."""
    web_url: WebAddress = ""
    """GitHub's pages; empty: as the API's address implies."""
    app_id: int | None = Field(default=None, ge=1)
    """The App's number."""
    private_key: SecretStr | None = None
    """The App's private key in PEM; in one line, with `\\n` in it or as base64, too."""
    client_id: str = ""
    """The App's client id; with the secret and `public_url`, people sign in with GitHub."""
    client_secret: SecretStr | None = None
    """The App's client secret."""
    admins: Words = ()
    """Logins of people who see every task, the statistics and the deliveries; commas between."""
    proxy_header: str = Field(default="", pattern=r"^[A-Za-z0-9-]*$")
    """The header in which a proxy in front of the dashboard names the person's GitHub login."""
    proxies: Words = ("127.0.0.1", "::1")
    """Addresses or networks of the proxies that are believed, commas between them."""
    webhook_secret: SecretStr | None = None
    """What deliveries are signed with."""
    webhook_secret_previous: SecretStr | None = None
    """The secret before that one, accepted, too, while it is being changed."""
    default_repository: str = Field(default="", pattern=r"^([A-Za-z0-9-]+/[A-Za-z0-9._-]+)?$")
    """`owner/name` where tasks from the API go that name no repository."""
    write_spacing_s: float = Field(default=1.0, ge=0, le=60)
    """Seconds between two writes to GitHub of one installation."""
    quiet_s: float = Field(default=60.0, ge=0, le=3600)
    """Seconds before an unanswered write is looked up, for reads lag behind writes."""
    settle_s: float = Field(default=10.0, ge=0, le=600)
    """Seconds between two edits of a status comment that nobody waits for."""

    # ── the pool ──
    profile: Profile | None = None
    """conservative, balanced, aggressive or enterprise: at most 3, 5, 10 or 20 workflows at once,
    and half as many while the machine is short of something."""
    max_concurrent: int = Field(default=PROFILES[Profile.BALANCED], ge=1, le=200)
    """Workflows at once; goes before the profile. Where neither is set, 5 at the start, and
    between 3 and 10 as the queue and the machine ask."""
    min_concurrent: int | None = Field(default=None, ge=1, le=200)
    """The fewest slots, where their number may change; null: as the profile says, else fixed."""
    lane_limit: int = Field(default=2, ge=1, le=200)
    """Workflows of one repository at once, where its own file does not say."""
    starts_per_person: int = Field(default=10, ge=1, le=10_000)
    """Tasks of one person that are begun in one repository within an hour; more wait."""
    starts_per_repository: int = Field(default=30, ge=1, le=10_000)
    """Tasks that are begun in one repository within an hour, whoever asks; more wait."""
    lease_s: float = Field(default=60.0, ge=1, le=3600)
    """Seconds without a heartbeat after which a task is taken from a worker."""
    grace_s: float = Field(default=30.0, ge=0, le=3600)
    """Seconds that running steps have to end in when the server stops."""
    retries: RetrySettings = RetrySettings()
    """How steps are tried again; YAML or JSON where it stands in the environment."""
    phase_retries: dict[Phase, RetrySettings] = Field(default_factory=dict)
    """The same for single phases, by name; what one leaves out is as above."""
    daily_cost_usd: float | None = Field(default=None, ge=0)
    """Dollars a day for models, all tasks together; null: only the limit of each task."""

    # ── work ──
    allowed_hosts: Words = ()
    """Hosts that a task's `target_url` may name, commas between them."""
    repo_defaults: Path | None = None
    """A chimera.yml under every repository's own; what it limits, nobody can widen."""
    cage: CageKind = CageKind.AUTO
    """The sandbox: auto or bwrap, which is bubblewrap, or none, which is no sandbox."""
    agents: dict[Role, AgentSettings] = Field(default_factory=dict)
    """The agents by role; YAML or JSON where it stands in the environment."""
    model: str = ""
    """The model of every agent that names none."""
    model_keys: dict[str, SecretStr] = Field(default_factory=dict)
    """Keys by provider, taken from `ANTHROPIC_API_KEY`, `OPENAI_API_KEY` …"""

    @property
    def slots(self) -> tuple[int, int, int]:
        """The fewest slots of the pool, those at the start, and the most."""
        said = self.model_fields_set
        if not said & {"profile", "max_concurrent", "min_concurrent"}:
            return UNSAID
        most = self.max_concurrent
        by_profile = self.profile is not None and most == PROFILES[self.profile]
        least = self.min_concurrent or ((most + 1) // 2 if by_profile else most)
        return least, most, most

    @model_validator(mode="before")
    @classmethod
    def _profile_sets_the_number(cls, given: Any) -> Any:
        if isinstance(given, dict) and "max_concurrent" not in given and given.get("profile"):
            number = PROFILES.get(given["profile"])
            return given if number is None else given | {"max_concurrent": number}
        return given

    @field_validator("min_concurrent")
    @classmethod
    def _fewest_are_not_more_than_most(cls, least: int | None, info: ValidationInfo) -> int | None:
        most = info.data.get("max_concurrent")  # absent where it is wrong itself
        if least is not None and most is not None and least > most:
            raise ValueError(
                f"{least} is more than the most slots, which are {most}: "
                "lower it, or raise CHIMERA_MAX_CONCURRENT"
            )
        return least

    @field_validator("data_dir", "repo_defaults")
    @classmethod
    def _home_is_known(cls, path: Path | None) -> Path | None:
        return path if path is None else path.expanduser()

    @field_validator("log_level")
    @classmethod
    def _level_exists(cls, level: str) -> str:
        known = _PROBOTS_LEVELS.get(level.upper(), level.upper())
        if known not in _LEVELS:
            raise ValueError(f"must be one of {', '.join(_LEVELS)}")
        return known

    @field_validator("public_url")
    @classmethod
    def _server_is_not_below_a_path(cls, url: str) -> str:
        if urlsplit(url).path:
            raise ValueError(
                "must have no path: the dashboard needs a host name, or a port, of its own"
            )
        return url

    @field_validator("proxies")
    @classmethod
    def _proxies_are_networks(cls, networks: Words) -> Words:
        for each in networks:
            ip_network(each)  # a ValueError says what is wrong with it
        return networks

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value().partition("://")[0] not in {"", "postgresql", "postgres"}:
            raise ValueError("must begin with postgresql://, or be empty for SQLite")
        return url

    @field_validator("private_key")
    @classmethod
    def _key_is_pem(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None:
            return None
        given = key.get_secret_value()
        given = given if _PEM in given else _unpacked(given)
        text = given.replace("\\n", "\n").strip() + "\n"
        if _PEM not in text:
            raise ValueError("must be a PEM private key, as GitHub's download is")
        return SecretStr(text)

    @property
    def hub_url(self) -> str:
        """Where GitHub's pages are: `https://github.com`, or what belongs to `api_url`.

        Enterprise Server has its API below `/api/v3` of the same host; data residency
        (`api.NAME.ghe.com`) has it beside.
        """
        if self.web_url:
            return self.web_url
        parts = urlsplit(self.api_url)
        host = parts.netloc.removeprefix("api.")
        return f"{parts.scheme}://{host}"

    @property
    def token_required(self) -> bool:
        """Whether the API asks for a token: as set, else unless it is this machine's alone.

        Who gives others an address has a proxy there, and all that it passes on is from loopback.
        """
        if self.api_auth is not None:
            return self.api_auth
        public = urlsplit(self.public_url).hostname
        return self.host not in _LOOPBACK or public not in {None, *_LOOPBACK}

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that a delivery may be signed with, the present one first."""
        both = (self.webhook_secret, self.webhook_secret_previous)
        return tuple(text for secret in both if secret and (text := secret.get_secret_value()))

    def agent(self, role: Role) -> AgentSettings:
        """The agent for a role, with the server's model where it names none."""
        chosen = self.agents.get(role, AgentSettings())
        return chosen if chosen.model else chosen.model_copy(update={"model": self.model})

    def retries_of(self, phase: Phase) -> RetrySettings:
        """How a step of this phase is tried again."""
        own = self.phase_retries.get(phase, RetrySettings())
        return self.retries.model_copy(update=own.model_dump(exclude_unset=True))

    def secrets(self) -> tuple[str, ...]:
        """Every secret in here, for the masker."""
        single = (
            self.private_key,
            self.client_secret,
            self.webhook_secret,
            self.webhook_secret_previous,
        )
        known = [s for s in (*single, self.database_url, *self.model_keys.values()) if s]
        return tuple(s.get_secret_value() for s in known if s.get_secret_value())
