"""What changed between two commits, as data."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PATCH = 4 * 1024 * 1024  #: bytes of a patch that are kept

DELETED = "000000"
SYMLINK = "120000"
SUBMODULE = "160000"

# Nothing that a repository's attributes name is run, and a rename is a removal and an addition.
PLAIN = ("--no-ext-diff", "--no-textconv", "--no-renames", "--no-color")
LISTED = ("--raw", "--no-abbrev", "--numstat", "-z")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffFile:
    """One file of a diff."""

    path: str
    status: str  #: A added, M modified, D deleted, T another type
    mode: str  #: the new one, octal; DELETED for a deleted file
    old_mode: str
    added: int  #: lines; 0 for a binary file
    removed: int
    binary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    patch: str
    truncated: bool  #: the patch was cut at MAX_PATCH
    files: tuple[DiffFile, ...]


def parse(listed: bytes, patch: bytes) -> Diff:
    """From the output of `git diff` with PLAIN and LISTED, and with PLAIN alone."""
    return Diff(
        patch=patch[:MAX_PATCH].decode("utf-8", "replace"),
        truncated=len(patch) > MAX_PATCH,
        files=tuple(_files([os.fsdecode(part) for part in listed.split(b"\0") if part])),
    )


def _files(parts: list[str]) -> Iterator[DiffFile]:
    """First `:old new sha sha status` and a path for each file, then `added removed path`."""
    raw = dict(_raw(parts))
    for added, removed, path in (line.split("\t", 2) for line in parts[2 * len(raw) :]):
        old_mode, mode, status = raw[path]
        binary = added == "-"
        yield DiffFile(
            path=path,
            status=status,
            mode=mode,
            old_mode=old_mode,
            added=0 if binary else int(added),
            removed=0 if binary else int(removed),
            binary=binary,
        )


def _raw(parts: list[str]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    for n in range(0, len(parts), 2):
        if not parts[n].startswith(":"):
            return
        old_mode, mode, _, _, status = parts[n][1:].split(" ")
        yield parts[n + 1], (old_mode, mode, status[:1])
