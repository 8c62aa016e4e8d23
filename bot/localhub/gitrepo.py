"""Real git underneath: everything that touches a bare repository.

``run`` blocks and is for set-up; handlers use ``git``, which waits in a thread so that a hub in
the same process as the program under test does not stall its event loop.
"""

import asyncio
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 60
NULL_SHA = "0" * 40
_SHA = re.compile(r"[0-9a-f]{40}")

#: Nothing of the developer's own git configuration reaches the hub's repositories.
CLEAN = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}


class GitFailed(Exception):
    """git ended with an exit code other than 0; the text is its stderr."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who and when, for a commit made by the hub; ``at`` in seconds since the epoch."""

    name: str
    email: str
    at: float

    def env(self) -> dict[str, str]:
        """As the variables that git commit-tree reads."""
        stamp = f"{int(self.at)} +0000"
        return {
            "GIT_AUTHOR_NAME": self.name,
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_AUTHOR_DATE": stamp,
            "GIT_COMMITTER_NAME": self.name,
            "GIT_COMMITTER_EMAIL": self.email,
            "GIT_COMMITTER_DATE": stamp,
        }


def run_bytes(
    path: Path, *args: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> bytes:
    """Run git in ``path`` and return its stdout. Raises GitFailed."""
    done = subprocess.run(
        ["git", *args],
        cwd=path,
        input=stdin,
        capture_output=True,
        env=CLEAN | dict(env or {}),
        timeout=TIMEOUT_S,
        check=False,
        start_new_session=True,  # a terminal's Ctrl-C is for the hub, which ends it in order
    )
    if done.returncode != 0:
        raise GitFailed(done.stderr.decode(errors="replace").strip() or f"exit {done.returncode}")
    return done.stdout


def run(path: Path, *args: str, env: Mapping[str, str] | None = None, stdin: bytes = b"") -> str:
    """Like ``run_bytes``, as text without the last newline."""
    return run_bytes(path, *args, env=env, stdin=stdin).decode(errors="replace").rstrip("\n")


async def git(
    path: Path, *args: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> str:
    """Like ``run``, in a thread."""
    return await asyncio.to_thread(run, path, *args, env=env, stdin=stdin)


def create_bare(path: Path, default_branch: str) -> None:
    """An empty bare repository that git's own HTTP server may serve and receive for."""
    path.mkdir(parents=True)
    run(path, "init", "--quiet", "--bare", f"--initial-branch={default_branch}", ".")
    with (path / "config").open("a") as config:
        config.write(_BARE_CONFIG)


#: Written at once, for a process for each line is slow.
_BARE_CONFIG = """
[http]
\treceivepack = true
\tuploadpack = true
[uploadpack]
\tallowAnySHA1InWant = true
\tallowFilter = true
[gc]
\tauto = 0
[receive]
\tautogc = false
"""


def commit_files(
    path: Path, branch: str, files: Mapping[str, str | bytes], message: str, by: Signature
) -> str:
    """One commit with these files on top of ``branch``; returns its SHA. Blocks."""
    parent = ref_sha(path, f"refs/heads/{branch}")
    with tempfile.TemporaryDirectory() as scratch:
        env = {"GIT_INDEX_FILE": f"{scratch}/index"}
        if parent:
            run(path, "read-tree", parent, env=env)
        lines = [f"100644 {write_blob(path, content)} 0\t{name}" for name, content in files.items()]
        run(path, "update-index", "--add", "--index-info", env=env, stdin="\n".join(lines).encode())
        tree = run(path, "write-tree", env=env)
    sha = commit_tree(path, tree, [parent] if parent else [], message, by)
    run(path, "update-ref", f"refs/heads/{branch}", sha)
    return sha


def write_blob(path: Path, content: str | bytes) -> str:
    """Store a blob; returns its SHA."""
    data = content.encode() if isinstance(content, str) else content
    return run(path, "hash-object", "-w", "--stdin", stdin=data)


def commit_tree(path: Path, tree: str, parents: Sequence[str], message: str, by: Signature) -> str:
    """A commit object; returns its SHA."""
    args = [arg for parent in parents for arg in ("-p", parent)]
    return run(path, "commit-tree", tree, *args, env=by.env(), stdin=message.encode())


def ref_sha(path: Path, ref: str) -> str | None:
    """What a full ref name points to, or None.

    Reads the file where git keeps a loose ref, for this is asked all the time; only packed refs
    need git itself.
    """
    if not ref.startswith("refs/") or ".." in ref or "\0" in ref or ref.endswith("/"):
        return None
    try:
        return (path / ref).read_text().strip()
    except OSError:
        if not (path / "packed-refs").exists():
            return None
    try:
        return run(path, "rev-parse", "--verify", "--quiet", "--end-of-options", ref)
    except GitFailed:
        return None


async def resolve(path: Path, name: str) -> str | None:
    """The commit that a branch, a tag, a full ref or a SHA names, or None."""
    candidates: tuple[str, ...] = (f"refs/heads/{name}", f"refs/tags/{name}", name)
    if _SHA.fullmatch(name):  # no branch or tag may look like one
        candidates = (name,)
    for candidate in candidates:
        try:
            return await git(
                path,
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                candidate + "^{commit}",
            )
        except GitFailed:
            continue
    return None


def all_refs(path: Path) -> dict[str, str]:
    """Every branch and tag with its SHA."""
    listing = run(
        path, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags"
    )
    return dict(line.rsplit(" ", 1) for line in listing.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit as git tells it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: tuple[str, str, float]
    committer: tuple[str, str, float]
    message: str


_FIELDS = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B%x01"


async def log(path: Path, *spec: str, limit: int = 250) -> list[Commit]:
    """Commits as ``git log`` would list them, newest first."""
    out = await git(path, "log", f"--max-count={limit}", f"--format={_FIELDS}", *spec, "--")
    return [_commit(entry.lstrip("\n")) for entry in out.split("\x01") if entry.strip("\n")]


def _commit(entry: str) -> Commit:
    sha, tree, parents, *rest = entry.split("\0", 9)
    an, ae, at, cn, ce, ct, message = rest
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=(an, ae, float(at)),
        committer=(cn, ce, float(ct)),
        message=message.rstrip("\n"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file of a diff; ``patch`` is None for binary files."""

    path: str
    old_path: str | None
    status: str
    additions: int
    deletions: int
    sha: str
    patch: str | None


_STATUS = {
    "A": "added",
    "D": "removed",
    "M": "modified",
    "R": "renamed",
    "C": "copied",
    "T": "changed",
}


async def changes(path: Path, base: str, head: str) -> list[FileChange]:
    """The files that differ between two commits, with patches."""
    raw = (await git(path, "diff", "--raw", "--abbrev=40", "-M", "-z", base, head)).split("\0")
    counts = await git(path, "diff", "--numstat", "-M", "-z", base, head)
    numbers = _numstat(counts)
    found = []
    at = 0
    while at < len(raw) and raw[at].startswith(":"):
        _, _, old_sha, new_sha, letter = raw[at].split(" ")
        moved = letter[0] in "RC"
        old = raw[at + 1] if moved else None
        name = raw[at + 2] if moved else raw[at + 1]
        at += 3 if moved else 2
        added, removed = numbers.get(name, (0, 0))
        found.append(
            FileChange(
                path=name,
                old_path=old,
                status=_STATUS.get(letter[0], "changed"),
                additions=added,
                deletions=removed,
                sha=old_sha if letter[0] == "D" else new_sha,
                patch=await _patch(path, base, head, name, old),
            )
        )
    return found


async def _patch(path: Path, base: str, head: str, name: str, old: str | None) -> str | None:
    names = [f":(literal){n}" for n in (old, name) if n]
    text = await git(path, "diff", "-M", base, head, "--", *names)
    start = text.find("\n@@ ")
    return None if start < 0 else text[start + 1 :]


def _numstat(out: str) -> dict[str, tuple[int, int]]:
    parts = out.split("\0")
    found = {}
    at = 0
    while at < len(parts) and parts[at]:
        added, removed, name = parts[at].split("\t")
        if not name:  # a rename: the two names follow
            name = parts[at + 2]
            at += 2
        at += 1
        found[name] = (int(added) if added != "-" else 0, int(removed) if removed != "-" else 0)
    return found


async def merge_base(path: Path, one: str, other: str) -> str | None:
    """The best common ancestor, or None for unrelated histories."""
    try:
        return await git(path, "merge-base", one, other)
    except GitFailed:
        return None


async def merged_tree(path: Path, ours: str, theirs: str) -> str | None:
    """The tree of a merge that nobody has committed yet, or None on a conflict."""
    try:
        return (await git(path, "merge-tree", "--write-tree", ours, theirs)).splitlines()[0]
    except GitFailed:
        return None


async def rebased(path: Path, base: str, head: str, by: Signature) -> str | None:
    """``head``'s commits put on top of ``base``; the new tip, or None on a conflict."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch) / "work"
        await git(path, "clone", "--quiet", "--shared", "--no-checkout", str(path), str(work))
        await git(work, "checkout", "--quiet", "--detach", head)
        try:
            await git(work, "rebase", "--quiet", base, env=_committer(by))
        except GitFailed:
            return None
        tip = await git(work, "rev-parse", "HEAD")
        await git(path, "fetch", "--quiet", str(work), tip)
    return tip


def _committer(by: Signature) -> dict[str, str]:
    return {key: value for key, value in by.env().items() if "COMMITTER" in key}
