"""A network that the tests write: an httpx transport which records requests and gives answers."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.domain import RepoRef
from bot.github.client import GitHub

API = "http://127.0.0.1:9/api/v3"
REPO = RepoRef(id=7, owner="acme", name="shop", installation_id=5)

PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)

Answer = httpx.Response | Exception
Handler = Callable[[httpx.Request], Answer | Awaitable[Answer]]


class Clock:
    """Unix seconds that stand still."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class Wire(httpx.AsyncBaseTransport):
    """Answers in order, then the last one again; installation tokens are minted beside."""

    def __init__(self, *answers: Answer | Handler) -> None:
        self.answers = list(answers) or [httpx.Response(200, json={})]
        self.requests: list[httpx.Request] = []
        self.authorizations: list[str] = []
        self.minted = 0
        self.token_answer: Answer | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if request.url.path.endswith("/access_tokens"):
            return self._mint()
        self.requests.append(request)
        self.authorizations.append(request.headers.get("authorization", ""))
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = given(request) if callable(given) else given
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def sent(self) -> list[str]:
        """Methods and paths, in order."""
        base = httpx.URL(API).path
        return [f"{r.method} {r.url.path.removeprefix(base)}" for r in self.requests]

    def body(self, n: int = -1) -> Any:
        return json.loads(self.requests[n].content)

    def _mint(self) -> httpx.Response:
        self.minted += 1
        if isinstance(self.token_answer, Exception):
            raise self.token_answer
        if self.token_answer is not None:
            return self.token_answer
        body = {"token": f"ghs_5_token.{self.minted:04}", "expires_at": "2100-01-01T00:00:00Z"}
        return httpx.Response(201, json=body)


def github(wire: httpx.AsyncBaseTransport, now: Callable[[], float] | None = None) -> GitHub:
    """A client on this wire, without pauses."""
    clock = now if now is not None else Clock()
    return GitHub(
        app_id=3,
        private_key=PEM,
        api_url=API,
        transport=wire,
        write_spacing_s=0.0,
        backoff_s=0.0,
        now=clock,
    )
