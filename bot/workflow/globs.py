"""Path patterns as people know them from .gitignore, without the negation.

A leading `!` has no meaning here: a list that protects may not hold its own exceptions.
"""

import re
from collections.abc import Iterable
from functools import lru_cache


def matches_any(path: str, patterns: Iterable[str]) -> str | None:
    """The first pattern that covers `path` (relative, POSIX), or None."""
    return next((p for p in patterns if _compiled(p).fullmatch(path)), None)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """https://git-scm.com/docs/gitignore#_pattern_format; a folder covers all that is in it."""
    wanted = pattern.strip().rstrip("/")
    anchored = "/" in wanted
    parts = [part for part in wanted.lstrip("/").split("/") if part]
    head = "" if anchored else "(?:[^/]+/)*"
    return re.compile(head + _joined(parts) + "(?:/.*)?", re.DOTALL)


def _joined(parts: list[str]) -> str:
    if not parts:
        return "(?!)"  # an empty pattern covers nothing
    *folders, last = parts
    front = "".join("(?:[^/]+/)*" if f == "**" else _segment(f) + "/" for f in folders)
    return front + (".+" if last == "**" else _segment(last))


def _segment(text: str) -> str:
    """One path segment: `*`, `?` and `[…]` never reach over a slash."""
    out, i = "", 0
    while i < len(text):
        end = text.find("]", i + 2) if text[i] == "[" else -1
        if end > 0:
            out += _bracket(text[i + 1 : end])
            i = end
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(text[i], re.escape(text[i]))
        i += 1
    return re.sub(r"(?:\[\^/\]\*)+", lambda _: "[^/]*", out)


def _bracket(inner: str) -> str:
    negated = inner[:1] in ("!", "^")
    members = inner[1:] if negated else inner
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
    try:
        re.compile(f"[{escaped}]")
    except re.error:  # a range that runs backwards stands for its characters
        escaped = re.escape(members)
    return f"(?![/])[{'^' if negated else ''}{escaped}]"
