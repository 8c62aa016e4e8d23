"""Everything the hub knows, in one object, and how to find things in it."""

import base64
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.localhub.errors import Refused, not_found
from bot.localhub.state import ROLES, Repository
from bot.localhub.state_apps import Account, App, Delivery, Grant, Installation
from bot.localhub.state_issues import Issue, Label
from bot.localhub.state_runs import Run
from bot.localhub.types import Clock, Json
from bot.localhub.webhooks import Webhooks, encode

CarryOut = Callable[["World", Repository, Run], Awaitable[None]]

#: The App behind GITHUB_TOKEN and the checks of Actions, with GitHub's own number for it.
ACTIONS_APP_ID = 15368

DEFAULT_LABELS = (
    ("bug", "d73a4a", "Something isn't working"),
    ("documentation", "0075ca", "Improvements or additions to documentation"),
    ("enhancement", "a2eeef", "New feature or request"),
)


@dataclass(slots=True)
class World:
    """The hub's whole state. One per hub, held by one event loop."""

    root: Path
    now: Clock = time.time
    base_url: str = "http://localhub.test"
    run_actions: bool = True
    #: What carries out a run instead of act: a script of a test's.
    carry_out: CarryOut | None = None
    accounts: dict[str, Account] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    #: Former full names, lower case, of renamed and transferred repositories.
    moved: dict[str, int] = field(default_factory=dict)
    apps: dict[int, App] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    #: Codes of the manifest flow, with the App and the time after which they are void.
    manifest_codes: dict[str, tuple[App, float]] = field(default_factory=dict)
    #: Tokens of people who signed in to an App, with the time after which they are void.
    user_tokens: dict[str, tuple[Account, float]] = field(default_factory=dict)
    ids: Any = field(default_factory=lambda: itertools.count(1001))
    hooks: Webhooks = field(init=False)
    #: Everything that runs beside requests: workflow runs, mostly.
    tasks: set[Any] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.hooks = Webhooks(self.now)

    def new_id(self) -> int:
        """A number that nothing else of this hub has."""
        return int(next(self.ids))

    @property
    def api(self) -> str:
        return f"{self.base_url}/api/v3"

    def account(self, login: str) -> Account:
        """The account of that login, whatever the case. Raises 404."""
        found = self.accounts.get(login.lower())
        if found is None:
            raise not_found()
        return found

    def repository(self, owner: str, name: str) -> Repository:
        """The repository of that name. Raises 404, or 301 where it has a new name."""
        wanted = f"{owner}/{name}".lower()
        for repo in self.repositories.values():
            if repo.full_name.lower() == wanted:
                return repo
        if wanted in self.moved:
            repo = self.repositories[self.moved[wanted]]
            raise Refused(301, "Moved Permanently", location=f"{self.api}/repositories/{repo.id}")
        raise not_found()

    def role_of(self, repo: Repository, account: Account | None) -> str:
        """The role that counts for this account; anybody may read what is public."""
        if account is not None:
            if account is repo.owner or account.site_admin:
                return "admin"
            given = repo.roles.get(account.login.lower())
            if given is not None:
                return given
        return "none" if repo.private else "read"

    def may(self, repo: Repository, account: Account | None, role: str) -> bool:
        """Whether the account has at least that role."""
        return ROLES.index(self.role_of(repo, account)) >= ROLES.index(role)

    def covering(self, repo: Repository, app: App | None = None) -> list[Installation]:
        """The working installations (of one App or of all) that include this repository."""
        return [
            one
            for one in self.installations.values()
            if one.account is repo.owner
            and one.suspended_at is None
            and (one.repository_ids is None or repo.id in one.repository_ids)
            and (app is None or one.app is app)
        ]

    def installed_on(self, installation: Installation) -> list[Repository]:
        """The repositories of an installation."""
        return [
            repo
            for repo in self.repositories.values()
            if repo.owner is installation.account
            and (installation.repository_ids is None or repo.id in installation.repository_ids)
        ]

    def deliver(
        self,
        app: App,
        event: str,
        payload: Json,
        *,
        installation: Installation | None = None,
        repo: Repository | None = None,
    ) -> None:
        """Write a webhook into the log and send it on its way."""
        if not app.hook_active:
            return
        self.hooks.enqueue(
            Delivery(
                id=self.new_id(),
                guid=str(uuid.uuid4()),
                event=event,
                action=payload.get("action"),
                app=app,
                installation_id=installation.id if installation else None,
                repository_id=repo.id if repo else None,
                payload=payload,
                body=encode(payload),
                created_at=self.now(),
            )
        )

    def redeliver(self, delivery: Delivery) -> None:
        """The same GUID and bytes again, as a new line of the log."""
        self.hooks.enqueue(
            Delivery(
                id=self.new_id(),
                guid=delivery.guid,
                event=delivery.event,
                action=delivery.action,
                app=delivery.app,
                installation_id=delivery.installation_id,
                repository_id=delivery.repository_id,
                payload=delivery.payload,
                body=delivery.body,
                created_at=self.now(),
                redelivery=True,
            )
        )

    def label(self, repo: Repository, name: str) -> Label:
        """The label of that name; made with GitHub's default colour when it is new."""
        found = repo.labels.get(name.lower())
        if found is None:
            found = Label(id=self.new_id(), name=name)
            repo.labels[name.lower()] = found
        return found

    def issue(self, repo: Repository, number: int) -> Issue:
        """The issue or pull request of that number. Raises 404 (one that was moved, too) or 410."""
        found = repo.issues.get(number)
        if found is None or found.moved_to is not None:
            raise not_found()
        if found.deleted:
            raise Refused(410, "This issue was deleted")
        return found

    def issue_itself(self, repo: Repository, number: int) -> Issue:
        """As `issue`, but 301 for one that was moved: what hangs on it is not led on, it is 404."""
        found = repo.issues.get(number)
        if found is not None and found.moved_to is not None:
            there, its_number = found.moved_to
            location = f"{self.api}/repositories/{there}/issues/{its_number}"
            raise Refused(301, "Moved Permanently", location=location)
        return self.issue(repo, number)

    def issue_by_id(self, issue_id: int) -> tuple[Repository, Issue]:
        """The issue of that id, and where it is. Raises 404."""
        for repo in self.repositories.values():
            for one in repo.issues.values():
                if one.id == issue_id and not one.deleted and one.moved_to is None:
                    return repo, one
        raise not_found()

    def blocked_by(self, issue_id: int) -> list[tuple[Repository, Issue]]:
        """The issues that wait for that one."""
        rows = [(repo, one) for repo in self.repositories.values() for one in repo.issues.values()]
        return [(repo, one) for repo, one in rows if issue_id in one.blocked_by]


def node_id(kind: str, number: int) -> str:
    """A global id as GraphQL takes it: the kind's prefix and the number, encoded."""
    return f"{kind}_{base64.urlsafe_b64encode(f'lh:{number}'.encode()).decode().rstrip('=')}"
