"""Git as we run it, on real repositories."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from bot.errors import BadOutput, Conflict, Refused
from bot.github.changes import Changes
from bot.github.git import Commit, Git, Signature
from bot.github.git_process import git as run
from bot.github.names import BadName

AUTHOR = Signature(name="Chimera", email="chimera@example.test")
WHEN = 1_700_000_000.0


def sh(folder: Path, *args: str) -> str:
    """A person's git, with a person's configuration."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_AUTHOR_NAME": "Ann",
        "GIT_AUTHOR_EMAIL": "ann@example.test",
        "GIT_COMMITTER_NAME": "Ann",
        "GIT_COMMITTER_EMAIL": "ann@example.test",
    }
    done = subprocess.run(
        ["git", *args], cwd=folder, env=env, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A person's repository with two commits on main."""
    path = tmp_path / "origin"
    path.mkdir()
    sh(path, "init", "--quiet", "--initial-branch=main")
    sh(path, "config", "receive.denyCurrentBranch", "ignore")
    (path / "app.py").write_text("print('one')\n")
    (path / "run.sh").write_text("#!/bin/sh\n")
    (path / "run.sh").chmod(0o755)
    (path / ".gitignore").write_text("__pycache__/\n")
    sh(path, "add", "--all")
    sh(path, "commit", "--quiet", "--message=one")
    (path / "docs").mkdir()
    (path / "docs" / "guide.md").write_text("# Guide\n")
    sh(path, "add", "--all")
    sh(path, "commit", "--quiet", "--message=two")
    return path


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path / "git")


async def taken(git: Git, agents: Path, ours: Path) -> Changes:
    """What an agent left behind, brought into our clone as the workspace does it."""
    changes = await git.changed(agents, repo=ours, sha=await git.head(ours))
    await git.apply(ours, changes)
    return changes


async def clone_of(git: Git, origin: Path, name: str = "clone", branch: str = "work") -> Path:
    mirror = await git.mirror(str(origin), "acme-shop")
    return await git.checkout(mirror, git.root / name, sh(origin, "rev-parse", "main"), branch)


async def commit(git: Git, clone: Path, message: str = "a change") -> Commit | None:
    trailers = {"Chimera-Task": "t-1", "Chimera-Phase": "CODE"}
    return await git.commit(clone, message=message, trailers=trailers, author=AUTHOR, when=WHEN)


# ── mirrors and clones ───────────────────────────────────────────────────────────────────────


async def test_a_mirror_is_brought_up_to_date_by_asking_for_it_again(
    git: Git, origin: Path
) -> None:
    mirror = await git.mirror(str(origin), "acme-shop")
    before = await git.rev_parse(mirror, "main")
    (origin / "app.py").write_text("print('two')\n")
    sh(origin, "commit", "--quiet", "--all", "--message=three")
    again = await git.mirror(str(origin), "acme-shop")
    assert again == mirror
    assert before != await git.rev_parse(mirror, "main") == sh(origin, "rev-parse", "main")


async def test_ten_mirrorings_at_once_wait_for_each_other(git: Git, origin: Path) -> None:
    other = Git(git.root)  # as another process would: it shares nothing but the directory
    wanted = [one.mirror(str(origin), "acme-shop") for one in [git, other] * 5]
    assert len(set(await asyncio.gather(*wanted))) == 1


async def test_a_clone_borrows_objects_and_has_its_files_and_its_branch(
    git: Git, origin: Path
) -> None:
    clone = await clone_of(git, origin)
    assert (clone / "docs" / "guide.md").read_text() == "# Guide\n"
    assert sh(clone, "branch", "--show-current") == "work"
    assert not [f for f in (clone / ".git" / "objects").rglob("*") if len(f.name) == 38]
    assert os.access(clone / "run.sh", os.X_OK)


async def test_a_clone_replaces_what_an_earlier_one_left(git: Git, origin: Path) -> None:
    clone = await clone_of(git, origin)
    (clone / "left.txt").write_text("behind")
    again = await clone_of(git, origin)
    assert again == clone
    assert not (clone / "left.txt").exists()


