"""The machine gates: what no reviewer has to be asked about.

Pure over data: a change is a list of files with their old and new bytes, and every gate looks
at all of them. `GATES` says which gates there are; a blocker sends the work back by name.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.facts import FrozenFile
from bot.workflow.dependencies import is_lock, new_dependencies
from bot.workflow.globs import matches_any
from bot.workflow.secrets import find_secrets
from bot.workflow.weakening import TestFile, find_weakening

SYMLINK = 0o120000
SUBMODULE = 0o160000
BINARY_SNIFF = 8000  #: git looks at as many bytes for a NUL
MAX_NAMED = 20  #: findings of one gate that are worth reading

#: What coding agents read as orders, hooks or tools of their own, in any folder. An agent that
#: could write these would speak to the one after it, the reviewer among them, as the project does.
AGENT_FILES = (
    *("AGENTS.md", "AGENTS.override.md", "CLAUDE.md", "CLAUDE.local.md", "GEMINI.md", "QWEN.md"),
    *(".mcp.json", "opencode.json", "opencode.jsonc", ".cursorrules"),
    *(
        f"**/{folder}/**"
        for folder in (".claude", ".codex", ".gemini", ".qwen", ".opencode", ".agents", ".cursor")
    ),
)


class Status(StrEnum):
    """What happened to a file, in git's letters."""

    ADDED = "A"
    MODIFIED = "M"
    DELETED = "D"
    TYPE_CHANGED = "T"  #: a file became a link or a submodule, or the other way round


