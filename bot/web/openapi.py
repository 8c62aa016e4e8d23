"""The OpenAPI document, made from the route table and the models that really check and answer."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot.web.row import Row

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def document(rows: Sequence[Row], *, version: str) -> dict[str, Any]:
    """The description of these rows, OpenAPI 3.1."""
    schemas = _schemas(rows)
    schemas["Problem"] = _PROBLEM
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Chimera", "version": version},
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(rows: Sequence[Row]) -> dict[str, Any]:
    taken: list[tuple[type[BaseModel], Any]] = [
        (row.body, "validation") for row in rows if row.body is not None
    ]
    given = [(row.gives, "serialization") for row in rows if row.gives is not None]
    both = list(dict.fromkeys([*taken, *given]))
    _, definitions = models_json_schema(both, ref_template="#/components/schemas/{model}")
    return dict(definitions["$defs"])


def _operation(row: Row) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{row.method.lower()}{re.sub('[^a-z]+', '_', row.path)}".rstrip("_"),
        "summary": (inspect.getdoc(row.handler) or "").partition("\n")[0],
        "parameters": [*_path_parameters(row.path), *_query_parameters(row)],
        "responses": {str(row.status): _answer(row), "default": _refusal()},
    }
    if row.body is not None:
        operation["requestBody"] = {
            "required": any(field.is_required() for field in row.body.model_fields.values()),
            "content": {"application/json": {"schema": _ref(row.body)}},
        }
    return operation


def _answer(row: Row) -> dict[str, Any]:
    schema = _ref(row.gives) if row.gives is not None else {}
    return {"description": "Done.", "content": {row.media_type: {"schema": schema}}}


def _refusal() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "What is wrong (RFC 9457).",
        "content": {"application/problem+json": {"schema": schema}},
    }


def _path_parameters(path: str) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(row: Row) -> Iterable[dict[str, Any]]:
    if row.query is None:
        return
    schema = row.query.model_json_schema()
    definitions = schema.get("$defs", {})
    for name, field in schema["properties"].items():
        yield {"name": name, "in": "query", "schema": _inlined(field, definitions)}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """A query parameter's schema without references, for it stands in no component."""
    match schema:
        case {"$ref": str(ref)}:
            return definitions[ref.rpartition("/")[2]]
        case dict():
            return {key: _inlined(value, definitions) for key, value in schema.items()}
        case list():
            return [_inlined(item, definitions) for item in schema]
        case _:
            return schema


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
