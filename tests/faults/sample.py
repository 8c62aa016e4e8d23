"""The repository of the simulated histories: a site of pages, with tests of pages."""

from typing import Any

import yaml

CONFIG: dict[str, Any] = {
    "version": 1,
    "e2e": {
        "path": "tests/e2e",
        "serve": "python -m site {port}",
        "test": "python -m unittest discover -s tests/e2e -t .",
        "version_url": "/version",
    },
    "checks": {"test": "python -m unittest discover -s tests/unit -t ."},
    "deploy": {
        "staging": {"workflow": "deploy.yml", "environment": "staging"},
        "production": {"workflow": "deploy.yml", "environment": "production"},
    },
}

DEPLOY = """name: Deploy
run-name: deploy ${{ inputs.environment }} ${{ inputs.sha }} (${{ inputs.key }})
on:
  workflow_dispatch:
    inputs:
      environment: { required: true, type: string }
      sha: { required: true, type: string }
      key: { required: true, type: string }
jobs:
  deploy:
    runs-on: ubuntu-latest
    environment: { name: "${{ inputs.environment }}" }
    steps:
      - run: deploy
"""

FILES: dict[str, bytes] = {
    ".github/workflows/deploy.yml": DEPLOY.encode(),
    "pages/home.txt": b"Hello\n",
    "tests/__init__.py": b"",
    "tests/e2e/__init__.py": b"",
    "tests/unit/test_pages.py": b"# the repository's own tests\n",
}


def files(*, automatic: bool) -> dict[str, bytes]:
    """The repository; where production is `automatic`, nobody is asked before it."""
    production = CONFIG["deploy"]["production"] | ({"approval": "automatic"} if automatic else {})
    deploy = CONFIG["deploy"] | {"production": production}
    return FILES | {".github/chimera.yml": yaml.safe_dump(CONFIG | {"deploy": deploy}).encode()}


def wish(number: int) -> tuple[str, str]:
    """Title and text of the issue that asks for page `number`."""
    return f"Add page {number}", f"The page /page{number} should say Page {number}."


def test_of(number: int) -> tuple[str, bytes]:
    """The end-to-end test of a page, which fails until the page is there."""
    body = f"""import os
import unittest
import urllib.request


class Page(unittest.TestCase):
    def test_page_{number}_is_said(self):
        with urllib.request.urlopen(os.environ["E2E_BASE_URL"] + "/page{number}") as answer:
            self.assertEqual(answer.read().decode(), "Page {number}\\n")
"""
    return f"tests/e2e/test_page{number}.py", body.encode()


def page_of(number: int) -> tuple[str, bytes]:
    """The page that makes it pass."""
    return f"pages/page{number}.txt", f"Page {number}\n".encode()
