"""What a repository tells whoever works on it: the `AGENTS.md` files of a commit.

A guide holds for its folder and all below, and for a file the nearest one above it counts
(https://agents.md). They are read from the base, never from a work tree: what an agent or a pull
request wrote does not tell the next agent what to do.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from bot.errors import BadOutput
from bot.workflow.workspace import Workspace

NAME = "AGENTS.md"
MAX_CHARS = 40_000  #: of all guides in one prompt
MAX_READ = 20  #: files
MAX_LISTED = 50  #: of those that have no room, by name


async def guides_for(workspace: Workspace, sha: str, paths: Sequence[str]) -> str:
    """The guides of commit `sha` for work on `paths`, in one text; empty where there are none."""
    found = in_order(await workspace.paths(sha), paths)
    parts, left_out, room = list[str](), list[str](), MAX_CHARS
    for n, path in enumerate(found):
        text = await _text(workspace, sha, path) if n < MAX_READ and room > 0 else None
        if text is None:
            left_out.append(path)
            continue
        parts.append(_told(path, text, room))
        room -= len(text)
    return "\n\n".join([*parts, *_named(left_out)])


def in_order(files: Iterable[str], paths: Sequence[str]) -> list[str]:
    """The guides among `files`: what holds for `paths`, the nearest first, then the others."""
    guides = [path for path in files if PurePosixPath(path).name == NAME and path.isprintable()]
    above = {str(folder) for path in paths for folder in PurePosixPath(path.rstrip("/")).parents}
    above |= {str(PurePosixPath(path)) for path in paths} | {"."}
    return sorted(guides, key=lambda guide: _rank(PurePosixPath(guide), above))


def _rank(guide: PurePosixPath, above: set[str]) -> tuple[bool, int, str]:
    depth, concerned = len(guide.parts), str(guide.parent) in above
    return not concerned, -depth if concerned else depth, str(guide)


async def _text(workspace: Workspace, sha: str, path: str) -> str | None:
    try:
        content = await workspace.read(sha, path)
    except BadOutput:  # larger than any file that is read out of history
        return None
    return content.decode("utf-8", "replace").strip() if content else None


def _told(path: str, text: str, room: int) -> str:
    folder = str(PurePosixPath(path).parent)
    where = "everywhere" if folder == "." else f"in {folder}/ and below"
    cut = text if len(text) <= room else f"{text[:room]}\n… and more: read the file"
    return f"{path} (holds {where}):\n{cut}"


def _named(paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    more = f" and {len(paths) - MAX_LISTED} more" if len(paths) > MAX_LISTED else ""
    return [f"Read before you change files there: {', '.join(paths[:MAX_LISTED])}{more}"]
