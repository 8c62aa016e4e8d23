"""What an agent leaves in its checkout, taken up on the host: data, and nothing that runs.

Each plant is made by a program in the cage, or, where the cage would not let it, as if it had got
out. A spy that is ever run on the host leaves a file.
"""

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.agents.cage import Cage
from bot.errors import BadOutput
from bot.github.git import Git
from bot.workflow.workspace import Origin, Workspace

CANARY = "CANARY-77b0e1d2"
WHO = ["-c", "user.name=t", "-c", "user.email=t@example.test"]


def sh(folder: Path, *words: str) -> str:
    ran = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True, timeout=30)
    return ran.stdout.strip()


class Place:
    """A workspace with an agent's checkout in it, a spy and a secret of the host."""

    def __init__(self, cage: Cage, folder: Path) -> None:
        self.cage = cage
        self.spied = folder / "spied"
        self.spy = folder / "spy"
        self.spy.write_text(f"#!/bin/sh\necho ran >> {self.spied}\ncat\n")
        self.spy.chmod(0o755)
        self.secret = folder / "secret"
        self.secret.write_text(CANARY)
        self.origin = folder / "origin"
        self.origin.mkdir()
        sh(self.origin, "git", "init", "-q", "-b", "main")
        (self.origin / "app.py").write_text("print('hello')\n")
        (self.origin / "docs").mkdir()
        (self.origin / "docs" / "a.md").write_text("words\n")
        sh(self.origin, "git", "add", "-A")
        sh(self.origin, "git", *WHO, "commit", "-qm", "first")

        async def no_token() -> str:
            return ""

        origin = Origin(url=str(self.origin), key="o", default_branch="main", token=no_token)
        self.workspace = Workspace(Git(folder / "git"), origin, folder / "work")
        self.sha = ""
        self.checkout = Path()

    async def begin(self) -> "Place":
        _, self.sha = await self.workspace.base()
        self.checkout = await self.workspace.lay("agent", self.sha)
        return self

    async def caged(self, line: str) -> None:
        env = {"SPY": str(self.spy), "SECRET": str(self.secret)}
        ran = await self.cage.run(line, workspace=self.checkout, env=env)
        assert ran.ok, ran.text

    async def take_up(self) -> tuple[tuple[str, ...], bytes]:
        """Everything that the phases do with it; what was refused, and what was committed."""
        try:
            taken = await self.workspace.take(self.checkout, self.sha)
        except BadOutput as refused:
            return (str(refused),), b""
        if taken.odd:
            return taken.odd, b""
        made = await self.workspace.commit(self.sha, taken, message="m", when=1.0)
        diff = await self.workspace.diff(self.sha, made)
        await self.workspace.changes(self.sha, made)
        await self.workspace.lay("trial", made)
        return (), diff.patch.encode("utf-8", "replace")


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    made = await asyncio.to_thread(Place, await Cage.open(), tmp_path)
    return await made.begin()


CAGED = {
    "a link to a file of the host": ('ln -s "$SECRET" leak', "leak: symlink"),
    "a link in the place of a file": ('ln -sf "$SECRET" app.py', "app.py: symlink"),
    "a link in the place of a folder": ("rm -r docs; ln -s /etc docs", "docs: symlink"),
    "a link to the host's root": ("ln -s /proc/1/root all", "all: symlink"),
    "a pipe that never ends": ("rm app.py; mkfifo app.py", "app.py: special file"),
    "a nested repository whose fsmonitor is a program": (
        'git init -q inner; git -C inner config core.fsmonitor "$SPY"; echo 1 > inner/a',
        "inner/.git: nested repository",
    ),
    "a nested repository with hooks": (
        "git init -q inner; cp /bin/true inner/.git/hooks/post-checkout; echo 1 > inner/a",
        "nested repository",
    ),
    "a nested repository in other letters": ("mkdir -p x/.GIT; echo 1 > x/.GIT/a", "nested"),
    "a file that says where git is": ('mkdir m; echo "gitdir: /tmp" > m/.git', "nested"),
    "a repository without a work tree": (
        'git init -q --bare b; git --git-dir=b config core.fsmonitor "$SPY"; echo a > b/new',
        "",
    ),
    "filters by attributes": ("echo '* filter=evil diff=evil merge=evil' > .gitattributes", ""),
    "a submodule that updates by a program": (
        'printf \'[submodule "s"]\\n path = s\\n url = /tmp\\n update = !%s\\n\' "$SPY" '
        "> .gitmodules; mkdir s; echo x > s/f",
        "",
    ),
    "configuration for agents and git": (
        'mkdir -p .claude; echo "{}" > .mcp.json; echo "[core]" > .gitconfig; echo x > .claude/a',
        "",
    ),
    "names that look like options": ("echo a > --upload-pack=x; echo b > -c", ""),
    "a name that is no UTF-8": ("echo a > \"$(printf 'x\\377y')\"", None),
}


