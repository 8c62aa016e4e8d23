"""Foreign text made harmless before we say it.

Titles, bodies, findings, logs and names come from people and models. Posted by us they must not
call anybody (`@x`), link or close anything (`#1`, `GH-1`, an issue's address), command us
(`/chimera`), keep CI from running (`[skip ci]` in a commit's message), load an image, hide text,
or break the Markdown around them. What is invisible is removed; what GitHub would act on gets a
zero-width space inside, which changes its meaning and not its look; secrets are blanked. Every
pattern scans once, without backtracking.
"""

import re

from bot.log import mask

ELLIPSIS = "…"
BREAK = "\u200b"  #: between a sign and what follows it, so that GitHub sees no reference

# Control, zero-width, bidi, variation selectors, tags, fillers: nothing that a reader sees.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
# A sign that GitHub acts on, when the next character completes it. What skips CI:
# https://docs.github.com/en/actions/how-tos/manage-workflow-runs/skip-workflow-runs
_LIVE = re.compile(
    r"@(?=\w)|#(?=\d)|GH-(?=\d)|/(?=chimera)|!(?=\[)|/(?:issues|pull|discussions)/(?=\d)"
    r"|\[(?=(?:skip ci|ci skip|no ci|skip actions|actions skip)\])|skip-checks(?=: ?true)",
    re.IGNORECASE,
)
_CELL = re.compile(r"[\\`|*_~\[\]]")
BAR = r"\|"  #: GitHub's tables take this for a bar in code, too
_SPACES = re.compile(r"\s+")
_TICKS = re.compile("`+")
_SLACK = 8192  #: kept beyond the limit while blanking, so that no cut halves a secret


def neutralise(text: str, limit: int) -> str:
    """Foreign Markdown that shows as its author meant it and does nothing; ≤ `limit` characters."""
    shown = clip(_visible(text, limit), limit).replace("&", "&amp;").replace("<", "&lt;")
    return clip(_inert(shown), limit)


def plain(text: str, limit: int) -> str:
    """One line without markup, for titles, commit subjects and descriptions; ≤ `limit`."""
    return clip(_inert(_one_line(text, limit)), limit)


def cell(text: str, limit: int) -> str:
    """One line for a table, a list or the middle of a sentence; its only markup is `code`.

    `limit` counts what is shown. Where the backticks do not pair one by one, they are shown, too.
    """
    parts = clip(_one_line(text, limit), limit).split("`")
    if len(parts) % 2 == 0 or "" in parts[1:-1]:
        return _shown_as_typed("`".join(parts))
    return "".join(_code(part) if n % 2 else _shown_as_typed(part) for n, part in enumerate(parts))


def harmless(text: str, limit: int) -> str:
    """Markdown by the repository's own people (a template): all markup stays, nobody is called."""
    return clip(_inert(clip(_visible(text, limit), limit)), limit)


def quoted(text: str, limit: int) -> str:
    """A block quote: a fence or a tag left open in it ends with it. `limit` is before quoting."""
    lines = neutralise(text, limit).split("\n")
    return "\n".join(f"> {line}".rstrip() for line in lines)


def fenced(text: str, limit: int, language: str = "text") -> str:
    """A code block of the end of a log, with a fence longer than any inside."""
    shown = _inert(clip_start(_visible(text[-(limit + _SLACK) :], limit), limit)).strip("\n")
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def clip(text: str, limit: int) -> str:
    """At most `limit` characters; an ellipsis tells that something is missing."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + ELLIPSIS[:limit]


def clip_start(text: str, limit: int) -> str:
    """The last `limit` characters; an ellipsis tells that something is missing."""
    return text if len(text) <= limit else ELLIPSIS + text[len(text) - limit + 1 :]


def _visible(text: str, limit: int) -> str:
    head = text[: limit + 2 * _SLACK].replace("\r\n", "\n").replace("\r", "\n")
    return mask(_SURROGATE.sub("\ufffd", _INVISIBLE.sub("", head)))


def _shown_as_typed(text: str) -> str:
    escaped = _CELL.sub(r"\\\g<0>", text)
    return _inert(escaped.replace("&", "&amp;").replace("<", "&lt;"))


def _code(text: str) -> str:
    """A code span: only a table's bar would end it."""
    return f"`{_inert(text).replace('|', BAR)}`"


def _one_line(text: str, limit: int) -> str:
    return _SPACES.sub(" ", _visible(text, limit)).strip()


def _inert(text: str) -> str:
    return _LIVE.sub(rf"\g<0>{BREAK}", text)
