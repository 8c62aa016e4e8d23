"""Chimera: a labelled issue becomes a tested, reviewed and deployed change.

Start with `bot.domain` (the nouns) and `bot.workflow.flow` (where a verdict leads). As a library:

    from bot import ChimeraExecutor, create_chimera_task

Both names are resolved when first used, so that `import bot` stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_LAZY = {
    "ChimeraExecutor": "bot.workflow.executor",
    "create_chimera_task": "bot.workflow.executor",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
