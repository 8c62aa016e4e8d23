"""The files that come along: App manifests and the templates for a repository."""

import importlib.resources
from pathlib import Path


def shipped(name: str) -> str:
    """The text of a file of `config/`: in an installed package, or beside it in a checkout."""
    package = Path(str(importlib.resources.files("bot")))
    installed = package / "_config" / name
    path = installed if installed.is_file() else package.parent / "config" / name
    return path.read_text(encoding="utf-8")
