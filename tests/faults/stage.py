"""The hub of a history: one repository, one App, people, scripted runs."""

import functools
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bot.localhub import manifest, pushes
from bot.localhub.auth import Actor, new_key
from bot.localhub.gitrepo import Signature, commit_files, create_bare
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository
from bot.localhub.state_apps import App
from tests.faults.clock import START, SimLoop
from tests.faults.objects import Objects
from tests.faults.runs import Runs
from tests.faults.sample import files

MANIFEST = Path(__file__).parents[2] / "config" / "app-manifest.json"
HOOK = "http://bot.test/webhook"
OWNER, NAME = "ada", "site"  #: of the repository, until somebody renames it


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The hub and what stands on it."""

    hub: LocalHub
    app: App
    installation: int
    repository: Repository
    owner: Person
    objects: Objects
    runs: Runs

    async def pushed(self, branch: str, old: str, new: str) -> None:
        """Tell everybody of a branch that the bot moved."""
        one = self.hub.world.installations[self.installation]
        actor = Actor(via="installation", account=self.app.bot, app=self.app, installation=one)
        refs = {f"refs/heads/{branch}": (old or None, new)}
        await pushes.moved(self.hub.world, self.repository, actor, refs)


def open_stage(folder: Path, loop: SimLoop, runs: Runs, *, automatic: bool) -> Stage:
    """A hub with everything in place and nothing asked yet; `automatic`, as in `sample.files`."""
    hub = LocalHub(folder / "hub", now=loop.wall, act=False, carry_out=runs)
    owner = hub.add_user(OWNER)
    repository = hub.create_repository(OWNER, NAME)
    shutil.copytree(_template(automatic=automatic), repository.path, dirs_exist_ok=True)
    app = _app(hub)
    installation = hub.install(app.id, OWNER, [repository])
    return Stage(
        hub=hub,
        app=app,
        installation=installation,
        repository=repository,
        owner=owner,
        objects=Objects(repository.path),
        runs=runs,
    )


def _app(hub: LocalHub) -> App:
    """The App as it is shipped; its key is made once for all histories, for that takes long."""
    shipped = json.loads(MANIFEST.read_text())
    app = manifest.register(
        hub.world,
        hub.world.account(OWNER),
        "chimera",
        hook_url=HOOK,
        hook_secret="a secret of the simulation",
        permissions=shipped["default_permissions"],
        events=shipped["default_events"],
        with_key=False,
    )
    app.pem, app.public_key = _key()
    return app


@functools.cache
def _key() -> tuple[str, str]:
    return new_key()


@functools.cache
def _template(*, automatic: bool) -> Path:
    """The repository's first commit, made by git once for all histories."""
    path = Path(tempfile.mkdtemp(prefix="chimera-sim-")) / "site.git"
    create_bare(path, "main")
    by = Signature(name="ada", email="ada@site.test", at=START)
    commit_files(path, "main", files(automatic=automatic), "Initial commit", by)
    return path
