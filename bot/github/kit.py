"""githubkit, held right: one client for the life of the process, deadlines, and no opinions.

githubkit brings the connection: the address (of an Enterprise Server too), headers, proxies, TLS,
streaming. What it would decide by itself is switched off here and decided in `client`, in one
place each: it repeats any method three times on a 5xx, sleeps inside the call until a limit ends,
takes a limit without a header for a refusal, has no timeout, and follows a redirected POST as a
GET. Its generated models reject real answers and cost a second to load; `Answer.json` stands in.
"""

import contextlib
import functools
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import githubkit
import httpx
from githubkit.exception import RequestError
from githubkit.throttling import LocalThrottler

from bot.errors import Transient
from bot.github.answers import Answer, lost

API_VERSION = "2022-11-28"  #: the one that every supported GitHub Enterprise Server knows
GITHUB = "https://api.github.com"
CONNECT_S = 5.0
WHOLE_S = 15.0  #: GitHub itself gives up after 10 s
MAX_AT_ONCE = 50  #: requests of a connection; GitHub allows 100 of an App, and there are two
MAX_REDIRECTS = 3  #: of a read: a renamed repository, a log on another host
MAX_ANSWER = 32 * 1024 * 1024  #: bytes

Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of GitHub, by whomever."""

    method: str
    path: str  #: below the base of the API; what errors and logs say
    url: str = ""  #: where `path` is not the address
    params: Params | None = None
    body: Mapping[str, Any] | None = None
    etag: str = ""  #: answer 304 where the thing is still as it was under this tag


class Kit(githubkit.GitHub[githubkit.UnauthAuthStrategy]):
    """One connection pool to one GitHub; every request brings its own credential.

    githubkit keeps its open client in a context variable, so that a task started elsewhere would
    open, and close, one of its own for every call: 45 ms of TLS. Here the object holds it.
    """

    def __init__(
        self,
        *,
        api_url: str,
        follow_redirects: bool,
        transport: httpx.AsyncBaseTransport | None = None,
        whole_s: float = WHOLE_S,
    ) -> None:
        super().__init__(
            base_url=api_url,
            user_agent="chimera-bot",
            follow_redirects=follow_redirects,
            timeout=httpx.Timeout(whole_s, connect=CONNECT_S, pool=CONNECT_S),
            ssl_verify=_trusted() if transport is None else True,
            async_transport=transport,
            http_cache=False,
            throttler=LocalThrottler(MAX_AT_ONCE),
            auto_retry=False,
        )
        self._client = httpx.AsyncClient(
            **self._get_client_defaults(), transport=transport, max_redirects=MAX_REDIRECTS
        )

    @contextlib.asynccontextmanager
    async def get_async_client(self) -> AsyncGenerator[httpx.AsyncClient, None]:
        """The one client, whoever asks; it is closed by `aclose` alone."""
        yield self._client

    async def aclose(self) -> None:
        await self._client.aclose()

    async def exchange(self, request: Request, *, token: str = "") -> Answer:
        """Send a request once and read its answer, whatever the status, to its end.

        Raises Transient where nothing can have happened, and Uncertain for a write whose answer
        was lost. The caller bounds the whole: a body that trickles meets no deadline of httpx's.
        """
        headers = {"x-github-api-version": API_VERSION}
        if request.etag:
            headers["if-none-match"] = request.etag
        if token:
            headers["authorization"] = f"Bearer {token}"
        try:
            response = await self.arequest(
                request.method,
                request.url or request.path,
                params=request.params,
                json=request.body,
                headers=headers,
                stream=True,
            )
            return await _read(request, response.raw_response)
        except RequestError as error:
            raise _unanswered(request, error.exc) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _unanswered(request, error) from error

    def _check_is_error(self, response: httpx.Response) -> bool:
        """Never: an error's body is read to a limit too, and `answers.error_in` judges it."""
        return False

    def _check_rate_limit(self, response: githubkit.Response[Any]) -> None:
        """`answers.error_in` does; githubkit's fails on a `retry-after` that is no number."""


async def _read(request: Request, response: httpx.Response) -> Answer:
    body = bytearray()
    async with contextlib.aclosing(response):
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER:
                raise lost(request.method, request.path, f"the answer exceeds {MAX_ANSWER} bytes")
    return Answer(
        method=request.method,
        path=request.path,
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=bytes(body),
    )


def _unanswered(request: Request, cause: Exception) -> Exception:
    """What it means that no answer came; `cause` itself where the fault is not the network's."""
    match cause:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
            kind = type(cause).__name__
            return Transient(f"{request.method} {request.path}: no connection ({kind})")
        case httpx.HTTPError() | httpx.StreamError():
            return lost(request.method, request.path, f"{type(cause).__name__} {cause}")
        case _:
            return cause


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The certificates that we trust, read once for all connections: it takes 45 ms."""
    return httpx.create_ssl_context()