@pytest.mark.parametrize(("line", "refused"), CAGED.values(), ids=CAGED.keys())
async def test_what_was_planted_in_the_cage_is_refused_by_name_or_is_data(
    place: Place, line: str, refused: str | None
) -> None:
    await place.caged(line)
    odd, patch = await place.take_up()
    if refused:
        assert refused in "\n".join(odd)
    elif refused == "":
        assert odd == ()
        assert patch != b""
    assert CANARY.encode() not in patch
    assert not place.spied.exists(), "a planted program ran on the host"
    assert sh(place.origin, "git", "status", "--porcelain") == ""


def hooks(place: Place) -> None:
    for name in ("post-checkout", "pre-commit", "post-commit", "reference-transaction", "pre-push"):
        hook = place.checkout / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_bytes(place.spy.read_bytes())
        hook.chmod(0o755)


def programs(place: Place) -> None:
    settings = ("core.fsmonitor", "core.sshCommand", "core.pager", "diff.external",
                "filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv",
                "gpg.program", "credential.helper", "core.askPass", "uploadpack.packObjectsHook",
                "merge.evil.driver")  # fmt: skip
    for key in settings:
        sh(place.checkout, "git", "config", key, str(place.spy))
    (place.checkout / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")


def alternates(place: Place) -> None:
    (place.checkout / ".git" / "objects" / "info" / "alternates").write_text("/etc\n")


def replaced(place: Place) -> None:
    (place.checkout / ".git").rename(place.checkout / "old-git")
    (place.checkout / ".git").symlink_to(place.secret.parent)


@pytest.mark.parametrize("plant", [hooks, programs, alternates, replaced])
async def test_even_what_the_cage_does_not_allow_would_not_run(
    place: Place, plant: Callable[[Place], None]
) -> None:
    await asyncio.to_thread(plant, place)
    (place.checkout / "app.py").write_text("print('changed')\n")
    odd, patch = await place.take_up()
    assert odd or b"changed" in patch
    assert CANARY.encode() not in patch
    assert not place.spied.exists(), "a planted program ran on the host"


async def test_git_s_own_folder_cannot_be_written_in_the_cage(place: Place) -> None:
    for line in (
        "echo x > .git/hooks/pre-commit",
        "git config core.fsmonitor /bin/true",
        "rm -rf .git",
        "mv .git elsewhere",
        "echo /etc > .git/objects/info/alternates",
    ):
        ran = await place.cage.run(line, workspace=place.checkout)
        assert not ran.ok, line


async def test_a_link_that_is_made_while_its_folder_is_read_leads_nowhere(place: Place) -> None:
    """Somebody swaps a folder for a link again and again while the change is taken."""
    docs, aside = place.checkout / "docs", place.checkout.parent / "aside"
    (docs / "a.md").write_text("mine\n")
    going = True

    def swap() -> None:
        while going:
            docs.rename(aside)
            docs.symlink_to(place.secret.parent)
            os.unlink(docs)
            aside.rename(docs)

    swapping = asyncio.create_task(asyncio.to_thread(swap))
    try:
        for _ in range(5):
            odd, patch = await place.take_up()
            assert CANARY.encode() not in patch
            assert all(CANARY not in one for one in odd)
    finally:
        going = False
        await swapping
