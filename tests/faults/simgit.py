"""The bot's git without its processes: the same calls, on objects that the hub's git reads.

Mirrors and checkouts are in memory and outlive a crash, as a disk does. What the network does to a
fetch or a push is asked of `trouble` before, and after, the hub has done it.
"""

import asyncio
import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from bot.errors import Conflict, StepError
from bot.github.changes import Change, Changes
from bot.github.git import Commit, Git, Signature
from bot.github.git_diff import DELETED, Diff, DiffFile
from tests.faults.objects import Objects

PLAIN = "100644"

Trouble = Callable[[str, bool], StepError | None]  #: verb, whether it was applied already
Moved = Callable[[str, str, str], Awaitable[None]]  #: branch, old, new: the hub tells everybody


class SimGit(Git):
    """Git on the objects of the hub's one repository."""

    def __init__(self, root: Path, hub: Objects, moved: Moved, trouble: Trouble) -> None:
        super().__init__(root)
        self.hub = hub
        self.work: dict[Path, dict[str, bytes]] = {}  #: what lies in a checkout
        self._heads: dict[Path, str] = {}
        self._refs: dict[str, str] = {}  #: of the mirror
        self._here: set[str] = set()  #: commits that this machine has
        self._moved = moved
        self._trouble = trouble

    def forget(self) -> None:
        """Another machine goes on: nothing of the disk but the store is there."""
        self.work.clear()
        self._refs.clear()
        self._here.clear()

    # ── the network ──────────────────────────────────────────────────────────────────────────

    async def mirror(self, url: str, key: str, token: str = "") -> Path:
        self._meet("fetch", applied=False)
        self._refs = self.hub.refs()
        for sha in self._refs.values():
            self._here |= set(self.hub.ancestors(sha))
        return self.mirror_path(key)

    async def fetch(self, mirror: Path, url: str, refs: Sequence[str], token: str = "") -> None:
        for sha in refs:
            self._here |= set(self.hub.ancestors(sha))

    async def push(
        self, repo: Path, url: str, branch: str, sha: str, *, expected: str | None, token: str = ""
    ) -> None:
        self._meet("push", applied=False)
        old = self.hub.ref(branch)
        if old not in (expected or "", sha):
            raise Conflict(f"git push: {branch} is at {old[:7]}, stale info")
        if old != sha:
            self.hub.point(branch, sha)
            await self._moved(branch, old, sha)
        self._meet("push", applied=True)

    async def branches(self, url: str, prefix: str, token: str = "") -> tuple[str, ...]:
        self._meet("fetch", applied=False)
        return tuple(name for name in self.hub.refs() if name.startswith(prefix))

    def _meet(self, verb: str, *, applied: bool) -> None:
        if (error := self._trouble(verb, applied)) is not None:
            raise error

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    async def rev_parse(self, repo: Path, ref: str) -> str | None:
        if ref.startswith("refs/heads/"):
            return self._refs.get(ref.removeprefix("refs/heads/"))
        return ref if ref in self._here else None

    async def tree_of(self, repo: Path, sha: str) -> str:
        return self.hub.commit(sha).tree

    async def show(self, repo: Path, sha: str, path: str, *, limit: int) -> bytes | None:
        return self._files(sha).get(path)

    async def files(self, repo: Path, sha: str, under: str = "") -> tuple[str, ...]:
        return tuple(sorted(path for path in self._files(sha) if path.startswith(under)))

    async def merge_base(self, repo: Path, one: str, other: str) -> str | None:
        known = set(self.hub.ancestors(one))
        return next((sha for sha in self.hub.ancestors(other) if sha in known), None)

    async def log(self, repo: Path, base: str, head: str) -> tuple[str, ...]:
        known = set(self.hub.ancestors(base))
        return tuple(sha for sha in self.hub.ancestors(head) if sha not in known)

    async def author(self, repo: Path, sha: str) -> str:
        return self.hub.commit(sha).author

    async def is_ancestor(self, repo: Path, older: str, newer: str) -> bool:
        return older in self.hub.ancestors(newer)

    async def message(self, repo: Path, sha: str) -> str:
        return self.hub.commit(sha).message

    async def diff(self, repo: Path, base: str, head: str) -> Diff:
        old, new = self._files(base), self._files(head)
        paths = [path for path in sorted({*old, *new}) if old.get(path) != new.get(path)]
        patch = "".join(_patch(path, old.get(path), new.get(path)) for path in paths)
        files = tuple(_file(path, old.get(path), new.get(path)) for path in paths)
        return Diff(patch=patch, truncated=False, files=files)

    # ── working ──────────────────────────────────────────────────────────────────────────────

    async def checkout(self, mirror: Path, dest: Path, sha: str, branch: str) -> Path:
        self.work[dest], self._heads[dest] = self._files(sha), sha
        await asyncio.to_thread(dest.mkdir, parents=True, exist_ok=True)
        return dest

    async def changed(self, checkout: Path, *, repo: Path, sha: str) -> Changes:
        old, new = self._files(sha), self.work[checkout]
        paths = [path for path in sorted({*old, *new}) if old.get(path) != new.get(path)]
        return Changes(files=tuple(Change(path=path, content=new.get(path)) for path in paths))

    async def apply(self, clone: Path, changes: Changes) -> None:
        for one in changes.files:
            if one.content is None:
                self.work[clone].pop(one.path, None)
            else:
                self.work[clone][one.path] = one.content

    async def commit(
        self,
        clone: Path,
        *,
        message: str,
        trailers: Mapping[str, str],
        author: Signature,
        when: float,
    ) -> Commit | None:
        parent = self._heads[clone]
        tree = self.hub.write_files(self.work[clone])
        if tree == self.hub.commit(parent).tree:
            return None
        return self._made(tree, [parent], message, author, when)

    async def merge(
        self, clone: Path, sha: str, *, message: str, author: Signature, when: float
    ) -> Commit | None:
        head = self._heads[clone]
        known = set(self.hub.ancestors(head))
        if sha in known:
            return None
        base = next(one for one in self.hub.ancestors(sha) if one in known)
        old, ours, theirs = self._files(base), self._files(head), self._files(sha)
        paths = {path for path in {*old, *theirs} if old.get(path) != theirs.get(path)}
        both = sorted(
            path for path in paths if ours.get(path) not in (old.get(path), theirs.get(path))
        )
        if both:
            raise Conflict(f"merging {sha[:7]} conflicts in {', '.join(both)}")
        merged = {path: text for path, text in ours.items() if path not in paths}
        merged |= {path: theirs[path] for path in paths if path in theirs}
        tree = self.hub.write_files(merged)
        return self._made(tree, [head, sha], message, author, when)

    def _made(
        self, tree: str, parents: Sequence[str], message: str, author: Signature, when: float
    ) -> Commit:
        by = f"{author.name} <{author.email}> {int(when)} +0000"
        sha = self.hub.write_commit(tree, parents, f"{message.strip()}\n", by)
        return Commit(sha=sha, tree=tree, parents=tuple(parents))

    def _files(self, sha: str) -> dict[str, bytes]:
        return self.hub.files(self.hub.commit(sha).tree)


def _file(path: str, old: bytes | None, new: bytes | None) -> DiffFile:
    before, after = (text.splitlines() if text is not None else [] for text in (old, new))
    return DiffFile(
        path=path,
        status="A" if old is None else "D" if new is None else "M",
        mode=PLAIN if new is not None else DELETED,
        old_mode=PLAIN if old is not None else DELETED,
        added=len(after),
        removed=len(before),
        binary=False,
    )


def _patch(path: str, old: bytes | None, new: bytes | None) -> str:
    """As `git diff` prints it, as far as anybody reads it."""
    before, after = ((text or b"").decode().splitlines(keepends=True) for text in (old, new))
    left = f"a/{path}" if old is not None else "/dev/null"
    right = f"b/{path}" if new is not None else "/dev/null"
    lines = difflib.unified_diff(before, after, left, right)
    return f"diff --git a/{path} b/{path}\n" + "".join(lines)
