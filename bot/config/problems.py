"""What is wrong in a chimera.yml, in words: the place, the key, what it must be, what was meant."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from bot.config.choices import Verb
from bot.config.marks import Marked, Path, Place
from bot.config.repo import RepoConfig

_LED = re.compile(r"^(?P<file>.*?):(?P<line>\d+):(?P<column>\d+): (?P<text>.*)$", re.DOTALL)
_KEY = "[key]"  # how pydantic marks the key of a mapping, where the key is what is wrong


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """Something wrong in a file, for a message or an annotation."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"

    @classmethod
    def parse(cls, text: str) -> "Problem":
        """The problem behind a `file:line:column: text`."""
        found = _LED.match(text)
        if found is None:
            return cls(place=Place(file=""), text=text)
        place = Place(file=found["file"], line=int(found["line"]), column=int(found["column"]))
        return cls(place=place, text=found["text"])


def problem_of(layer: Marked, detail: ErrorDetails) -> Problem:
    """One of pydantic's errors, at the place where the file has it."""
    path: Path = tuple(part for part in detail["loc"] if part != _KEY)
    if detail["type"] == "extra_forbidden":
        text = f"unknown key {path[-1]!r}.{_meant(str(path[-1]), _keys_at(path[:-1]))}"
    elif detail["loc"][-1:] == (_KEY,):
        text = f"unknown command {path[-1]!r}.{_meant(str(path[-1]), tuple(Verb))}"
    else:
        text = f"{'.'.join(str(part) for part in path)} {_needed(detail)}"
    return Problem(place=layer.place(path), text=text)


def _needed(detail: ErrorDetails) -> str:
    given = detail.get("input")
    hint = _meant(given, _members(detail)) if isinstance(given, str) else ""
    text = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    text = text.replace("must be a valid integer", "must be a whole number")
    needed = text if text.startswith("must") else f"is wrong: {text[:1].lower()}{text[1:]}"
    return f"{needed}, not {_short(given)}.{hint}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _members(detail: ErrorDetails) -> tuple[str, ...]:
    """The members of an enum, which pydantic names in its message."""
    if detail["type"] != "enum":
        return ()
    return tuple(re.findall(r"'([^']+)'", str(detail.get("ctx", {}).get("expected", ""))))


def _meant(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(word[:100], names, n=1, cutoff=0.5)
    if near:
        return f" Did you mean {str(near[0])!r}?"
    return f" Known here: {', '.join(names)}." if names else ""


def _keys_at(path: Path) -> list[str]:
    """The keys that a section of the model has, as they are written."""
    section: type[BaseModel] = RepoConfig
    for part in path:
        named = {f.alias or n: f.annotation for n, f in section.model_fields.items()}
        inner = named.get(str(part))
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        section = inner
    return [f.alias or name for name, f in section.model_fields.items()]