async def test_reading_a_commit(git: Git, origin: Path) -> None:
    mirror = await git.mirror(str(origin), "acme-shop")
    sha = sh(origin, "rev-parse", "main")
    assert await git.show(mirror, sha, "docs/guide.md", limit=100) == b"# Guide\n"
    assert await git.show(mirror, sha, "docs/none.md", limit=100) is None
    assert await git.show(mirror, sha, "docs", limit=100) is None
    assert await git.files(mirror, sha, "docs") == ("docs/guide.md",)
    assert await git.tree_of(mirror, sha) == sh(origin, "rev-parse", "main^{tree}")
    assert await git.rev_parse(mirror, "nowhere") is None
    with pytest.raises(BadOutput):
        await git.show(mirror, sha, "docs/guide.md", limit=3)


async def test_which_commit_came_from_which(git: Git, origin: Path) -> None:
    mirror = await git.mirror(str(origin), "acme-shop")
    one, two = sh(origin, "rev-parse", "main~1"), sh(origin, "rev-parse", "main")
    assert await git.is_ancestor(mirror, one, two)
    assert not await git.is_ancestor(mirror, two, one)
    assert await git.merge_base(mirror, one, two) == one
    assert await git.log(mirror, one, two) == (two,)


# ── commits ──────────────────────────────────────────────────────────────────────────────────


async def test_the_same_change_on_the_same_parent_is_the_same_commit(
    git: Git, origin: Path
) -> None:
    shas = []
    for name in ("first", "second"):
        clone = await clone_of(git, origin, name)
        (clone / "new.py").write_text("x = 1\n")
        made = await commit(git, clone)
        assert made is not None
        shas.append(made.sha)
    assert shas[0] == shas[1]


async def test_a_commit_says_what_it_was_made_of(git: Git, origin: Path) -> None:
    clone = await clone_of(git, origin)
    (clone / "app.py").unlink()
    made = await commit(git, clone, "fix: gone\n\nBecause.")
    assert made is not None
    assert made.parents == (sh(origin, "rev-parse", "main"),)
    assert made.tree == await git.tree_of(clone, made.sha)
    text = "fix: gone\n\nBecause.\n\nChimera-Task: t-1\nChimera-Phase: CODE"
    assert await git.message(clone, made.sha) == text
    assert sh(clone, "log", "-1", "--format=%an %ae %at %cn %ct") == (
        "Chimera chimera@example.test 1700000000 Chimera 1700000000"
    )
    assert sh(clone, "status", "--porcelain") == ""


async def test_nothing_changed_is_no_commit(git: Git, origin: Path) -> None:
    assert await commit(git, await clone_of(git, origin)) is None


async def test_a_diff_names_files_modes_and_lines(git: Git, origin: Path) -> None:
    clone = await clone_of(git, origin)
    (clone / "app.py").write_text("print('one')\nprint('more')\n")
    (clone / "docs" / "guide.md").unlink()
    (clone / "pic.bin").write_bytes(b"\0\1\2")
    (clone / "run.sh").chmod(0o644)
    (clone / "link").symlink_to("/etc/passwd")
    made = await commit(git, clone)
    assert made is not None
    diff = await git.diff(clone, made.parents[0], made.sha)
    seen = {f.path: (f.status, f.old_mode, f.mode, f.added, f.removed) for f in diff.files}
    assert seen == {
        "app.py": ("M", "100644", "100644", 1, 0),
        "docs/guide.md": ("D", "100644", "000000", 0, 1),
        "link": ("A", "000000", "120000", 1, 0),
        "pic.bin": ("A", "000000", "100644", 0, 0),
        "run.sh": ("M", "100755", "100644", 0, 0),
    }
    assert "+print('more')" in diff.patch
    assert not diff.truncated


