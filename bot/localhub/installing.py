"""What owners do on a hub outside of the API: register an App, install it, take it away."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.localhub import events as happenings
from bot.localhub import manifest, shapes
from bot.localhub.state import Repository
from bot.localhub.state_apps import App, Installation
from bot.localhub.world import World


class Installing:
    """The part of a hub that registers Apps and installs them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def register_app(
        self,
        owner: str,
        name: str,
        *,
        hook_url: str = "",
        permissions: Mapping[str, str],
        events: Sequence[str],
        hook_secret: str | None = None,
        callback_urls: Sequence[str] = (),
    ) -> App:
        """An App without the browser's part of the manifest flow."""
        return manifest.register(
            self.world,
            self.world.account(owner),
            name,
            hook_url=hook_url,
            hook_secret=hook_secret,
            permissions=permissions,
            events=events,
            callback_urls=callback_urls,
        )

    def install(
        self,
        app_id: int,
        account: str,
        repositories: str | Sequence[Repository] = "all",
        *,
        permissions: Mapping[str, str] | None = None,
    ) -> int:
        """Install an App; ``permissions`` where the account has granted less. Returns the id."""
        app = self.world.apps[app_id]
        chosen = None if isinstance(repositories, str) else {repo.id for repo in repositories}
        one = Installation(
            id=self.world.new_id(),
            app=app,
            account=self.world.account(account),
            repository_ids=chosen,
            permissions=dict(permissions if permissions is not None else app.permissions),
            events=list(app.events),
            created_at=self.world.now(),
        )
        self.world.installations[one.id] = one
        self._tell_installation(one, "created")
        return one.id

    def uninstall(self, installation_id: int) -> None:
        """The installation is gone, and its tokens with it."""
        one = self.world.installations.pop(installation_id)
        self._tell_installation(one, "deleted")

    def suspend(self, installation_id: int) -> None:
        """The installation keeps its settings and may do nothing."""
        one = self.world.installations[installation_id]
        one.suspended_at, one.suspended_by = self.world.now(), one.app.owner
        self._tell_installation(one, "suspend")

    def unsuspend(self, installation_id: int) -> None:
        """The installation works again."""
        one = self.world.installations[installation_id]
        one.suspended_at = one.suspended_by = None
        self._tell_installation(one, "unsuspend")

    def set_installed_repositories(
        self, installation_id: int, repositories: Sequence[Repository]
    ) -> None:
        """Which repositories the installation has from now on."""
        one = self.world.installations[installation_id]
        before = {repo.id for repo in self.world.installed_on(one)}
        after = {repo.id for repo in repositories}
        one.repository_ids = after
        for action, ids in (("added", after - before), ("removed", before - after)):
            if ids:
                briefs = [
                    shapes.minimal_repository(self.world, self.world.repositories[number])
                    for number in sorted(ids)
                ]
                none: list[Any] = []
                extra = {
                    "repository_selection": "selected",
                    "repositories_added": briefs if action == "added" else none,
                    "repositories_removed": briefs if action == "removed" else none,
                }
                happenings.installation(
                    self.world,
                    one,
                    one.app.owner,
                    "installation_repositories",
                    action,
                    extra,
                )

    def expire_tokens(self, installation_id: int) -> None:
        """Every token of the installation is answered with 401 from now on."""
        for grant in self.world.grants.values():
            if grant.installation and grant.installation.id == installation_id:
                grant.expires_at = 0.0

    def _tell_installation(self, one: Installation, action: str) -> None:
        briefs = [
            shapes.minimal_repository(self.world, repo) for repo in self.world.installed_on(one)
        ]
        extra = {"repositories": briefs}
        happenings.installation(self.world, one, one.account, "installation", action, extra)
