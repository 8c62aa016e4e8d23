"""Reading JSON that others wrote: what is missing, null or of another type reads as empty.

Deliveries and answers gain, lose and null fields without notice. A reader says what it wants and
gets that type, always; whether an empty value is bearable is decided where its meaning is known.
"""

from collections.abc import Iterator
from typing import Any

from bot.github import names

MAX_TEXT = 70_000  #: characters; GitHub's longest text, a body, has 65,536
MAX_ITEMS = 5_000


class Fields:
    """One JSON object, or nothing.

    Every delivery is read through some thirty of these calls, so they are short: what a parser
    has made is a `dict`, `str` or `int` itself and never a subclass.
    """

    __slots__ = ("_members", "raw")

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self._members: dict[str, Any] = raw if type(raw) is dict else {}

    def __bool__(self) -> bool:
        return bool(self._members)

    def __getitem__(self, name: str) -> "Fields":
        """The object under this name; one without members where there is none."""
        return Fields(self._members.get(name))

    def has(self, name: str) -> bool:
        return self._members.get(name) is not None

    def text(self, name: str, *, limit: int = MAX_TEXT) -> str:
        """The text in full Unicode without NUL, cut at the limit; else empty."""
        value = self._members.get(name)
        if type(value) is not str:
            return ""
        cut = value if len(value) <= limit else value[:limit]
        return cut if cut.isascii() and "\0" not in cut else clean(cut)

    def number(self, name: str) -> int:
        """A whole number that could be an id; else 0."""
        value = self._members.get(name)
        return value if type(value) is int and 0 <= value <= names.MAX_ID else 0

    def flag(self, name: str) -> bool:
        return self._members.get(name) is True

    def items(self, name: str) -> Iterator["Fields"]:
        """The objects of a list."""
        return Fields(self._members.get(name)).each()

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a list."""
        value = self._members.get(name)
        found = value[:MAX_ITEMS] if isinstance(value, list) else []
        return tuple(clean(item[:MAX_TEXT]) for item in found if isinstance(item, str))

    def each(self) -> Iterator["Fields"]:
        """The objects, where this is itself a list."""
        found = self.raw[:MAX_ITEMS] if isinstance(self.raw, list) else []
        return (Fields(item) for item in found if isinstance(item, dict))


def clean(text: str) -> str:
    """Text that every store and encoder accepts: lone surrogates and NUL become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\ufffd")