class Gate(StrEnum):
    """The names under which a change is refused."""

    LIMITS = "diff limits"
    PATHS = "path safety"
    LINKS = "links and submodules"
    PROTECTED = "protected paths"
    FREEZE = "test freeze"
    WEAKENING = "weakened tests"
    SECRETS = "secrets"
    DEPENDENCIES = "new dependencies"
    BINARY = "binary files"
    SCOPE = "allowed folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file of a change. `old` is None where it is new, `new` where it is gone."""

    path: str
    status: Status
    mode: int = 0o100644  #: git's, of the new side
    old: bytes | None = None
    new: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What a repository allows. The defaults are those of the configuration."""

    max_files: int = 100
    max_patch_kb: int = 4096
    max_file_kb: int = 1024
    protected: Sequence[str] = ()
    frozen: Sequence[FrozenFile] = ()  #: the accepted tests
    test_commands: Sequence[str] = ()
    refuse_dependencies: bool = False  #: else a new one is only told
    weakening_allowed_by: str = ""  #: the person (and how) who allows changes to other tests


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFinding:
    """Why a gate stopped, or what it wants to be seen. Line 0: the file as a whole."""

    gate: Gate
    path: str
    line: int = 0
    text: str
    blocker: bool = True


def check_change(changes: Sequence[Change], *, rules: GateRules) -> list[GateFinding]:
    """Everything that the gates have to say, gate by gate in the order of `GATES`."""
    return [f for gate, look in GATES.items() for f in _bounded(gate, look(changes, rules))]


def blocks(findings: Sequence[GateFinding]) -> bool:
    """Whether the change may not go on."""
    return any(finding.blocker for finding in findings)


def only_under(changes: Sequence[Change], folder: str) -> list[GateFinding]:
    """What lies outside the one folder that an agent may write to."""
    root = folder.strip("/") + "/"
    return [
        GateFinding(gate=Gate.SCOPE, path=c.path, text=f"only files under {root} may be written")
        for c in changes
        if not c.path.startswith(root)
    ]


def freeze(path: str, content: bytes) -> FrozenFile:
    """An accepted test file, as the test freeze will remember it."""
    return FrozenFile(path=path, sha256=hashlib.sha256(content).hexdigest())


def added_lines(change: Change) -> list[tuple[int, str]]:
    """Lines of the new side, numbered, that the old side does not have as often; linear time."""
    left = Counter(_text(change.old).splitlines())
    added = []
    for number, line in enumerate(_text(change.new).splitlines(), start=1):
        if left[line] > 0:
            left[line] -= 1
        else:
            added.append((number, line))
    return added


# ── the gates ────────────────────────────────────────────────────────────────────────────────


def _limits(changes: Sequence[Change], rules: GateRules) -> Iterator[GateFinding]:
    if len(changes) > rules.max_files:
        yield GateFinding(
            gate=Gate.LIMITS,
            path="",
            text=f"{len(changes)} files are changed; at most {rules.max_files} are allowed",
        )
    patch_kb = sum(_patch_bytes(c) for c in changes) / 1024
    if patch_kb > rules.max_patch_kb:
        yield GateFinding(
            gate=Gate.LIMITS,
            path="",
            text=f"the patch has {patch_kb:.0f} KiB; at most {rules.max_patch_kb} are allowed",
        )
    for change in changes:
        if change.new is not None and len(change.new) > rules.max_file_kb * 1024:
            yield GateFinding(
                gate=Gate.LIMITS,
                path=change.path,
                text=f"the file has {len(change.new) // 1024} KiB; at most {rules.max_file_kb}",
            )


def _paths(changes: Sequence[Change], _rules: GateRules) -> Iterator[GateFinding]:
    for change in changes:
        reason = _unsafe(change.path)
        if reason is not None:
            yield GateFinding(gate=Gate.PATHS, path=change.path, text=reason)


def _links(changes: Sequence[Change], _rules: GateRules) -> Iterator[GateFinding]:
    for change in changes:
        kind = change.mode & 0o170000
        if change.status is Status.DELETED:
            continue
        if kind == SYMLINK:
            target = _text(change.new)[:100]
            yield GateFinding(
                gate=Gate.LINKS, path=change.path, text=f"a symbolic link, to {target!r}"
            )
        elif kind == SUBMODULE or change.path == ".gitmodules":
            yield GateFinding(gate=Gate.LINKS, path=change.path, text="a submodule")


def _protected(changes: Sequence[Change], rules: GateRules) -> Iterator[GateFinding]:
    for change in changes:
        if (pattern := matches_any(change.path, rules.protected)) is not None:
            yield GateFinding(
                gate=Gate.PROTECTED,
                path=change.path,
                text=f"protected by {pattern!r} in the repository's configuration",
            )
        elif matches_any(change.path, AGENT_FILES) is not None:
            yield GateFinding(
                gate=Gate.PROTECTED,
                path=change.path,
                text="this tells coding agents what to do, and is for people to write",
            )


def _frozen(changes: Sequence[Change], rules: GateRules) -> Iterator[GateFinding]:
    accepted = {f.path: f.sha256 for f in rules.frozen}
    for change in changes:
        if change.path not in accepted:
            continue
        if change.status is Status.DELETED or change.new is None:
            yield GateFinding(
                gate=Gate.FREEZE, path=change.path, text="an accepted test was deleted"
            )
        elif freeze(change.path, change.new).sha256 != accepted[change.path]:
            yield GateFinding(
                gate=Gate.FREEZE, path=change.path, text="an accepted test was edited"
            )


def _weakened(changes: Sequence[Change], rules: GateRules) -> Iterator[GateFinding]:
    frozen = {f.path for f in rules.frozen}
    files = [
        TestFile(path=c.path, old=_maybe_text(c.old), new=_maybe_text(c.new))
        for c in changes
        if c.path not in frozen
    ]
    allowed = rules.weakening_allowed_by
    for found in find_weakening(files, rules.test_commands):
        yield GateFinding(
            gate=Gate.WEAKENING,
            path=found.path,
            line=found.line,
            text=f"{found.text} (allowed by {allowed})" if allowed else found.text,
            blocker=found.certain and not allowed,
        )


def _secrets(changes: Sequence[Change], _rules: GateRules) -> Iterator[GateFinding]:
    for change in changes:
        if is_lock(change.path):
            continue
        for secret in find_secrets(added_lines(change)):
            yield GateFinding(
                gate=Gate.SECRETS,
                path=change.path,
                line=secret.line,
                text=f"looks like a secret, {secret.kind}: {secret.shown}",
            )


def _dependencies(changes: Sequence[Change], rules: GateRules) -> Iterator[GateFinding]:
    for change in changes:
        try:
            names = new_dependencies(change.path, _maybe_text(change.old), _maybe_text(change.new))
        except ValueError as error:
            text = f"this list of dependencies cannot be read: {error}"
        else:
            if not names:
                continue
            text = "new dependencies: " + ", ".join(names[:MAX_NAMED])
        yield GateFinding(
            gate=Gate.DEPENDENCIES,
            path=change.path,
            text=text,
            blocker=rules.refuse_dependencies,
        )


def _binary(changes: Sequence[Change], _rules: GateRules) -> Iterator[GateFinding]:
    for change in changes:
        if change.new is not None and b"\0" in change.new[:BINARY_SNIFF]:
            yield GateFinding(
                gate=Gate.BINARY,
                path=change.path,
                text="a binary file: nobody can read what it does",
                blocker=False,
            )


GATES: dict[Gate, Callable[[Sequence[Change], GateRules], Iterator[GateFinding]]] = {
    Gate.LIMITS: _limits,
    Gate.PATHS: _paths,
    Gate.LINKS: _links,
    Gate.PROTECTED: _protected,
    Gate.FREEZE: _frozen,
    Gate.WEAKENING: _weakened,
    Gate.SECRETS: _secrets,
    Gate.DEPENDENCIES: _dependencies,
    Gate.BINARY: _binary,
}


# ── helpers ──────────────────────────────────────────────────────────────────────────────────


def _bounded(gate: Gate, findings: Iterator[GateFinding]) -> list[GateFinding]:
    """Blockers first; what is too much to read is counted."""
    found = sorted(findings, key=lambda f: not f.blocker)
    left = len(found) - MAX_NAMED
    if left <= 0:
        return found
    more = GateFinding(
        gate=gate, path="", text=f"and {left} more", blocker=found[MAX_NAMED].blocker
    )
    return [*found[:MAX_NAMED], more]


def _unsafe(path: str) -> str | None:
    """Git refuses most of these itself; we say which, and before git sees them."""
    if not path or path.startswith("/") or "\\" in path or re.search(r"[\x00-\x1f\x7f]", path):
        return "a path that could leave the checkout, or hides what it is"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "a path that could leave the checkout"
        # https://git-scm.com/docs/git-config#Documentation/git-config.txt-coreprotectHFS
        plain = re.sub(r"[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]", "", part)
        if plain.casefold().rstrip(" .") in (".git", "git~1"):
            return "a repository inside the repository"
    return None


def _patch_bytes(change: Change) -> int:
    back = Change(path=change.path, status=change.status, old=change.new, new=change.old)
    return sum(len(line) for side in (change, back) for _, line in added_lines(side))


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")


def _maybe_text(content: bytes | None) -> str | None:
    return None if content is None else _text(content)
