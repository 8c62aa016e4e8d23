"""`python -m tests.bench.child module:function JSON`: one cell in a process of its own.

The last line of standard output is the answer: `{"reading": …}` or `{"absent": "why"}`.
"""

import asyncio
import importlib
import inspect
import json
import sys
from typing import Any

from tests.bench.model import Absent


def main(work: str, args: str) -> None:
    """Run a cell and print what it has read."""
    print(json.dumps(_answer(work, json.loads(args))), flush=True)


def _answer(work: str, args: dict[str, Any]) -> dict[str, Any]:
    module, _, name = work.partition(":")
    try:
        result = getattr(importlib.import_module(module), name)(**args)
        return {"reading": asyncio.run(result) if inspect.iscoroutine(result) else result}
    except Absent as absent:
        return {"absent": str(absent)}
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] in {"bot", "tests"}:
            raise
        return {"absent": f"{missing.name} is not installed"}


if __name__ == "__main__":
    main(*sys.argv[1:])
