"""Which commit is running."""

import os
import subprocess
from functools import cache
from pathlib import Path


@cache
def deployed_sha() -> str:
    """`DEPLOYED_SHA` where the deployment set it, else the checkout's commit, else `unknown`."""
    if told := os.environ.get("DEPLOYED_SHA"):
        return told
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return asked.stdout.strip()
