"""What a word that is not known was probably meant to be, for the end of an error's text."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from pydantic_core import ErrorDetails

ALIKE = 0.5  #: of 1: `lod` is near enough to `load`, and `requird` to `required`
MAX_WORD = 100  #: characters that are compared; the work grows with their square
MAX_NAMED = 20  #: names that a text may list
KEY = "[key]"  #: how pydantic marks the key of a mapping, where the key is what is wrong


def meant(word: str, known: Iterable[str]) -> str:
    """The name that is nearest, else all of them where they are few, else nothing."""
    names = list(known)
    if near := nearest(word, names):
        return f" Did you mean {near!r}?"
    return f" Known here: {', '.join(names)}." if 0 < len(names) <= MAX_NAMED else ""


def nearest(word: str, known: Iterable[str], *, alike: float = ALIKE) -> str:
    """The known name that looks most like `word`; empty where none does."""
    near = get_close_matches(word[:MAX_WORD], list(known), n=1, cutoff=alike)
    return str(near[0]) if near else ""


def members(detail: ErrorDetails) -> list[str]:
    """The members of the enum that a value is none of, which pydantic names in words alone.

    https://docs.pydantic.dev/latest/errors/validation_errors/#enum
    """
    return re.findall(r"'([^']+)'", str(detail.get("ctx", {}).get("expected", "")))
