"""The git of this machine: whether there is one, and whether it is new enough for us."""

import asyncio
import re
import shutil

from bot.errors import GitMissing

#: `merge-tree --write-tree`, and `safe.bareRepository` against planted repositories.
LEAST = (2, 38)
ASKED_S = 10.0
_FIX = f"Install git {LEAST[0]}.{LEAST[1]} or newer, and see that it comes first on PATH."


async def git_program() -> str:
    """What git says of itself: "git version 2.39.5". Raises GitMissing, which names the fix."""
    if shutil.which("git") is None:
        raise GitMissing("git was not found", _FIX)
    process = await asyncio.create_subprocess_exec(
        "git", "--version", stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(ASKED_S):
        said, _ = await process.communicate()
    text = said.decode("utf-8", "replace").strip()
    if git_version(text) < LEAST:
        raise GitMissing(f"{text or 'a git without a version'} is too old", _FIX)
    return text


def git_version(text: str) -> tuple[int, int]:
    """(2, 39) of "git version 2.39.5 (…)"; (0, 0) where it does not say."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found is not None else (0, 0)
