"""Several chimera.yml files become one `Effective` configuration.

Layers come nearest first: the repository's file, the organisation's, the server's. Maps merge
deep, lists replace, and the nearest value wins, except for safety: what a farther file wrote
about limits, protection, approval, roles or the cage, a nearer one can only tighten. A looser
wish is not an error (the farther file may be the younger one); it is left out and told in
`notes`. What nobody wrote has the model's default and binds nobody.

Each file is checked on its own, so that a mistake is told even where a nearer file hides it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from bot.config.marks import Marked, Path, Place, read_marked
from bot.config.problems import Problem, problem_of
from bot.config.repo import RepoConfig
from bot.config.safety import tightened
from bot.errors import ConfigError

DEFAULT_ORIGIN = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What counts for one repository, and where each value was written."""

    config: RepoConfig = field(default_factory=RepoConfig)
    origins: Mapping[str, str] = field(default_factory=dict)  #: dotted key → `file:line`
    notes: tuple[str, ...] = ()  #: wishes that were looser than a farther file allows

    def origin(self, key: str) -> str:
        """`file:line` for a dotted key, or "default"."""
        return self.origins.get(key, DEFAULT_ORIGIN)


def load_repo_config(layers: Sequence[tuple[str, bytes]]) -> Effective:
    """The effective configuration of `(origin name, bytes)` layers, the nearest first.

    Raises ConfigError with every problem as `name:line:column: what, and what to do`.
    """
    merge = _Merge()
    for layer in reversed(_all_read(layers)):
        merge.lay(layer)
    config = _validated(merge.values)
    if clashes := [f"{merge.origins[at]}: {text}" for at, text in _clashes(config, merge.origins)]:
        raise ConfigError(clashes)
    return Effective(
        config=config,
        origins={dotted(path): f"{at.file}:{at.line}" for path, at in merge.origins.items()},
        notes=tuple(merge.notes),
    )


def flat_values(config: RepoConfig) -> dict[str, Any]:
    """Every value by its dotted key, in the model's order; what `config explain` lists."""
    return dict(_leaves(config.model_dump(mode="json", by_alias=True), ()))


def dotted(path: Path) -> str:
    """`limits.rounds` for ("limits", "rounds")."""
    return ".".join(str(part) for part in path)


def problems_in(name: str, data: bytes) -> list[Problem]:
    """What is wrong in one file, each with its place; for annotations. Empty: nothing."""
    try:
        return _problems(read_marked(name, data))
    except ConfigError as error:
        return [Problem.parse(text) for text in error.problems]


def _leaves(value: Any, path: Path) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    else:
        yield dotted(path), value


class _Merge:
    """Values laid over each other, the farthest file first."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.origins: dict[Path, Place] = {}
        self.notes: list[str] = []

    def lay(self, layer: Marked) -> None:
        self._mapping(layer, layer.value, self.values, ())

    def _mapping(
        self, layer: Marked, values: Mapping[str, Any], below: dict[str, Any], at: Path
    ) -> None:
        for key, value in values.items():
            if isinstance(value, dict):
                self._mapping(layer, value, below.setdefault(key, {}), (*at, key))
            else:
                self._leaf(layer, below, (*at, key), value)

    def _leaf(self, layer: Marked, below: dict[str, Any], path: Path, value: Any) -> None:
        place, key = layer.place(path), str(path[-1])
        written = path in self.origins
        kept = tightened(path, below[key], value) if written else value
        if kept != value:
            shown = json.dumps(kept, ensure_ascii=False)
            self.notes.append(f"{place}: {dotted(path)} is {shown}: {self.origins[path]} binds it")
        if not written or kept != below[key]:
            self.origins[path] = place
        below[key] = kept


def _all_read(layers: Iterable[tuple[str, bytes]]) -> list[Marked]:
    marked: list[Marked] = []
    problems: list[str] = []
    for name, data in layers:
        try:
            marked.append(read_marked(name, data))
        except ConfigError as error:
            problems.extend(error.problems)
    for layer in marked:
        problems.extend(str(problem) for problem in _problems(layer))
    if problems:
        raise ConfigError(problems)
    return marked


def _problems(layer: Marked) -> list[Problem]:
    try:
        config = _validated(layer.value)
    except ValidationError as error:
        return sorted(problem_of(layer, detail) for detail in error.errors())
    clashes = _clashes(config, layer.places)
    return [Problem(place=layer.place(at), text=text) for at, text in clashes]


def _clashes(config: RepoConfig, written: Mapping[Path, Place]) -> Iterator[tuple[Path, str]]:
    """Labels that were written and are called like another one of ours.

    One label cannot say two things: it would start and end a task at once.
    """
    names: dict[Path, str] = {("trigger", "label"): config.trigger.label}
    for key, value in flat_values(config).items():
        if key.startswith("labels.") and key.endswith(".name"):
            names[tuple(key.split("."))] = value
    for path, name in names.items():
        others = [p for p, other in names.items() if p != path and other.lower() == name.lower()]
        if others and path in written:
            yield path, f"{dotted(path)} is called like {dotted(others[0])}. Give it another name."


def _validated(values: Mapping[str, Any]) -> RepoConfig:
    """Strict, in JSON's terms: an enum by its value, a tuple from a list, no `"3"` for 3."""
    base = RepoConfig().model_dump(mode="json", by_alias=True)
    return RepoConfig.model_validate_json(json.dumps(_over(base, values)), strict=True)


def _over(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values over defaults, deep: a label that is only renamed keeps its colour."""
    merged = dict(base)
    for key, value in values.items():
        below = base.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        merged[key] = _over(below, value) if both and below is not None else value
    return merged
