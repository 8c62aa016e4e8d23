"""The table of what `/metrics` exports, read from a house in which everything has happened."""

import asyncio
import tempfile
from pathlib import Path

from tests.docs.blocks import code, table
from tests.packaging.exported import families


def metrics() -> str:
    """Ours by name, with kind, labels and meaning."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(families(Path(folder)))
    rows = [
        [
            code(family.name + ("_total" if family.type == "counter" else "")),
            family.type,
            ", ".join(code(label) for label in labels),
            family.documentation,
        ]
        for family, labels in found
        if family.name.startswith("chimera_")
    ]
    return table(["Metric", "Kind", "Labels", "Meaning"], rows)