async def test_the_base_is_merged_or_the_conflict_is_named(git: Git, origin: Path) -> None:
    clone = await clone_of(git, origin)
    (clone / "new.py").write_text("x = 1\n")
    ours = await commit(git, clone)
    (origin / "docs" / "guide.md").write_text("# Better\n")
    sh(origin, "commit", "--quiet", "--all", "--message=docs")
    await git.mirror(str(origin), "acme-shop")
    base = sh(origin, "rev-parse", "main")
    made = await git.merge(clone, base, message="Merge main", author=AUTHOR, when=WHEN)
    assert made is not None
    assert ours is not None
    assert made.parents == (ours.sha, base)
    assert (clone / "docs" / "guide.md").read_text() == "# Better\n"
    assert await git.merge(clone, base, message="again", author=AUTHOR, when=WHEN) is None

    (origin / "new.py").write_text("x = 2\n")
    sh(origin, "add", "--all")
    sh(origin, "commit", "--quiet", "--message=clash")
    await git.mirror(str(origin), "acme-shop")
    with pytest.raises(Conflict, match=r"new\.py"):
        await git.merge(
            clone, sh(origin, "rev-parse", "main"), message="no", author=AUTHOR, when=WHEN
        )
    assert await git.head(clone) == made.sha


async def test_a_commit_is_brought_into_the_mirror_and_pushed_from_there(
    git: Git, origin: Path
) -> None:
    clone = await clone_of(git, origin)
    (clone / "new.py").write_text("x = 1\n")
    made = await commit(git, clone)
    assert made is not None
    mirror = git.mirror_path("acme-shop")
    await git.fetch(mirror, str(clone), [made.sha])
    await git.mirror(str(origin), "acme-shop")  # a later update does not lose it
    assert await git.show(mirror, made.sha, "new.py", limit=100) == b"x = 1\n"
    await git.push(mirror, str(origin), "chimera/1", made.sha, expected=None)
    await git.fetch(mirror, str(origin), ["chimera/1"])
    assert await git.rev_parse(mirror, "refs/heads/chimera/1") == made.sha


# ── pushing ──────────────────────────────────────────────────────────────────────────────────


async def test_a_push_makes_the_branch_and_may_be_repeated(git: Git, origin: Path) -> None:
    clone = await clone_of(git, origin)
    (clone / "new.py").write_text("x = 1\n")
    made = await commit(git, clone)
    assert made is not None
    for _ in range(2):
        await git.push(clone, str(origin), "chimera/1", made.sha, expected=None)
    assert sh(origin, "rev-parse", "chimera/1") == made.sha


async def test_a_push_over_a_branch_that_a_person_moved_is_refused(git: Git, origin: Path) -> None:
    clone = await clone_of(git, origin)
    (clone / "new.py").write_text("x = 1\n")
    made = await commit(git, clone)
    assert made is not None
    await git.push(clone, str(origin), "chimera/1", made.sha, expected=None)
    sh(origin, "branch", "--force", "chimera/1", "main")  # a person's
    (clone / "new.py").write_text("x = 2\n")
    more = await commit(git, clone)
    assert more is not None
    for expected in (made.sha, None):
        with pytest.raises(Conflict):
            await git.push(clone, str(origin), "chimera/1", more.sha, expected=expected)
    assert sh(origin, "rev-parse", "chimera/1") == sh(origin, "rev-parse", "main")


async def test_hooks_of_a_clone_are_not_run(git: Git, origin: Path, tmp_path: Path) -> None:
    clone = await clone_of(git, origin)
    ran = tmp_path / "ran"
    hooks = clone / ".git" / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "pre-commit", "post-checkout", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    (clone / "new.py").write_text("x = 1\n")
    made = await commit(git, clone)
    assert made is not None
    await git.push(clone, str(origin), "chimera/1", made.sha, expected=None)
    assert not ran.exists()


async def test_a_remote_that_is_not_there_is_refused(git: Git, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        await git.mirror(str(tmp_path / "nowhere"), "acme-shop")


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c touch%20/tmp/x", "ssh://host/x", "--upload-pack=x", "https://u:p@host/x", ""],
)
async def test_only_plain_remotes_are_spoken_with(git: Git, url: str) -> None:
    with pytest.raises(BadName):
        await git.mirror(url, "acme-shop")


@pytest.mark.parametrize("key", ["..", "../x", "", "-x", "a/b"])
async def test_a_mirrors_name_stays_in_its_directory(git: Git, key: str) -> None:
    with pytest.raises(BadName):
        git.mirror_path(key)


