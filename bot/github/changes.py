"""What an agent changed, read from its checkout as data: paths, modes and bytes.

The checkout is hostile: a link may point out of it, a nested repository may bring configuration
that runs programs. So nothing here follows a link, and what is not a plain file is refused by name.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.errors import BadOutput
from bot.github import names

MAX_FILES = 1_000  #: changed ones
MAX_FILE = 16 * 1024 * 1024  #: bytes of one
MAX_ALL = 64 * 1024 * 1024  #: bytes of all
MAX_ENTRIES = 500_000  #: of the whole checkout

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}

PLAIN, EXECUTABLE = "100644", "100755"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A file that was written, or removed (`content` is None)."""

    path: str
    executable: bool = False
    content: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """Something that may not become part of a commit, and what it is."""

    path: str
    what: str  #: symlink, submodule, nested repository, special file, escape, too large


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything that differs from the commit the agent started from."""

    files: tuple[Change, ...] = ()
    odd: tuple[Oddity, ...] = ()

    def check(self) -> None:
        """Raise BadOutput, with the paths, where anything may not be committed."""
        if self.odd:
            named = ", ".join(f"{one.path[:200]} ({one.what})" for one in self.odd[:10])
            raise BadOutput(f"refused in the change: {named}")


def nested_repositories(root: Path) -> list[Oddity]:
    """Every `.git` below the top one, in any case of letters. Follows no link.

    Raises BadOutput where there are more than MAX_ENTRIES entries.
    """
    found: list[Oddity] = []
    for seen, inside in enumerate(_walk(root)):
        if seen > MAX_ENTRIES:
            raise BadOutput(f"the checkout has more than {MAX_ENTRIES} entries")
        if os.path.basename(inside).lower() == ".git" and inside != ".git":
            found.append(Oddity(path=_shown(inside), what="nested repository"))
    return found


def read_changes(root: Path, paths: list[str]) -> Changes:
    """The present content of these paths, each read without following a link."""
    if len(paths) > MAX_FILES:
        raise BadOutput(f"{len(paths)} files changed; at most {MAX_FILES} are taken")
    files: list[Change] = []
    odd: list[Oddity] = []
    total = 0
    for path in paths:
        one = _read_one(root, path)
        if isinstance(one, Oddity):
            odd.append(one)
            continue
        files.append(one)
        total += len(one.content or b"")
        if total > MAX_ALL:
            raise BadOutput(f"the change has more than {MAX_ALL} bytes")
    return Changes(files=tuple(files), odd=tuple(odd))


def write_changes(root: Path, changes: Changes) -> None:
    """Bring the changes into a clone of ours. Raises BadOutput for what may not be committed."""
    changes.check()
    for change in sorted(changes.files, key=lambda one: one.content is not None):
        _write_one(root, change)  # removals first: a file may have become a directory


def _read_one(root: Path, path: str) -> Change | Oddity:
    if not names.is_path(path):
        return Oddity(path=_shown(path), what="escape")
    try:
        folder = _folder(root, path)
    except FileNotFoundError:
        return Change(path=path)
    except OSError:  # a link, or no directory, on the way
        return Change(path=path) if not _through_link(root, path) else _odd(path, "symlink")
    try:
        return _read_at(folder, path)
    finally:
        os.close(folder)


def _read_at(folder: int, path: str) -> Change | Oddity:
    name = path.rpartition("/")[2]
    try:
        kind = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return Change(path=path)
    if stat.S_ISDIR(kind.st_mode):
        return Change(path=path)  # a file gave way to a directory, whose files come by themselves
    if not stat.S_ISREG(kind.st_mode):
        return _odd(path, "symlink" if stat.S_ISLNK(kind.st_mode) else "special file")
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(handle, "rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        return _odd(path, f"larger than {MAX_FILE} bytes")
    return Change(path=path, executable=bool(kind.st_mode & stat.S_IXUSR), content=content)


def _write_one(root: Path, change: Change) -> None:
    target = root / names.path(change.path)
    if change.content is None:
        if target.is_symlink() or target.is_file():
            target.unlink()
            _prune(target.parent, root)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = _folder(root, change.path)  # refuses a tracked link on the way
    try:
        name = target.name
        if target.is_symlink():
            os.unlink(name, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        handle = os.open(name, flags, 0o644, dir_fd=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(change.content)
            os.fchmod(file.fileno(), 0o755 if change.executable else 0o644)
    finally:
        os.close(folder)


def _prune(folder: Path, root: Path) -> None:
    """Remove directories that became empty, as git does."""
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _folder(root: Path, path: str) -> int:
    """The directory of a path, opened one level after the other without following a link."""
    folder = os.open(root, _FOLDER)
    for part in path.split("/")[:-1]:
        try:
            deeper = os.open(part, _FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = deeper
    return folder


def _through_link(root: Path, path: str) -> bool:
    parts = path.split("/")[:-1]
    return any((root / "/".join(parts[: n + 1])).is_symlink() for n in range(len(parts)))


def _walk(root: Path) -> Iterator[str]:
    """Every entry below the top, but for what is in the top's own `.git`, by its path in it.

    A folder that has gone, or has become a link, since its name was read is passed over.
    """
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            opened = os.open(root / folder, _FOLDER)
        except OSError as error:
            if folder and error.errno in _GONE:
                continue
            raise BadOutput(f"the checkout's {_shown(folder)[:200]}: {error.strerror}") from error
        try:
            with os.scandir(opened) as entries:
                for entry in entries:
                    inside = os.path.join(folder, entry.name)
                    yield inside
                    if entry.is_dir(follow_symlinks=False) and inside != ".git":
                        waiting.append(inside)
        finally:
            os.close(opened)


def _odd(path: str, what: str) -> Oddity:
    return Oddity(path=_shown(path), what=what)


def _shown(path: str) -> str:
    return path.encode("utf-8", "replace").decode()
