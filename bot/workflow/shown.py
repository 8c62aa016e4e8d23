"""Which lines a diff shows: GitHub places review comments on those and refuses all others.

https://docs.github.com/en/rest/pulls/reviews#create-a-review-for-a-pull-request
"""

import re
from collections import defaultdict

from bot.agents.replies import DiffLines, Side

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


def shown_lines(patch: str) -> DiffLines:
    """The lines of every file's both sides in a patch as `git diff` prints it."""
    found: dict[tuple[str, Side], set[int]] = defaultdict(set)
    old = new = 0
    left = right = ""
    for line in patch.splitlines():
        if hunk := _HUNK.match(line):
            old, new = int(hunk[1]), int(hunk[2])
        elif line.startswith("diff --git "):
            old = new = 0
            left = right = ""
        elif not old and not new:
            left = _name(line, "--- ", "a/") or left
            right = _name(line, "+++ ", "b/") or right
        elif line.startswith("-"):
            found[left, Side.LEFT].add(old)
            old += 1
        elif line.startswith("+"):
            found[right, Side.RIGHT].add(new)
            new += 1
        elif line.startswith(" "):
            found[left, Side.LEFT].add(old)
            found[right, Side.RIGHT].add(new)
            old, new = old + 1, new + 1
    return {place: frozenset(lines) for place, lines in found.items()}


def _name(line: str, mark: str, side: str) -> str:
    """The path of a `---` or `+++` line; git quotes none of the names that reviews can carry."""
    if not line.startswith(mark):
        return ""
    return line.removeprefix(mark).rstrip("\t").removeprefix(side)
