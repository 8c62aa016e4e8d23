"""A small organization on a hub: one repository, three people, one App. For the hub's own tests."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.localhub.calls import Exchange
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository
from bot.localhub.state_apps import App
from tests.conformance.checker import Conformance

PERMISSIONS = {
    "actions": "write",
    "checks": "write",
    "contents": "write",
    "deployments": "write",
    "issues": "write",
    "pull_requests": "write",
    "statuses": "write",
}
EVENTS = [
    "check_run",
    "check_suite",
    "create",
    "delete",
    "deployment",
    "deployment_protection_rule",
    "deployment_status",
    "issue_comment",
    "issue_dependencies",
    "issues",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "repository",
    "workflow_job",
    "workflow_run",
]

DEPLOY = """
name: Deploy
run-name: deploy ${{ inputs.env }} (${{ inputs.key }})
on:
  workflow_dispatch:
    inputs:
      env: { required: true, type: choice, options: [staging, production] }
      sha: { required: true }
      key: { default: none }
concurrency: deploy-${{ inputs.env }}
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: { ref: "${{ inputs.sha }}" }
      - run: test "$(git rev-parse HEAD)" = "${{ inputs.sha }}"
      - run: echo "::notice file=app.py,line=2,title=Built::greeting is ${{ vars.GREETING }}"
  deploy:
    needs: build
    runs-on: ubuntu-latest
    environment:
      name: ${{ inputs.env }}
      url: ${{ steps.up.outputs.url }}
    steps:
      - id: up
        run: echo "url=http://127.0.0.1:9/${{ inputs.env }}" >> "$GITHUB_OUTPUT"
"""

FILES = {"README.md": "# Shop\n", "app.py": "def total():\n    return 1\n"}


@dataclass
class Inbox:
    """A receiver of webhooks that remembers what came, with headers and raw bytes."""

    got: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    status: int = 202

    async def receive(self, request: Request) -> Response:
        self.got.append((request.headers, await request.body()))
        return Response(status_code=self.status)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/hook", self.receive, methods=["POST"])])


@dataclass
class Shop:
    """Everything a test of the hub wants at hand."""

    hub: LocalHub
    repo: Repository
    owner: Person
    writer: Person
    stranger: Person
    app: App
    installation_id: int
    inbox: Inbox
    client: httpx.AsyncClient
    problems: list[str]
    token: str = ""

    def jwt(self, **claims: Any) -> str:
        now = int(time.time())
        return jwt.encode(
            {"iat": now - 60, "exp": now + 540, "iss": str(self.app.id)} | claims,
            self.app.pem,
            algorithm="RS256",
        )

    async def as_app(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.jwt()}"}
        return await self.client.request(method, path, json=body, headers=headers)

    async def new_token(self, body: Any = None) -> str:
        path = f"/app/installations/{self.installation_id}/access_tokens"
        answer = await self.as_app("POST", path, body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    async def bot(
        self, method: str, path: str, body: Any = None, *, token: str = ""
    ) -> httpx.Response:
        """A request with the installation's token; a path without /repos is in the repository."""
        self.token = token or self.token or await self.new_token()
        whole = path if path.startswith(("/repos", "/inst", "http")) else f"/repos/acme/shop{path}"
        headers = {"Authorization": f"token {self.token}"}
        return await self.client.request(method, whole, json=body, headers=headers)

    async def graphql(self, query: str, **variables: Any) -> Any:
        self.token = self.token or await self.new_token()
        answer = await self.client.post(
            f"{self.hub.base_url}/api/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": f"bearer {self.token}"},
        )
        return answer.json()

    def events(self, name: str) -> list[Any]:
        """The payloads of all deliveries of an event, oldest first."""
        return [one.payload for one in self.hub.deliveries if one.event == name]

    def actions(self, name: str) -> list[str]:
        return [payload["action"] for payload in self.events(name)]

    async def pull(self, branch: str = "feat", **extra: Any) -> Any:
        """A branch with a change and the bot's pull request for it."""
        await self.writer.push(self.repo, branch, {"app.py": "def total():\n    return 2\n"}, "two")
        body = {"title": "Two", "head": branch, "base": "main", "body": "", **extra}
        answer = await self.bot("POST", "/pulls", body)
        assert answer.status_code == 201, answer.text
        return answer.json()


def check(problems: list[str], exchange: Exchange) -> None:
    """Hold an answer of the hub to GitHub's own description."""
    # the slice lacks the list of all comments, and would take its path for an issue's
    foreign = exchange.path.endswith(("/localhub-press", "/issues/comments"))
    skip = foreign or exchange.kind != "api"
    if skip or exchange.status >= 300 or exchange.response is None:
        return
    found = Conformance.load().response(
        exchange.method, exchange.path, exchange.status, exchange.response
    )
    problems += [each for each in found if "describes no such operation" not in each]


async def open_shop(root: Path) -> Shop:
    """A hub with an organization, ready to be served."""
    hub = LocalHub(root)
    hub.add_organization("acme")
    owner, writer, stranger = (hub.add_user(name) for name in ("olga", "walt", "sam"))
    files = FILES | {".github/workflows/deploy.yml": DEPLOY}
    repo = hub.create_repository("acme", "shop", files, variables={"GREETING": "hello"})
    hub.set_role(repo, "olga", "admin")
    hub.set_role(repo, "walt", "write")
    inbox = Inbox()
    hub.webhooks.transport = httpx.ASGITransport(inbox.app())
    app = hub.register_app(
        "acme", "Chimera", hook_url="http://bot/hook", permissions=PERMISSIONS, events=EVENTS
    )
    problems: list[str] = []
    hub.on_exchange = lambda exchange: check(problems, exchange)
    return Shop(
        hub=hub,
        repo=repo,
        owner=owner,
        writer=writer,
        stranger=stranger,
        app=app,
        installation_id=hub.install(app.id, "acme"),
        inbox=inbox,
        client=httpx.AsyncClient(),
        problems=problems,
    )
