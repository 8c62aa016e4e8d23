"""Reads a deploy workflow as GitHub would: can it be dispatched with our inputs?

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
"""

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

INPUTS = ("environment", "sha", "key")  #: what a dispatch of ours carries
_TAKES = {"environment": ("string", "choice", "environment")}  #: types besides a plain string
MAX_INPUTS_FILE = 256 * 1024


def dispatch_problems(text: bytes, environments: Sequence[str] = ()) -> list[str]:
    """Why a dispatch to these environments would be refused, or would not be found again.

    Empty: it would not.
    """
    try:
        document = yaml.safe_load(text[:MAX_INPUTS_FILE])
    except (yaml.YAMLError, ValueError, RecursionError):
        return ["it is not readable as YAML"]
    if not isinstance(document, dict):
        return ["it is not a workflow"]
    # YAML 1.1 reads the key `on` as true.
    triggers = document.get("on", document.get(True))
    if not _has_dispatch(triggers):
        return ["it has no `on: workflow_dispatch`"]
    return list(_problems(document, triggers, environments))


def _has_dispatch(triggers: Any) -> bool:
    if isinstance(triggers, str):
        return triggers == "workflow_dispatch"
    return isinstance(triggers, dict | list) and "workflow_dispatch" in triggers


def _problems(
    document: dict[Any, Any], triggers: Any, environments: Sequence[str]
) -> Iterator[str]:
    dispatch = triggers.get("workflow_dispatch") if isinstance(triggers, dict) else None
    inputs = dispatch.get("inputs") if isinstance(dispatch, dict) else None
    known = inputs if isinstance(inputs, dict) else {}
    missing = [name for name in INPUTS if name not in known]
    if missing:
        yield f"it lacks the inputs {', '.join(missing)}"
    for name, given in known.items():
        if name not in INPUTS and _is_required(given):
            yield f"it requires the input {name!r}, which nobody gives"
        elif name in INPUTS:
            yield from _refused(name, given, environments if name == "environment" else ())
    if "inputs.key" not in str(document.get("run-name", "")):
        yield "its run-name does not have ${{ inputs.key }}: older servers need it"


def _refused(name: str, given: Any, values: Sequence[str]) -> Iterator[str]:
    """Why GitHub would not take our values for an input of ours."""
    kind = given.get("type", "string") if isinstance(given, dict) else "string"
    options = given.get("options") if kind == "choice" else None
    refused = [one for one in values if isinstance(options, list) and one not in options]
    if refused:
        yield f"its input {name!r} has no option {', '.join(refused)}"
    elif kind not in _TAKES.get(name, ("string",)):
        yield f"its input {name!r} is a {kind}, and gets a string"


def _is_required(given: Any) -> bool:
    return isinstance(given, dict) and given.get("required") is True and "default" not in given
