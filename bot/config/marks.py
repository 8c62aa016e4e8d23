"""YAML that remembers where each value was written.

A careful subset: one document, at most 64 KiB and 20 levels, string keys, each key once, no
aliases and no tags beyond plain values. Everything else is refused with its line and column, so
that a file says one thing only and reading it is cheap.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.error import Mark

from bot.errors import ConfigError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20

Path = tuple[str | int, ...]

_STRING = "tag:yaml.org,2002:str"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"  # a date stays the text that it was
_PLAIN = frozenset(
    {
        _STRING,
        _TIMESTAMP,
        *(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float")),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where something stands; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A mapping and the place of each key and item in it."""

    file: str
    value: dict[str, Any]
    places: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Where this path was written, or its nearest ancestor that was."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(file=self.file))


class _Loader(yaml.SafeLoader):
    """Composes nodes only; refuses aliases and depth before anything is built."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # as the stubs have it
        if isinstance(event, yaml.AliasEvent):
            raise _refused("an alias: write the value out", event.start_mark)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _refused(f"more than {MAX_DEPTH} levels", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _refused(text: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=text, problem_mark=mark)


def read_marked(file: str, data: bytes) -> Marked:
    """The mapping in these bytes; an empty file is an empty mapping.

    Raises ConfigError, its problem led by `file:line:column`.
    """
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{file}:1:1: larger than 64 KiB: a configuration is a short text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}:1: not UTF-8: save the file in that encoding") from None
    try:
        return _read(file, text)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_described(file, error)) from None
    except yaml.YAMLError:
        raise ConfigError(f"{file}:1:1: a character that YAML does not allow") from None


def _read(file: str, text: str) -> Marked:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Marked(file=file, value={})
        if not isinstance(node, yaml.MappingNode):
            raise _refused("not a mapping: write `key: value` lines", node.start_mark)
        marked = Marked(file=file, value={})
        marked.value.update(_mapping(loader, node, (), marked))
        return marked
    finally:
        loader.dispose()


def _described(file: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = Place(file=file) if mark is None else _place(file, mark)
    said = error.problem or error.context or "not readable as YAML"
    if said.startswith("but ") and error.context:  # PyYAML's sentence goes over both
        said = f"{error.context}, {said}"
    hint = next((hint for sign, hint in _HINTS.items() if sign in said), "")
    return f"{place}: {said}{hint}"


#: What to do about the mistakes that people make most, by a part of PyYAML's sentence.
_HINTS = {
    "'\\t'": ": indent with spaces, not with tabs",
    "expected <block end>": ": is it indented like the lines around it?",
    "mapping values are not allowed": ": put a text that has `: ` in it in quotes",
    "unexpected end of stream": ": a quote or a bracket is not closed",
    "expected ',' or": ": a quote or a bracket is not closed",
    "cannot start any token": ": put the text in quotes",
    "expected a single document": ": take the `---` out",
}


def _place(file: str, mark: Mark) -> Place:
    return Place(file=file, line=mark.line + 1, column=mark.column + 1)


def _mapping(loader: _Loader, node: yaml.MappingNode, path: Path, marked: Marked) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node)
        if key in found:
            first = marked.places[(*path, key)]
            raise _refused(f"{key!r} is already on line {first.line}", key_node.start_mark)
        marked.places[(*path, key)] = _place(marked.file, key_node.start_mark)
        found[key] = _value(loader, value_node, (*path, key), marked)
    return found


def _key(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode) and node.tag == _STRING:
        return str(node.value)
    raise _refused("a key must be a plain word", node.start_mark)


def _value(loader: _Loader, node: yaml.Node, path: Path, marked: Marked) -> Any:
    match node:
        case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
            return _mapping(loader, node, path, marked)
        case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
            return _sequence(loader, node, path, marked)
        case yaml.ScalarNode():
            return _scalar(loader, node)
        case _:
            raise _refused(f"the tag {node.tag!r}: only plain values", node.start_mark)


def _sequence(loader: _Loader, node: yaml.SequenceNode, path: Path, marked: Marked) -> list[Any]:
    for n, item in enumerate(node.value):
        marked.places[(*path, n)] = _place(marked.file, item.start_mark)
    return [_value(loader, item, (*path, n), marked) for n, item in enumerate(node.value)]


def _scalar(loader: _Loader, node: yaml.ScalarNode) -> Hashable:
    if node.tag not in _PLAIN:
        raise _refused(f"the tag {node.tag!r}: only plain values", node.start_mark)
    if node.tag in {_STRING, _TIMESTAMP}:
        return _text(node)
    try:
        value: Hashable = loader.construct_object(node)
    except (ValueError, KeyError):  # `!!int x`, `!!bool x`, thousands of digits
        raise _refused("a value that is not what it looks like", node.start_mark) from None
    return value


def _text(node: yaml.ScalarNode) -> str:
    text = str(node.value)
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise _refused("half of a character (a lone surrogate)", node.start_mark)
    return text
