"""The pages as a reader meets them: their links, their anchors, their code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.blocks import DOCS, ROOT

_FENCE = re.compile(r"^ *```(?P<language>\w*)\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
#: Pages of the repository's front, besides those of `docs`.
FRONT = ("README.md", "CHANGELOG.md", ".github/CONTRIBUTING.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A block of code on a page."""

    language: str
    code: str


def pages() -> list[Path]:
    """Every page that people read."""
    return [*(ROOT / name for name in FRONT), *sorted(DOCS.rglob("*.md"))]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def fences(page: Path, language: str = "") -> list[Fence]:
    """The page's blocks of code, of one language or of all."""
    found = (Fence(language=m["language"], code=m["code"]) for m in _FENCE.finditer(text_of(page)))
    return [fence for fence in found if language in ("", fence.language)]


def code_of(page: Path) -> Iterator[str]:
    """Every line of a block of code, and every piece of code within the text."""
    for fence in fences(page):
        yield from fence.code.splitlines()
    yield from spans(page)


def spans(page: Path) -> list[str]:
    """Every piece of code within the text."""
    return [match[1] for match in _SPAN.finditer(prose_of(page))]


def prose_of(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", text_of(page))


def links(page: Path) -> list[str]:
    """Every target of a link or image, blocks of code apart."""
    return [match["target"] for match in _LINK.finditer(prose_of(page))]


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    return {_slug(match["text"]) for match in _HEADING.finditer(prose_of(page))}


def _slug(heading: str) -> str:
    """https://github.com/gjtorikian/html-pipeline/blob/v2.14.3/lib/html/pipeline/toc_filter.rb"""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
