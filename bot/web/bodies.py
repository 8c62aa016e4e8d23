"""What clients send: pydantic models, and every wrong field named in the answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from starlette.requests import Request

from bot.domain import DEFAULT_PRIORITY, MAX_FEATURE, MAX_PRIORITY, MIN_PRIORITY, Phase, Status
from bot.tasks.inbox import InboxState
from bot.web.body import BodyReader
from bot.web.problem import Problem, Wrong, wrong_fields

MAX_URL = 2048
MAX_PAGE = 200
MAX_FORM = 16 * 1024  #: bytes; the dashboard's forms have two fields
_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_URL_CHARACTERS = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash

M = TypeVar("M", bound=BaseModel)
_reader = BodyReader(limit=1024 * 1024, together=32 * 1024 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The settings that a body is checked against."""

    default_repository: str = ""
    allowed_hosts: frozenset[str] = frozenset()


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Priority = Annotated[int, Field(ge=MIN_PRIORITY, le=MAX_PRIORITY)]


class NewTask(_Body):
    """A wish: what to build, where it is to be tried, and how much it matters."""

    feature: str = Field(
        min_length=1,
        max_length=MAX_FEATURE,
        description="The first line becomes the issue's title, the whole text its body.",
    )
    target_url: str = Field(
        default="",
        max_length=MAX_URL,
        description="Where the tests run when nothing else says so. Its host has to be allowed.",
    )
    priority: Priority = Field(default=DEFAULT_PRIORITY, description="1 to 10, higher first.")
    repository: str = Field(
        default="",
        validate_default=True,
        description="owner/name; without it the server's default repository.",
    )
    issue: int | None = Field(
        default=None, ge=1, le=2**53, description="An open issue; without it one is opened."
    )

    @field_validator("feature")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip() or "\x00" in value:
            raise PydanticCustomError("feature", "Say what to build, in text without NUL.")
        return value

    @field_validator("target_url")
    @classmethod
    def _allowed(cls, value: str, info: ValidationInfo) -> str:
        return check_target_url(value, _rules(info).allowed_hosts) if value else value

    @field_validator("repository")
    @classmethod
    def _named(cls, value: str, info: ValidationInfo) -> str:
        name = value or _rules(info).default_repository
        if not name:
            raise PydanticCustomError(
                "repository",
                "Name a repository (owner/name), or set CHIMERA_DEFAULT_REPOSITORY on the server.",
            )
        if _REPOSITORY.fullmatch(name) is None:
            raise PydanticCustomError("repository", "Not of the form owner/name.")
        return name


class NewPriority(_Body):
    """Another place in the queue."""

    priority: Priority


class Retry(_Body):
    """From where an ended task goes on; without a phase, from the one that ended it."""

    phase: Annotated[Phase, Field(strict=False)] | None = None


class DeadFilter(BaseModel):
    """Which of the dead tasks to list, newest first."""

    model_config = ConfigDict(extra="forbid")

    phase: Phase | None = None
    repository: str | None = Field(default=None, pattern=r"^[^/\s]{1,39}/[^/\s]{1,100}$")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(
        default=None, pattern=r"^[0-9]{1,18}$", description="`next` of the page before."
    )


class TaskFilter(DeadFilter):
    """Which tasks to list, newest first."""

    status: Status | None = None


class DeliveryFilter(BaseModel):
    """Which deliveries to list, newest first."""

    model_config = ConfigDict(extra="forbid")

    state: InboxState | None = None
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(
        default=None, pattern=r"^[0-9]{1,18}$", description="`next` of the page before."
    )


class StreamFrom(BaseModel):
    """Where an event stream goes on; the header Last-Event-ID says the same and wins."""

    model_config = ConfigDict(extra="forbid")

    after: int | None = Field(default=None, ge=0, le=2**62)


class Sampling(BaseModel):
    """For how long the event loop is watched."""

    model_config = ConfigDict(extra="forbid")

    seconds: float = Field(default=10, ge=0.1, le=60)


def check_target_url(url: str, allowed_hosts: frozenset[str]) -> str:
    """The URL, when it is http(s), without credentials, and its host is allowed exactly.

    No request is made to it. Raises PydanticCustomError.
    """
    if _URL_CHARACTERS.fullmatch(url) is None:
        raise PydanticCustomError("target_url", "Not a URL: unprintable or non-ASCII characters.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise PydanticCustomError("target_url", "Not a URL.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise PydanticCustomError("target_url", "Only http:// and https:// URLs with a host.")
    if "@" in parts.netloc:
        raise PydanticCustomError("target_url", "No user name or password in the URL.")
    if not {host, f"{host}:{port}"} & allowed_hosts:
        raise PydanticCustomError(
            "target_url",
            "The host {host} is not allowed; add it to CHIMERA_ALLOWED_HOSTS on the server.",
            {"host": host},
        )
    return url


async def read_body(request: Request, model: type[M], rules: Rules | None = None) -> M:
    """The request's JSON as a model.

    Raises Problem: 415 not JSON by its type, 400 unreadable, 413, 408, 422 with every wrong field.
    An empty body stands for `{}` where every field has a default.
    """
    async with _reader.read(request.headers.get("content-length", "0"), request.receive) as body:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and (body or kind):
            raise Problem(415, "Send JSON, with the content type application/json.")
        try:
            return model.model_validate_json(body or b"{}", context=rules)
        except ValidationError as error:
            raise _problem(error.errors(include_url=False, include_input=False), model) from None


async def read_form(request: Request) -> dict[str, str]:
    """A small urlencoded form; of a repeated name the last value."""
    async with _reader.read(request.headers.get("content-length", "0"), request.receive) as body:
        text = body[:MAX_FORM].decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True))


def read_query(request: Request, model: type[M]) -> M:
    """The query string as a model; 422 with every wrong or unknown name."""
    given: Mapping[str, Any] = dict(request.query_params)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _problem(error.errors(include_url=False, include_input=False), model) from None


def _rules(info: ValidationInfo) -> Rules:
    return info.context if isinstance(info.context, Rules) else Rules()


def _problem(errors: list[ErrorDetails], model: type[BaseModel]) -> Problem:
    if any(error["type"] == "json_invalid" for error in errors):
        return Problem(400, f"The body is not JSON: {errors[0]['msg']}.")
    return wrong_fields(
        [Wrong(where=_pointer(error), detail=_text(error, model)) for error in errors]
    )


def _pointer(error: ErrorDetails) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in error["loc"])
    return "#" + "".join(f"/{step}" for step in steps)[:200]


def _text(error: ErrorDetails, model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        return f"Unknown. Known are: {', '.join(model.model_fields)}."
    return error["msg"]
