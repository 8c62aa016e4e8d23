"""What the index lists by itself: pages that it does not name by hand."""

import re

from tests.docs.blocks import DOCS, filled, names
from tests.docs.pages import text_of

INDEX = DOCS / "index.md"


def more_pages() -> str:
    """A list of the pages that the index does not link to by hand, by their titles."""
    index = text_of(INDEX)
    by_hand = filled(index, dict.fromkeys(names(index), ""))
    paths = (path.relative_to(DOCS).as_posix() for path in sorted(DOCS.rglob("*.md")))
    unnamed = [path for path in paths if f"({path})" not in by_hand and path != INDEX.name]
    return "\n".join(f"- [{_title(path)}]({path})" for path in unnamed) or "None."


def _title(path: str) -> str:
    """The first heading, without the number that decisions have."""
    heading = re.search(r"^# (?:\d+\. )?(.+)$", text_of(DOCS / path), re.MULTILINE)
    return heading[1] if heading is not None else path
