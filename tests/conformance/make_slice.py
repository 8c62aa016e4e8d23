"""Cuts the operations that the bot uses out of GitHub's own API description.

    python -m tests.conformance.make_slice

fetches the npm package `@octokit/openapi` in the version below (MIT licence, GitHub's
`rest-api-description` for API version 2022-11-28) with `npm pack`, keeps types, names, enums and
lengths, leaves out every description and example, and writes `slice.json.gz` beside this file.
"""

import gzip
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PACKAGE = "@octokit/openapi@23.0.2"
MEMBER = "package/generated/api.github.com.json"
SLICE = Path(__file__).with_name("slice.json.gz")
METHODS = ("get", "post", "put", "patch", "delete")

REPO = "/repos/{owner}/{repo}"
PATHS = (
    "/app",
    "/app-manifests/{code}/conversions",
    "/app/hook/config",
    "/app/hook/deliveries",
    "/app/hook/deliveries/{delivery_id}/attempts",
    "/app/installations",
    "/app/installations/{installation_id}",
    "/app/installations/{installation_id}/access_tokens",
    "/installation/repositories",
    "/meta",
    "/rate_limit",
    "/users/{username}",
    REPO,
    f"{REPO}/installation",
    f"{REPO}/collaborators/{{username}}/permission",
    f"{REPO}/contents/{{path}}",
    f"{REPO}/git/ref/{{ref}}",
    f"{REPO}/git/refs",
    f"{REPO}/git/refs/{{ref}}",
    f"{REPO}/git/commits/{{commit_sha}}",
    f"{REPO}/rules/branches/{{branch}}",
    f"{REPO}/labels",
    f"{REPO}/issues",
    f"{REPO}/issues/{{issue_number}}",
    f"{REPO}/issues/{{issue_number}}/comments",
    f"{REPO}/issues/{{issue_number}}/dependencies/blocked_by",
    f"{REPO}/issues/{{issue_number}}/dependencies/blocked_by/{{issue_id}}",
    f"{REPO}/issues/{{issue_number}}/dependencies/blocking",
    f"{REPO}/issues/{{issue_number}}/events",
    f"{REPO}/issues/{{issue_number}}/labels",
    f"{REPO}/issues/{{issue_number}}/labels/{{name}}",
    f"{REPO}/issues/{{issue_number}}/reactions",
    f"{REPO}/issues/{{issue_number}}/reactions/{{reaction_id}}",
    f"{REPO}/issues/comments/{{comment_id}}",
    f"{REPO}/issues/comments/{{comment_id}}/pin",
    f"{REPO}/issues/comments/{{comment_id}}/reactions",
    f"{REPO}/issues/comments/{{comment_id}}/reactions/{{reaction_id}}",
    f"{REPO}/pulls",
    f"{REPO}/pulls/{{pull_number}}",
    f"{REPO}/pulls/{{pull_number}}/merge",
    f"{REPO}/pulls/{{pull_number}}/update-branch",
    f"{REPO}/pulls/{{pull_number}}/reviews",
    f"{REPO}/pulls/{{pull_number}}/comments",
    f"{REPO}/pulls/{{pull_number}}/comments/{{comment_id}}/replies",
    f"{REPO}/check-runs",
    f"{REPO}/check-runs/{{check_run_id}}",
    f"{REPO}/check-runs/{{check_run_id}}/annotations",
    f"{REPO}/commits/{{ref}}/check-runs",
    f"{REPO}/commits/{{ref}}/status",
    f"{REPO}/actions/workflows",
    f"{REPO}/actions/workflows/{{workflow_id}}/dispatches",
    f"{REPO}/actions/workflows/{{workflow_id}}/runs",
    f"{REPO}/actions/runs",
    f"{REPO}/actions/runs/{{run_id}}",
    f"{REPO}/actions/runs/{{run_id}}/jobs",
    f"{REPO}/actions/runs/{{run_id}}/cancel",
    f"{REPO}/actions/runs/{{run_id}}/deployment_protection_rule",
    f"{REPO}/actions/jobs/{{job_id}}/logs",
    f"{REPO}/deployments",
    f"{REPO}/deployments/{{deployment_id}}/statuses",
    f"{REPO}/environments",
)

