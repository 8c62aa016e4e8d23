"""A running server, as the commands speak to it: JSON over HTTP, errors with an exit code."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from bot.errors import ChimeraError, InputError, NotFound, NotPermitted, WrongState

TIMEOUT_S = 30.0
TOKEN_HINT = "This command sends what CHIMERA_TOKEN holds."


class Unreachable(ChimeraError):
    """Nobody answers at the server's address."""

    exit_code = 69


class TryAgain(ChimeraError):
    """The server says that it cannot just now."""

    exit_code = 75


class Server:
    """The API of one server. The token comes from the environment, never from an argument."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=self._url, headers=headers, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """What the server answers; members of the query that are None are left out."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        return self._answer("GET", path, params=given)

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """What the server answers to a change."""
        return self._answer("POST", path, json=dict(body or {}), headers=dict(headers or {}))

    def health(self) -> dict[str, Any]:
        """How every part is; also of a server that is not well, which says so with a 503."""
        status, document = self._request("GET", "/health")
        if isinstance(document, dict) and "parts" in document:
            return document
        raise _error(status, document)

    def _answer(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        status, document = self._request(method, path, **request)
        if 200 <= status < 300:
            return dict(document)
        raise _error(status, document)

    def _request(self, method: str, path: str, **request: Any) -> tuple[int, Any]:
        """The status and the JSON of an answer. Raises Unreachable."""
        try:
            answer = self._client.request(method, path, **request)
            return answer.status_code, answer.json()
        except (httpx.TransportError, httpx.InvalidURL) as error:
            what = str(error).rstrip(".")
            raise Unreachable(
                f"{self._url}: {what}. Is `chimera serve` running? --server names another."
            ) from error
        except ValueError as error:
            raise Unreachable(f"{self._url}: the answer is not JSON. Is this Chimera?") from error


def _error(status: int, document: Any) -> ChimeraError:
    problem = document if isinstance(document, dict) else {}
    text = str(problem.get("detail", f"the server answered {status}"))
    text = f"{text} {TOKEN_HINT}" if status == 401 else text
    wrong = problem.get("errors", [])
    text = "\n".join([text, *(f"{each['pointer']}: {each['detail']}" for each in wrong)])
    return _KINDS.get(status, TryAgain if status >= 500 else InputError)(text)


_KINDS: Mapping[int, Callable[[str], ChimeraError]] = {
    401: NotPermitted,
    403: NotPermitted,
    404: NotFound,
    409: WrongState,
    500: ChimeraError,
}
