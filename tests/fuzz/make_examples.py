"""`python -m tests.fuzz.make_examples INDEX`: cuts the examples that we listen to out of a package.

INDEX is `api.github.com/index.json` of the npm package @octokit/webhooks-examples (MIT), which are
deliveries that GitHub has really sent. The longest of each event and action is kept.
"""

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.github import readers

TARGET = Path(__file__).parent / "examples.json.gz"
INSTALLATIONS = ("installation", "installation_repositories")  #: read whatever the action is


def heard(index: list[dict[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    """Event, action and payload of every example that a reader of ours is for."""
    known = set(readers._READERS)
    for event in index:
        for payload in event["examples"]:
            name, action = event["name"], payload.get("action", "")
            if name in INSTALLATIONS or {(name, action), (name, "*")} & known:
                yield name, action, payload


def main(index: str) -> None:
    kept: dict[str, Any] = {}
    for name, action, payload in heard(json.loads(Path(index).read_text(encoding="utf-8"))):
        key = f"{name}.{action}"
        if len(json.dumps(payload)) > len(json.dumps(kept.get(key, ""))):
            kept[key] = payload
    text = json.dumps(dict(sorted(kept.items())), separators=(",", ":"))
    TARGET.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(kept)} examples, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