_KEPT = frozenset(
    {
        "type", "properties", "required", "items", "enum", "const", "additionalProperties",
        "oneOf", "anyOf", "allOf", "not", "$ref", "minLength", "maxLength", "minItems", "maxItems",
        "minimum", "maximum", "minProperties", "maxProperties", "pattern", "uniqueItems",
    }
)  # fmt: skip
# Here the description has an older copy of a schema that it shares everywhere else.
_OUTDATED_COPIES = {
    ("GET /app/installations", "200"): {
        "type": "array",
        "items": {"$ref": "#/components/schemas/installation"},
    }
}
_REF = "#/components/schemas/"


def cut(description: Mapping[str, Any]) -> dict[str, Any]:
    """The slice: `operations` by "METHOD /path", and the `schemas` that they refer to."""
    operations = {
        f"{method.upper()} {path}": _operation(description, description["paths"][path], method)
        for path in PATHS
        for method in METHODS
        if method in description["paths"][path]
    }
    for (name, status), schema in _OUTDATED_COPIES.items():
        operations[name]["responses"][status] = plain(schema)
    schemas = description["components"]["schemas"]
    used = {name: plain(schemas[name]) for name in sorted(_reached(operations, schemas))}
    return {"source": PACKAGE, "operations": operations, "schemas": used}


def plain(schema: Any) -> Any:
    """A schema without words; OpenAPI's `nullable` becomes JSON Schema's null."""
    if not isinstance(schema, dict):
        return schema
    kept = {key: _kept(key, value) for key, value in schema.items() if key in _KEPT}
    return _nullable(kept) if schema.get("nullable") else kept


def _kept(key: str, value: Any) -> Any:
    match key:
        case "properties":
            return {name: plain(one) for name, one in value.items()}
        case "oneOf" | "anyOf" | "allOf":
            return [plain(one) for one in value]
        case "items" | "not" | "additionalProperties":
            return plain(value)
        case "$ref":
            return value.replace(_REF, "#/$defs/")
        case _:
            return value


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _operation(
    description: Mapping[str, Any], item: Mapping[str, Any], method: str
) -> dict[str, Any]:
    given = item[method]
    both = [*item.get("parameters", ()), *given.get("parameters", ())]
    parameters = [_resolved(description, one) for one in both]
    body = _resolved(description, given.get("requestBody", {}))
    answers = {
        status: _schema(_resolved(description, one)) for status, one in given["responses"].items()
    }
    return {
        "parameters": [
            {
                "name": one["name"],
                "in": one["in"],
                "required": one.get("required", False),
                "schema": plain(one.get("schema", {})),
            }
            for one in parameters
        ],
        "body": _schema(body),
        "body_required": body.get("required", False),
        "responses": answers,
    }


def _schema(holder: Mapping[str, Any]) -> Any:
    """The JSON schema of a body, or None where it has none."""
    content = holder.get("content", {})
    kinds = [kind for kind in content if kind.startswith("application/") and "json" in kind]
    return plain(content[kinds[0]]["schema"]) if kinds else None


def _resolved(description: Mapping[str, Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in given:
        found: Any = description
        for part in given["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        given = found
    return given


def _reached(operations: Any, schemas: Mapping[str, Any]) -> set[str]:
    """Every schema that an operation names, directly or through another."""
    waiting, reached = list(_names(operations)), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _names(plain(schemas[name]))
    return reached


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix("#/$defs/")
        for one in value.values():
            yield from _names(one)
    elif isinstance(value, list):
        for one in value:
            yield from _names(one)


def _fetched() -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["npm", "pack", PACKAGE], cwd=scratch, check=True, stdout=sys.stderr)
        with tarfile.open(next(Path(scratch).glob("*.tgz"))) as package:
            member = package.extractfile(MEMBER)
            assert member is not None
            description: Mapping[str, Any] = json.load(member)
            return description


def main() -> None:
    found = cut(_fetched())
    text = json.dumps(found, separators=(",", ":"), sort_keys=True)
    SLICE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))  # the same bytes every time
    print(f"{SLICE.name}: {len(found['operations'])} operations, {SLICE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
