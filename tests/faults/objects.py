"""Git's loose objects, read and written in this process: what git itself reads and writes.

A process for each object would be most of a history's time. The format is gitformat-loose(5).
"""

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FILE, FOLDER = b"100644", b"40000"

Files = Mapping[str, bytes]  #: path → content


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: str  #: the name alone
    message: str


@dataclass(slots=True)
class Objects:
    """The objects of one repository on disk; what was read or written once is remembered."""

    path: Path
    _known: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)

    def ref(self, branch: str) -> str:
        """Where a branch points to; empty: there is none."""
        try:
            return (self.path / "refs/heads" / branch).read_text().strip()
        except OSError:
            return ""

    def refs(self) -> dict[str, str]:
        """Every branch and its commit."""
        root = self.path / "refs/heads"
        found = (file for file in root.rglob("*") if file.is_file())
        return {str(file.relative_to(root)): file.read_text().strip() for file in found}

    def point(self, branch: str, sha: str) -> None:
        """Move a branch."""
        file = self.path / "refs/heads" / branch
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{sha}\n")

    def commit(self, sha: str) -> Commit:
        _, data = self.read(sha)
        head, _, message = data.partition(b"\n\n")
        lines = [
            line.split(b" ", 1) for line in head.decode("utf-8", "replace").encode().split(b"\n")
        ]
        tree = next(value for key, value in lines if key == b"tree")
        parents = [value.decode() for key, value in lines if key == b"parent"]
        author = next(value for key, value in lines if key == b"author").partition(b" <")[0]
        return Commit(
            sha=sha,
            tree=tree.decode(),
            parents=tuple(parents),
            author=author.decode(),
            message=message.decode(),
        )

    def ancestors(self, sha: str) -> Iterable[str]:
        """A commit and everything before it."""
        seen, waiting = set(), [sha]
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                yield one
                waiting += self.commit(one).parents

    def files(self, tree: str, under: str = "") -> dict[str, bytes]:
        """Every file of a tree."""
        _, data = self.read(tree)
        found: dict[str, bytes] = {}
        while data:
            head, _, rest = data.partition(b"\0")
            mode, _, name = head.partition(b" ")
            sha, data = rest[:20].hex(), rest[20:]
            path = f"{under}{name.decode()}"
            if mode == FOLDER:
                found |= self.files(sha, f"{path}/")
            else:
                found[path] = self.read(sha)[1]
        return found

    def write_files(self, files: Files) -> str:
        """Store a tree; its SHA."""
        entries: list[tuple[bytes, bytes, str]] = []
        folders: dict[str, dict[str, bytes]] = {}
        for path, content in files.items():
            name, _, rest = path.partition("/")
            if rest:
                folders.setdefault(name, {})[rest] = content
            else:
                entries.append((name.encode(), FILE, self.write(b"blob", content)))
        for name, inside in folders.items():
            entries.append((name.encode(), FOLDER, self.write_files(inside)))
        entries.sort(key=lambda entry: entry[0] + (b"/" if entry[1] == FOLDER else b""))
        data = b"".join(
            mode + b" " + name + b"\0" + bytes.fromhex(sha) for name, mode, sha in entries
        )
        return self.write(b"tree", data)

    def write_commit(self, tree: str, parents: Iterable[str], message: str, by: str) -> str:
        """Store a commit; `by` is name, address, time and zone as git writes them."""
        lines = [f"tree {tree}", *(f"parent {one}" for one in parents)]
        lines += [f"author {by}", f"committer {by}", "", message]
        return self.write(b"commit", "\n".join(lines).encode("utf-8", "replace"))

    def read(self, sha: str) -> tuple[bytes, bytes]:
        """Kind and content of an object. Raises KeyError where it is not there."""
        if sha not in self._known:
            try:
                raw = zlib.decompress(self._file(sha).read_bytes())
            except OSError as error:
                raise KeyError(sha) from error
            head, _, data = raw.partition(b"\0")
            self._known[sha] = head.split(b" ")[0], data
        return self._known[sha]

    def write(self, kind: bytes, data: bytes) -> str:
        """Store an object; its SHA."""
        raw = kind + b" " + str(len(data)).encode() + b"\0" + data
        sha = hashlib.sha1(raw).hexdigest()
        file = self._file(sha)
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(raw, 1))
        self._known[sha] = kind, data
        return sha

    def _file(self, sha: str) -> Path:
        return self.path / "objects" / sha[:2] / sha[2:]