@pytest.mark.parametrize("ref", ["--all", "a..b", "a b", "a~1", "@{-1}", "x.lock", "/a", "a//b"])
async def test_a_crafted_ref_never_reaches_git(git: Git, origin: Path, ref: str) -> None:
    mirror = await git.mirror(str(origin), "acme-shop")
    with pytest.raises(BadName):
        await git.rev_parse(mirror, ref)


# ── what agents leave behind ─────────────────────────────────────────────────────────────────


async def test_an_agents_changes_are_read_as_data_and_committed_elsewhere(
    git: Git, origin: Path
) -> None:
    agents, ours = await clone_of(git, origin, "agents"), await clone_of(git, origin, "ours")
    (agents / "app.py").write_text("print('new')\n")
    (agents / "docs" / "guide.md").unlink()
    (agents / "tool").write_text("#!/bin/sh\n")
    (agents / "tool").chmod(0o755)
    (agents / "deep" / "er").mkdir(parents=True)
    (agents / "deep" / "er" / "ümläut.txt").write_text("ü")
    (agents / "__pycache__").mkdir()
    (agents / "__pycache__" / "x.pyc").write_bytes(b"\0")
    changes = await taken(git, agents, ours)
    assert sorted(f.path for f in changes.files) == [
        "app.py",
        "deep/er/ümläut.txt",
        "docs/guide.md",
        "tool",
    ]
    made = await commit(git, ours)
    assert made is not None
    diff = await git.diff(ours, made.parents[0], made.sha)
    assert {f.path: (f.status, f.mode) for f in diff.files} == {
        "app.py": ("M", "100644"),
        "deep/er/ümläut.txt": ("A", "100644"),
        "docs/guide.md": ("D", "000000"),
        "tool": ("A", "100755"),
    }


async def test_an_agents_own_commits_and_configuration_do_not_count(git: Git, origin: Path) -> None:
    agents, ours = await clone_of(git, origin, "agents"), await clone_of(git, origin, "ours")
    (agents / "app.py").write_text("print('new')\n")
    sh(agents, "commit", "--quiet", "--all", "--message=mine")
    sh(agents, "config", "core.worktree", "/")
    sh(agents, "config", "core.excludesFile", "/dev/null")
    changes = await taken(git, agents, ours)
    assert [f.path for f in changes.files] == ["app.py"]


async def test_what_tools_leave_behind_is_no_part_of_a_change_unless_it_was_there(
    git: Git, origin: Path
) -> None:
    """An agent runs tests; and byte code that nobody can read might run in place of its source."""
    (origin / ".gitignore").write_text("")
    (origin / "node_modules").mkdir()
    (origin / "node_modules" / "ours.js").write_text("1\n")
    sh(origin, "add", "--all")
    sh(origin, "commit", "--quiet", "--message=three")
    agents, ours = await clone_of(git, origin, "agents"), await clone_of(git, origin, "ours")
    for folder in ("__pycache__", "lib/__pycache__", ".pytest_cache", "node_modules/left"):
        (agents / folder).mkdir(parents=True)
        (agents / folder / "x.pyc").write_bytes(b"\0")
        (agents / folder / "y.js").write_text("2\n")
    (agents / "node_modules" / "ours.js").write_text("2\n")
    changes = await taken(git, agents, ours)
    assert [f.path for f in changes.files] == ["node_modules/ours.js"]


async def test_a_nested_repository_is_refused_and_its_programs_do_not_run(
    git: Git, origin: Path, tmp_path: Path
) -> None:
    agents, ours = await clone_of(git, origin, "agents"), await clone_of(git, origin, "ours")
    ran = tmp_path / "ran"
    spy = tmp_path / "spy.sh"
    spy.write_text(f"#!/bin/sh\ntouch {ran}\n")
    spy.chmod(0o755)
    nested = agents / "lib" / "sub"
    nested.mkdir(parents=True)
    sh(nested, "init", "--quiet")
    (nested / "f").write_text("x")
    sh(nested, "add", "f")
    sh(nested, "commit", "--quiet", "--message=x")
    sh(nested, "config", "core.fsmonitor", str(spy))
    sh(agents, "config", "core.fsmonitor", str(spy))
    sh(nested, "status")
    assert ran.exists(), "the trap would have sprung"
    ran.unlink()
    changes = await git.changed(agents, repo=ours, sha=await git.head(ours))
    assert [(o.path, o.what) for o in changes.odd] == [("lib/sub/.git", "nested repository")]
    with pytest.raises(BadOutput, match="nested repository"):
        await git.apply(ours, changes)
    assert not ran.exists()


