"""Whether a request, or an answer, is one that GitHub describes.

The slice beside this file is GitHub's own description (see `make_slice`). Requests are held to it
hard: real requests conform almost always, so one that does not is a mistake of ours. GitHub ignores
a field that it does not know; here it is a problem, for it is a typo.
"""

import functools
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

SLICE = Path(__file__).with_name("slice.json.gz")
MAX_PROBLEMS = 20

_SEVERAL_SEGMENTS = frozenset({"ref", "path", "branch"})
_OPEN = "~open"  #: the twin of a definition that lets unknown names pass, for members of an allOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One of GitHub's operations."""

    name: str  #: "POST /repos/{owner}/{repo}/issues"
    pattern: re.Pattern[str]
    given: Mapping[str, Any]

    @property
    def method(self) -> str:
        return self.name.partition(" ")[0]


class Conformance:
    """GitHub's description, ready to be asked. Every answer is a list of problems."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.operations = sorted(
            (_operation(name, given) for name, given in description["operations"].items()),
            key=lambda one: one.name.count("{"),  # a literal segment wins over a placeholder
        )
        self._schemas = description["schemas"]
        self._validators: dict[tuple[str, str, bool], Any] = {}

    @classmethod
    def load(cls) -> "Conformance":
        """From the committed slice; read once in a process."""
        return _loaded()

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation that a request is for."""
        fits = (
            one for one in self.operations if one.method == method and one.pattern.fullmatch(path)
        )
        return next(fits, None)

    def request(self, method: str, path: str, query: Mapping[str, str], body: Any) -> list[str]:
        """What is wrong with a request; `path` is below the API's base, `body` None for none."""
        operation = self.operation(method, path)
        if operation is None:
            return [f"{method} {path}: GitHub describes no such operation"]
        problems = [*self._path(operation, path), *self._query(operation, query)]
        problems += self._body(operation, body)
        return [f"{operation.name}: {problem}" for problem in problems]

    def response(
        self, method: str, path: str, status: int, body: Any, *, missing_ok: bool = True
    ) -> list[str]:
        """What is wrong with an answer: names and types of what is sent; what is missing only
        without `missing_ok`."""
        operation = self.operation(method, path)
        if operation is None:
            return [f"{method} {path}: GitHub describes no such operation"]
        described = operation.given["responses"]
        if str(status) not in described:
            return [] if status >= 400 else [f"{operation.name}: status {status} is not described"]
        schema = described[str(status)]
        if schema is None:
            empty = body in (None, "", b"", {})
            return [] if empty or status >= 300 else [f"{operation.name}: {status} has no body"]
        key = (operation.name, str(status), missing_ok)
        found = self._errors(key, schema, body)
        return [f"{operation.name} {status}: {problem}" for problem in found]

    def _path(self, operation: Operation, path: str) -> list[str]:
        fits = operation.pattern.fullmatch(path)
        assert fits is not None
        return self._values(operation, "path", {k: unquote(v) for k, v in fits.groupdict().items()})

    def _query(self, operation: Operation, query: Mapping[str, str]) -> list[str]:
        parameters = [p for p in operation.given["parameters"] if p["in"] == "query"]
        known = {p["name"] for p in parameters}
        unknown = [f"unknown query parameter {name!r}" for name in query if name not in known]
        missing = [
            f"query parameter {p['name']!r} is missing"
            for p in parameters
            if p["required"] and p["name"] not in query
        ]
        return unknown + missing + self._values(operation, "query", query)

    def _values(self, operation: Operation, where: str, given: Mapping[str, str]) -> list[str]:
        problems = []
        for parameter in operation.given["parameters"]:
            name = parameter["name"]
            if parameter["in"] == where and name in given:
                value = _typed(given[name], parameter["schema"])
                found = self._errors(
                    (operation.name, f"{where} {name}", False), parameter["schema"], value
                )
                problems += [f"{where} {name}: {problem}" for problem in found]
        return problems

    def _body(self, operation: Operation, body: Any) -> list[str]:
        schema = operation.given["body"]
        if body is None:
            return ["the body is missing"] if operation.given["body_required"] else []
        if schema is None:
            return ["a body where GitHub describes none"]
        return self._errors((operation.name, "body", False), schema, body)

    def _errors(self, key: tuple[str, str, bool], schema: Any, value: Any) -> list[str]:
        if key not in self._validators:
            self._validators[key] = self._validator(schema, missing_ok=key[2])
        errors = self._validators[key].iter_errors(value)
        found = [f"{_place(error.instance_path)}: {error.message}" for error in errors]
        return [_short(problem) for problem in found[:MAX_PROBLEMS]]

    def _validator(self, schema: Any, *, missing_ok: bool) -> Any:
        definitions: dict[str, Any] = {}
        waiting = [_strict(schema, missing_ok=missing_ok, schemas=self._schemas)]
        whole = {"allOf": [waiting[0]], "$defs": definitions}
        while waiting:
            for name in _references(waiting.pop()):
                if name not in definitions:
                    definitions[name] = self._definition(name, missing_ok=missing_ok)
                    waiting.append(definitions[name])
        return jsonschema_rs.Draft202012Validator(whole)

    def _definition(self, name: str, *, missing_ok: bool) -> Any:
        schema = self._schemas[name.removesuffix(_OPEN)]
        return _strict(
            schema, missing_ok=missing_ok, schemas=self._schemas, is_open=name.endswith(_OPEN)
        )


