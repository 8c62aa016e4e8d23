"""Generated parts of pages: between two comments, written by code, compared by a test."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_BLOCK = re.compile(
    r"(?P<open><!-- generated: (?P<name>[a-z-]+) -->\n).*?(?P<close><!-- end: (?P=name) -->)",
    re.DOTALL,
)


def names(page: str) -> list[str]:
    """The blocks of a page, in order."""
    return [match["name"] for match in _BLOCK.finditer(page)]


def filled(page: str, texts: Mapping[str, str]) -> str:
    """The page with each block's text as it should be. Raises KeyError for an unknown block."""

    def fill(match: re.Match[str]) -> str:
        return f"{match['open']}\n{texts[match['name']].strip()}\n\n{match['close']}"

    return _BLOCK.sub(fill, page)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def code(text: str) -> str:
    """The text as code; nothing stays nothing."""
    return f"`{text}`" if text else ""


def fenced(text: str, language: str = "text") -> str:
    """The text as a block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