async def test_filters_that_an_agent_configures_do_not_run(
    git: Git, origin: Path, tmp_path: Path
) -> None:
    agents, ours = await clone_of(git, origin, "agents"), await clone_of(git, origin, "ours")
    ran = tmp_path / "ran"
    for name in ("filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv"):
        sh(agents, "config", name, f"touch {ran}; cat")
    (agents / ".gitattributes").write_text("* filter=evil diff=evil\n")
    (agents / "app.py").write_text("print('new')\n")
    sh(agents, "add", "app.py")
    assert ran.exists(), "the trap would have sprung"
    ran.unlink()
    await taken(git, agents, ours)
    made = await commit(git, ours)
    assert made is not None
    await git.diff(ours, made.parents[0], made.sha)
    await git.checkout(git.mirror_path("acme-shop"), git.root / "next", made.parents[0], "x")
    assert not ran.exists()


@pytest.mark.parametrize("name", [".GIT", ".Git"])
async def test_a_git_directory_in_other_letters_is_refused_too(
    git: Git, origin: Path, name: str
) -> None:
    agents, ours = await clone_of(git, origin, "agents"), await clone_of(git, origin, "ours")
    (agents / name).mkdir()
    (agents / name / "config").write_text("[core]\n")
    with pytest.raises(BadOutput):
        await taken(git, agents, ours)


async def test_links_and_pipes_are_refused_by_name(git: Git, origin: Path) -> None:
    agents, ours = await clone_of(git, origin, "agents"), await clone_of(git, origin, "ours")
    (agents / "secret").symlink_to("/etc/passwd")
    (agents / "app.py").unlink()
    (agents / "app.py").symlink_to("run.sh")
    os.mkfifo(agents / "pipe")
    changes = await git.changed(agents, repo=ours, sha=await git.head(ours))
    assert {o.path: o.what for o in changes.odd} == {"secret": "symlink", "app.py": "symlink"}
    with pytest.raises(BadOutput, match=r"secret \(symlink\)"):
        await git.apply(ours, changes)
    assert (ours / "app.py").read_text() == "print('one')\n"


async def test_a_directory_that_became_a_link_leads_nowhere(
    git: Git, origin: Path, tmp_path: Path
) -> None:
    agents, ours = await clone_of(git, origin, "agents"), await clone_of(git, origin, "ours")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "guide.md").write_text("host's")
    (agents / "docs" / "guide.md").unlink()
    (agents / "docs").rmdir()
    (agents / "docs").symlink_to(outside)
    changes = await git.changed(agents, repo=ours, sha=await git.head(ours))
    assert not [f for f in changes.files if f.content == b"host's"]
    with pytest.raises(BadOutput, match="symlink"):
        await git.apply(ours, changes)


async def test_a_file_may_become_a_directory_and_the_other_way_round(
    git: Git, origin: Path
) -> None:
    agents, ours = await clone_of(git, origin, "agents"), await clone_of(git, origin, "ours")
    (agents / "app.py").unlink()
    (agents / "app.py").mkdir()
    (agents / "app.py" / "inner.py").write_text("y = 1\n")
    (agents / "docs" / "guide.md").unlink()
    (agents / "docs").rmdir()
    (agents / "docs").write_text("now a file\n")
    await taken(git, agents, ours)
    assert (ours / "app.py" / "inner.py").read_text() == "y = 1\n"
    assert (ours / "docs").read_text() == "now a file\n"


async def test_output_beyond_the_limit_ends_git(git: Git, origin: Path) -> None:
    mirror = await git.mirror(str(origin), "acme-shop")
    with pytest.raises(BadOutput):
        await run(["log", "--patch"], git_dir=mirror, limit=10)