@functools.cache
def _loaded() -> Conformance:
    return Conformance(json.loads(gzip.decompress(SLICE.read_bytes())))


def _operation(name: str, given: Mapping[str, Any]) -> Operation:
    template = name.partition(" ")[2]
    parts = [
        _placeholder(part[1:-1]) if part.startswith("{") else re.escape(part)
        for part in template.split("/")
    ]
    return Operation(name=name, pattern=re.compile("/".join(parts)), given=given)


def _placeholder(name: str) -> str:
    return f"(?P<{name}>.+)" if name in _SEVERAL_SEGMENTS else f"(?P<{name}>[^/]+)"


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """A parameter's text as the type that is described for it, if it can be one."""
    try:
        match schema.get("type"):
            case "integer":
                return int(text)
            case "boolean":
                return {"true": True, "false": False}[text]
            case _:
                return text
    except (ValueError, KeyError):
        return text


def _strict(
    schema: Any, *, missing_ok: bool, schemas: Mapping[str, Any], is_open: bool = False
) -> Any:
    """The schema with unknown names refused; with `missing_ok`, absent ones forgiven."""
    if not isinstance(schema, dict):
        return schema
    deeper = functools.partial(_strict, missing_ok=missing_ok, schemas=schemas)
    made: dict[str, Any] = {}
    for key, value in schema.items():
        match key:
            case "properties":
                made[key] = {name: deeper(one) for name, one in value.items()}
            case "required" if missing_ok:
                continue
            case "oneOf" | "anyOf":
                # Without `required`, several branches of a oneOf may fit.
                branches = made.setdefault("anyOf" if missing_ok else key, [])
                branches += [
                    deeper(one, is_open=is_open or "properties" in schema) for one in value
                ]
            case "allOf":
                alone = len(value) == 1 and "properties" not in schema
                made[key] = [_member(one, deeper, alone=alone and not is_open) for one in value]
            case "items" | "not" | "additionalProperties":
                made[key] = deeper(value)
            case "$ref" if is_open:
                made[key] = value if value.endswith(_OPEN) else value + _OPEN
            case _:
                made[key] = value
    known = _known(schema, schemas)
    if known and not is_open and "additionalProperties" not in schema:
        made["properties"] = dict.fromkeys(sorted(known), True) | made.get("properties", {})
        made["additionalProperties"] = False
    return made


def _member(schema: Any, deeper: Any, *, alone: bool) -> Any:
    return deeper(schema, is_open=not alone)


def _known(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    """Every name that an object may have here: its own, and those of all it is combined with."""
    known = set(schema.get("properties", ()))
    combined = [*schema.get("allOf", ())] if len(schema.get("allOf", ())) > 1 or known else []
    if known:
        combined += [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    for one in combined:
        known |= _all_names(one, schemas)
    return known


def _all_names(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    if "$ref" in schema:
        return _all_names(schemas[schema["$ref"].removeprefix("#/$defs/")], schemas)
    known = set(schema.get("properties", ()))
    for key in ("allOf", "oneOf", "anyOf"):
        for one in schema.get(key, ()):
            known |= _all_names(one, schemas)
    return known


def _references(value: Any) -> list[str]:
    match value:
        case dict():
            own = value.get("$ref")
            here = [own.removeprefix("#/$defs/")] if isinstance(own, str) else []
            return here + [name for one in value.values() for name in _references(one)]
        case list():
            return [name for one in value for name in _references(one)]
        case _:
            return []


def _short(problem: str) -> str:
    """Both ends: the place stands first, and what is wrong with a long value last."""
    return problem if len(problem) <= 400 else f"{problem[:200]} … {problem[-200:]}"


def _place(path: list[str | int]) -> str:
    return ".".join(str(part) for part in path) or "body"
