"""What an owner does on a hub outside of the API: accounts, repositories, settings, issues."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.localhub import auth, events, gitrepo, issuing, shapes
from bot.localhub.gitrepo import Signature
from bot.localhub.state import ROLES, Repository
from bot.localhub.state_apps import Account
from bot.localhub.state_issues import Issue
from bot.localhub.state_runs import Environment
from bot.localhub.world import DEFAULT_LABELS, World


class Owning:
    """The part of a hub that makes and changes accounts and repositories."""

    def __init__(self, world: World) -> None:
        self.world = world

    def add_organization(self, login: str) -> Account:
        """An organization that can own repositories."""
        return self._account(login, "Organization")

    def create_repository(
        self,
        owner: str,
        name: str,
        files: Mapping[str, str | bytes] | None = None,
        *,
        source: Path | None = None,
        private: bool = False,
        default_branch: str = "main",
        **settings: Any,
    ) -> Repository:
        """A bare git repository with one commit of ``files``, or a copy of the one at ``source``.

        ``settings`` are those of ``configure``. Blocks: git runs here.
        """
        number = self.world.new_id()
        path = self.world.root / "git" / f"{number}.git"
        gitrepo.create_bare(path, default_branch)
        now = self.world.now()
        repo = Repository(
            id=number,
            owner=self.world.account(owner),
            name=name,
            path=path,
            created_at=now,
            pushed_at=now,
            private=private,
            default_branch=default_branch,
        )
        for label, color, description in DEFAULT_LABELS:
            made = self.world.label(repo, label)
            made.color, made.description = color, description
        if source is not None:
            refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
            gitrepo.run(path, "fetch", "--quiet", str(source.resolve()), *refs)
        elif files:
            by = Signature(name=repo.owner.login, email="owner@localhub.test", at=now)
            gitrepo.commit_files(path, default_branch, files, "Initial commit", by)
        self.world.repositories[repo.id] = repo
        self.configure(repo, **settings)
        return repo

    def configure(
        self,
        repo: Repository,
        *,
        allow_drafts: bool | None = None,
        delete_branch_on_merge: bool | None = None,
        merge_methods: Sequence[str] | None = None,
        required_checks: Sequence[str] | None = None,
        required_approvals: int | None = None,
        strict: bool | None = None,
        merge_queue: bool | None = None,
        archived: bool | None = None,
        private: bool | None = None,
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """Change settings of a repository; what is None stays as it is."""
        repo.allow_drafts = _or(allow_drafts, repo.allow_drafts)
        repo.delete_branch_on_merge = _or(delete_branch_on_merge, repo.delete_branch_on_merge)
        repo.merge_methods = list(_or(merge_methods, repo.merge_methods))
        repo.rules.required_checks = list(_or(required_checks, repo.rules.required_checks))
        repo.rules.required_approvals = _or(required_approvals, repo.rules.required_approvals)
        repo.rules.strict = _or(strict, repo.rules.strict)
        repo.rules.merge_queue = _or(merge_queue, repo.rules.merge_queue)
        repo.private = _or(private, repo.private)
        repo.variables = dict(_or(variables, repo.variables))
        repo.secrets = dict(_or(secrets, repo.secrets))
        if archived is not None and archived != repo.archived:
            repo.archived = archived
            self._tell_repository(repo, "archived" if archived else "unarchived", {})

    def set_role(self, repo: Repository, login: str, role: str) -> None:
        """Give a person a role: none, read, triage, write, maintain or admin."""
        if role not in ROLES:
            raise ValueError(f"{role!r} is not one of {ROLES}")
        repo.roles[login.lower()] = role

    def set_environment(
        self,
        repo: Repository,
        name: str,
        *,
        required_reviewers: Sequence[str] = (),
        prevent_self_review: bool = False,
        protection_apps: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> Environment:
        """An environment with its (emulated) protection: reviewers, and Apps by slug."""
        one = Environment(
            id=self.world.new_id(),
            name=name,
            created_at=self.world.now(),
            reviewers=[self.world.account(login) for login in required_reviewers],
            prevent_self_review=prevent_self_review,
            protection_apps=list(protection_apps),
            variables=dict(variables or {}),
            secrets=dict(secrets or {}),
        )
        repo.environments[name] = one
        return one

    def rename_repository(self, repo: Repository, name: str) -> None:
        """A new name; the old one leads there."""
        self.world.moved[repo.full_name.lower()] = repo.id
        changes = {"repository": {"name": {"from": repo.name}}}
        repo.name = name
        self._tell_repository(repo, "renamed", {"changes": changes})

    def transfer_repository(self, repo: Repository, owner: str) -> None:
        """A new owner; the old name leads there. Installations of the old owner lose it."""
        self.world.moved[repo.full_name.lower()] = repo.id
        old = repo.owner
        changes = {"owner": {"from": {"user": shapes.user(self.world, old)}}}
        self._tell_repository(repo, "transferred", {"changes": changes})
        repo.owner = self.world.account(owner)

    def delete_repository(self, repo: Repository) -> None:
        """The repository is gone: 404 from now on."""
        self._tell_repository(repo, "deleted", {})
        del self.world.repositories[repo.id]

    def _tell_repository(self, repo: Repository, action: str, extra: Mapping[str, Any]) -> None:
        payload = {"action": action, **extra}
        events.tell(self.world, repo, repo.owner, "repository", payload=payload)

    def submit_issue_form(
        self, repo: Repository, login: str, title: str, body: str, labels: Sequence[str]
    ) -> Issue:
        """An issue by the repository's form: its labels apply whoever the author is."""
        user = self.world.account(login)
        actor = auth.Actor(via="user", account=user)
        one = issuing.open_issue(self.world, repo, actor, user, title=title, body=body)
        events.issues(self.world, repo, one, user, "opened")
        for name in labels:
            issuing.put_label(self.world, repo, one, self.world.label(repo, name), user)
        return one

    def delete_issue(self, repo: Repository, number: int) -> None:
        """The issue is gone: 410 from now on."""
        one = self.world.issue(repo, number)
        events.issues(self.world, repo, one, repo.owner, "deleted")
        one.deleted = True

    def transfer_issue(self, repo: Repository, number: int, to: Repository) -> Issue:
        """The issue lives in another repository: 301 from now on.

        Its history goes along, and of its labels those whose names the other repository has. That
        one is told of an opened issue, then this one of the transfer.
        https://docs.github.com/en/issues/tracking-your-work-with-issues/administering-issues/transferring-an-issue-to-another-repository
        """
        one = self.world.issue(repo, number)
        actor = auth.Actor(via="user", account=repo.owner)
        made = issuing.open_issue(self.world, to, actor, one.user, title=one.title, body=one.body)
        made.labels = [
            to.labels[key] for key in (each.name.lower() for each in one.labels) if key in to.labels
        ]
        made.events = [replace(line, id=self.world.new_id()) for line in one.events]
        made.comments, one.comments = one.comments, []
        self._tell_of_transfer((repo, one), (to, made))
        one.moved_to = (to.id, made.number)
        return made

    def _tell_of_transfer(
        self, old: tuple[Repository, Issue], new: tuple[Repository, Issue]
    ) -> None:
        def changes(which: str, place: Repository, one: Issue) -> dict[str, Any]:
            return {
                f"{which}_issue": shapes.issue(self.world, place, one),
                f"{which}_repository": shapes.repository(self.world, place),
            }

        by = old[0].owner
        events.issues(self.world, *new, by, "opened", changes=changes("old", *old))
        events.issues(self.world, *old, by, "transferred", changes=changes("new", *new))

    def _account(self, login: str, kind: str) -> Account:
        if login.lower() in self.world.accounts:
            raise ValueError(f"{login} exists already")
        now = self.world.now()
        one = Account(id=self.world.new_id(), login=login, kind=kind, created_at=now)
        self.world.accounts[login.lower()] = one
        return one


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
