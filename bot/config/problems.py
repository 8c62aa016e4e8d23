"""What is wrong in a chimera.yml, in words: the place, the key, what it must be, what was meant."""

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from bot.config.choices import Verb
from bot.config.marks import Marked, Path, Place
from bot.config.meant import KEY, meant, members, nearest
from bot.config.repo import RepoConfig
from bot.config.values import IN_WORDS

_LED = re.compile(r"^(?P<file>.*?):(?P<line>\d+):(?P<column>\d+): (?P<text>.*)$", re.DOTALL)


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
    path: Path = tuple(part for part in detail["loc"] if part != KEY)
    if detail["type"] == "extra_forbidden":
        text = f"unknown key {path[-1]!r}.{meant(str(path[-1]), _keys_at(path[:-1]))}"
    elif detail["loc"][-1:] == (KEY,):
        text = f"unknown command {path[-1]!r}.{meant(str(path[-1]), tuple(Verb))}"
    else:
        text = f"{'.'.join(str(part) for part in path)} {_needed(detail)}"
    return Problem(place=layer.place(path), text=text)


def _needed(detail: ErrorDetails) -> str:
    given = detail.get("input")
    near = nearest(given, members(detail)) if isinstance(given, str) else ""
    hint = f" Did you mean {near!r}?" if near else ""
    if given is None:
        return f"is empty: leave it out{_NONE.get(detail['type'], '')}."
    text = _WANTED.get(detail["type"], "") or _said(detail)
    needed = text if text.startswith("must") else f"is wrong: {text[:1].lower()}{text[1:]}"
    return f"{needed}, not {_short(given)}.{hint}"


def _said(detail: ErrorDetails) -> str:
    """Pydantic's own words, or ours where those would be a regular expression."""
    pattern = str(detail.get("ctx", {}).get("pattern", ""))
    said = detail["msg"].removeprefix("Value error, ")
    for theirs in ("Input should be", "String should have"):
        said = said.replace(theirs, f"must {theirs.rpartition(' ')[2]}")
    return IN_WORDS.get(pattern, said)


#: Kinds of values, in the words of YAML instead of Python's.
_WANTED = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text, in quotes",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list such as [one, two]",
    "model_type": "must be a section, with `key: value` lines below it",
    "dict_type": "must be a section, with `key: value` lines below it",
}
#: What to write for none, where nothing is written, or all of it is a comment.
_NONE = {
    "string_type": ', or write "" for none',
    "tuple_type": ", or write [] for none",
    "model_type": ", or write what belongs below it",
    "dict_type": ", or write what belongs below it",
}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"


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
