"""Workflow files: what starts them, what they ask for, which jobs they have.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
"""

import asyncio
import fnmatch
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bot.localhub.errors import unprocessable
from bot.localhub.gitrepo import GitFailed, git, run
from bot.localhub.types import Json

FOLDER = ".github/workflows"
MAX_INPUTS = 25
_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """One job of a file, before anything is evaluated."""

    key: str
    name: str
    environment: str | None
    environment_url: str | None
    needs: tuple[str, ...]


async def files_at(path: Path, ref: str) -> Mapping[str, Json]:
    """The workflow files of a commit by path; what is not readable YAML is left out."""
    try:
        tree = await git(path, "rev-parse", "--verify", f"{ref}:{FOLDER}")
    except GitFailed:
        return {}
    return await asyncio.to_thread(_files_in, path, tree)


@functools.lru_cache(maxsize=256)
def _files_in(path: Path, tree: str) -> Mapping[str, Json]:
    """The same of a tree, which never changes; nobody writes into what is returned."""
    names = run(path, "ls-tree", "--name-only", tree).splitlines()
    texts = {
        f"{FOLDER}/{name}": run(path, "show", f"{tree}:{name}")
        for name in names
        if name.endswith((".yml", ".yaml"))
    }
    read = {name: parse(text) for name, text in texts.items()}
    return {name: source for name, source in read.items() if source is not None}


def parse(text: str) -> Json | None:
    """A workflow file as a dict, or None where it is not one."""
    try:
        source = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return source if isinstance(source, dict) and isinstance(source.get("jobs"), dict) else None


def triggers(source: Json) -> dict[str, Json]:
    """``on:`` in its long form. YAML 1.1 reads the bare key as True."""
    keys: dict[Any, Any] = source
    on = keys.get("on", keys.get(True))
    if isinstance(on, str):
        return {on: {}}
    if isinstance(on, list):
        return {str(name): {} for name in on}
    if isinstance(on, dict):
        return {str(name): value or {} for name, value in on.items()}
    return {}


def starts_on(source: Json, event: str, ref: str, action: str | None) -> bool:
    """Whether an event on a ref starts the workflow: branches, tags and types are looked at."""
    rule = triggers(source).get(event)
    if rule is None or not isinstance(rule, dict):
        return rule is not None
    if event == "pull_request":
        return action in rule.get("types", ["opened", "synchronize", "reopened"])
    kind = "branches" if ref.startswith("refs/heads/") else "tags"
    other = "tags" if kind == "branches" else "branches"
    short = ref.split("/", 2)[2]
    patterns = rule.get(kind)
    if patterns is None:
        ignored = rule.get(f"{kind}-ignore")
        if ignored is not None:
            return not _matches(short, ignored)
        return other not in rule
    return _matches(short, patterns)


def _matches(name: str, patterns: Any) -> bool:
    wanted = patterns if isinstance(patterns, list) else [patterns]
    return any(fnmatch.fnmatchcase(name, str(each).replace("**", "*")) for each in wanted)


def dispatch_inputs(source: Json, given: Mapping[str, Any]) -> dict[str, str]:
    """The inputs of a dispatch with their defaults. Raises 422 as GitHub does."""
    rule = triggers(source).get("workflow_dispatch")
    if rule is None:
        raise unprocessable("Workflow does not have 'workflow_dispatch' trigger")
    declared: Json = rule.get("inputs") or {}
    if len(given) > MAX_INPUTS:
        raise unprocessable(f"Inputs may not have more than {MAX_INPUTS} properties")
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise unprocessable(f"Unexpected inputs provided: {unknown}".replace("'", '"'))
    return {
        name: _input(name, spec or {}, given)
        for name, spec in declared.items()
        if name in given or (spec or {}).get("required") or "default" in (spec or {})
    }


def _input(name: str, spec: Json, given: Mapping[str, Any]) -> str:
    value = given.get(name, spec.get("default"))
    if value is None or (value == "" and spec.get("required")):
        raise unprocessable(f"Required input '{name}' not provided")
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    options = spec.get("options")
    if spec.get("type") == "choice" and options and text not in map(str, options):
        raise unprocessable(
            f"Provided value '{text}' for input '{name}' not in the list of allowed values"
        )
    if spec.get("type") == "boolean" and text not in ("true", "false"):
        raise unprocessable(f"Provided value '{text}' for input '{name}' is not a boolean")
    return text


def jobs(source: Json) -> list[JobPlan]:
    """The jobs of a file in the order of the file."""
    found = []
    for key, job in source["jobs"].items():
        spec = job if isinstance(job, dict) else {}
        environment, url = _environment(spec.get("environment"))
        needs = spec.get("needs") or []
        found.append(
            JobPlan(
                key=str(key),
                name=str(spec.get("name") or key),
                environment=environment,
                environment_url=url,
                needs=tuple([needs] if isinstance(needs, str) else map(str, needs)),
            )
        )
    return found


def _environment(value: Any) -> tuple[str | None, str | None]:
    if isinstance(value, dict):
        name, url = value.get("name"), value.get("url")
        return (str(name) if name else None), (str(url) if url else None)
    return (str(value) if value else None), None


def concurrency(source: Json, context: Json) -> tuple[str | None, bool]:
    """The concurrency group of a run, and whether a newer run cancels the older one."""
    value = source.get("concurrency")
    if isinstance(value, str):
        return evaluate(value, context), False
    if isinstance(value, dict) and value.get("group"):
        cancel = evaluate(str(value.get("cancel-in-progress", False)), context)
        return evaluate(str(value["group"]), context), cancel.lower() == "true"
    return None, False


def token_permissions(source: Json) -> dict[str, str]:
    """What GITHUB_TOKEN may do: the file's ``permissions``, else reading contents."""
    value = source.get("permissions")
    names = ("actions", "checks", "contents", "deployments", "issues", "pull_requests", "statuses")
    if value == "write-all":
        return dict.fromkeys(names, "write")
    if value == "read-all":
        return dict.fromkeys(names, "read")
    if isinstance(value, dict):
        pairs = ((str(key).replace("-", "_"), str(level)) for key, level in value.items())
        return {key: level for key, level in pairs if level in ("read", "write")}
    return {"contents": "read"}


def evaluate(text: str, context: Json) -> str:
    """A text with its ``${{ }}`` replaced.

    Only what names and urls are made of is understood: dotted names, ``'literals'`` and ``||``
    between them. What is not known is empty, as on GitHub.
    """
    return _EXPRESSION.sub(lambda match: _value(match[1], context), text)


def _value(expression: str, context: Json) -> str:
    for term in expression.split("||"):
        found = _term(term.strip(), context)
        if found:
            return found
    return ""


def _term(term: str, context: Json) -> str:
    if len(term) >= 2 and term[0] == term[-1] == "'":
        return term[1:-1]
    if not _PATH.match(term):
        return ""
    value: Any = context
    for name in term.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, dict) else str(value)
