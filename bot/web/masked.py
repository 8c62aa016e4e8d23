"""How every page of ours is written: all that is filled in is escaped, and masked before."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.log import mask


def masked_templates(folder: Path) -> Environment:
    """The templates of `folder`; a name that nobody has filled in is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: Any) -> Any:
    return mask(value) if type(value) is str else value
