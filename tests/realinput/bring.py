"""A command agent that does not think: it brings files of a library's next version, by its role.

`python3 bring.py NEXT_VERSION '{"e2e-tester": ["tests/test_x.py"], "coder": ["x.py"]}'`; under
`add` there may be texts that the coder puts at the end of files. It runs inside the cage, with
nothing but the standard library.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any


def bring(source: Path, names: list[str]) -> None:
    """Copy files and whole directories to where they are in the checkout."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, name, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / name, name)


def main(source: Path, plan: dict[str, Any], role: str) -> None:
    if role == "guardian":
        answer = {"decision": "approve", "summary": "As upstream released it."}
        Path(os.environ["CHIMERA_RESULT"]).write_text(json.dumps(answer))
        return
    bring(source, plan[role])
    for name, text in plan.get("add", {}).items() if role == "coder" else ():
        with open(name, "a") as file:
            file.write(text)
    print(f"Brought {', '.join(plan[role])} of the next version.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), os.environ["CHIMERA_ROLE"])
