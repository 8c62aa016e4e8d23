"""A tiny application with its tests and its deployment: what the stories work on.

It serves the texts below `pages/` by name, says which commit it is, and needs nothing but the
standard library, so that a whole run of seven phases stays a matter of seconds.
"""

import copy
import sys
from collections.abc import Mapping
from typing import Any

import yaml

TITLE = "Say goodbye"
BODY = "The page /goodbye should say Goodbye."

SERVER = '''"""`python -m greeter PORT`: one text a page."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGES = Path(__file__).parent.parent / "pages"


def page(path):
    """The text of a page, or None."""
    if path == "/version":
        return os.environ.get("DEPLOYED_SHA", "unknown")
    file = PAGES / f"{path.strip('/') or 'home'}.txt"
    return file.read_text() if file.is_file() else None


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        text = page(self.path)
        body = (text or "no such page").encode()
        self.send_response(200 if text is not None else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''

UNIT_TEST = """import unittest

from greeter.__main__ import page


class Pages(unittest.TestCase):
    def test_the_home_page_greets(self):
        self.assertEqual(page("/"), "Hello\\n")

    def test_an_unknown_page_is_none(self):
        self.assertIsNone(page("/nowhere"))
"""

ASKING = '''"""One question to the application at E2E_BASE_URL."""

import os
import urllib.error
import urllib.request


def get(path):
    """Status and text."""
    try:
        with urllib.request.urlopen(os.environ["E2E_BASE_URL"] + path, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
'''

DEPLOY = """name: Deploy
run-name: deploy ${{ inputs.environment }} ${{ inputs.sha }} (${{ inputs.key }})
on:
  workflow_dispatch:
    inputs:
      environment: { required: true, type: string }
      sha: { required: true, type: string }
      key: { required: true, type: string }
permissions: { contents: read }
concurrency: { group: "deploy-${{ inputs.environment }}", cancel-in-progress: false }
jobs:
  deploy:
    runs-on: ubuntu-latest
    timeout-minutes: 2
    environment: { name: "${{ inputs.environment }}", url: "${{ steps.serve.outputs.url }}" }
    steps:
      - uses: actions/checkout@v4
        with: { ref: "${{ inputs.sha }}", persist-credentials: false }
      - id: serve
        shell: bash
        env:
          SHA: ${{ inputs.sha }}
          ENVIRONMENT: ${{ inputs.environment }}
          KEY: ${{ inputs.key }}
          ROOT: ${{ vars.DEPLOY_ROOT }}
          STAGING: ${{ vars.STAGING_PORT }} ${{ vars.STAGING_MODE }}
          PRODUCTION: ${{ vars.PRODUCTION_PORT }} ${{ vars.PRODUCTION_MODE }}
          ROLLBACK_MODE: ${{ vars.ROLLBACK_MODE }}
        run: exec "${{ vars.PYTHON }}" deploy.py
"""

#: What a mode does: `ok` deploys, `fail` ends red, `wrong` serves another commit, `broken` serves
#: the right commit without its pages.
DEPLOYER = '''"""Serve the checkout on the port of $ENVIRONMENT, instead of what serves there."""

import os, pathlib, shutil, signal, subprocess, sys, time, urllib.request

env, sha = os.environ["ENVIRONMENT"], os.environ["SHA"]
port, mode = os.environ[env.upper()].split()
if "rollback" in os.environ["KEY"]:
    mode = os.environ["ROLLBACK_MODE"]
if mode == "fail":
    sys.exit("::error::the deployment was told to fail")
home = pathlib.Path(os.environ["ROOT"], env)
release, pid_file = home / sha, home / "app.pid"
shutil.rmtree(release, ignore_errors=True)
shutil.copytree(".", release, ignore=shutil.ignore_patterns(".git"))
if mode == "broken":
    shutil.rmtree(release / "pages")
if pid_file.exists():
    try:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
    except ProcessLookupError:
        pass
told = {"PATH": os.environ["PATH"], "DEPLOYED_SHA": "0" * 40 if mode == "wrong" else sha}
quiet = subprocess.DEVNULL
app = subprocess.Popen([sys.executable, "-m", "greeter", port], cwd=release, env=told,
                       stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
pid_file.write_text(str(app.pid))
url, said, deadline = f"http://127.0.0.1:{port}", "", time.monotonic() + 20
while not said and time.monotonic() < deadline and app.poll() is None:
    try:
        said = urllib.request.urlopen(f"{url}/version", timeout=2).read().decode()
    except OSError:
        time.sleep(0.02)
with open(os.environ["GITHUB_OUTPUT"], "a") as out:
    out.write(f"url={url}\\n")
print(f"::notice title=chimera-deployed::{said}")
'''

CONFIG: Mapping[str, Any] = {
    "version": 1,
    "e2e": {
        "path": "tests/e2e",
        "serve": "python -m greeter {port}",
        "test": "python -m unittest discover -s tests/e2e -t .",
        "version_url": "/version",
    },
    "checks": {"test": "python -m unittest discover -s tests/unit -t ."},
    "protect": {"paths": [".github/**", "deploy.py", "tests/e2e/asking.py"]},
    "deploy": {
        "staging": {"workflow": "deploy.yml", "environment": "staging"},
        "production": {"workflow": "deploy.yml", "environment": "production"},
    },
    "limits": {"rounds": 2, "turns": 3, "concurrent": 2},
}


def files(changes: Mapping[str, Any] | None = None) -> dict[str, str | bytes]:
    """The repository's first commit; `changes` are merged into its configuration."""
    return {
        ".github/chimera.yml": yaml.safe_dump(merged(CONFIG, changes or {})),
        ".github/workflows/deploy.yml": DEPLOY,
        "deploy.py": DEPLOYER,
        "greeter/__init__.py": "",
        "greeter/__main__.py": SERVER,
        "pages/home.txt": "Hello\n",
        "tests/__init__.py": "",
        "tests/unit/__init__.py": "",
        "tests/unit/test_pages.py": UNIT_TEST,
        "tests/e2e/__init__.py": "",
        "tests/e2e/asking.py": ASKING,
    }


def merged(into: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with `changes`; None takes a key out."""
    whole = copy.deepcopy(dict(into))
    for key, value in changes.items():
        if value is None:
            whole.pop(key, None)
        elif isinstance(value, Mapping):
            whole[key] = merged(whole.get(key, {}), value)
        else:
            whole[key] = value
    return whole


def variables(root: str, staging_port: int, production_port: int) -> dict[str, str]:
    """What the deployment is told by its repository."""
    return {
        "DEPLOY_ROOT": root,
        "STAGING_PORT": str(staging_port),
        "PRODUCTION_PORT": str(production_port),
        "STAGING_MODE": "ok",
        "PRODUCTION_MODE": "ok",
        "ROLLBACK_MODE": "ok",
        "PYTHON": sys.executable,
    }


def e2e_test(page: str, says: str) -> dict[str, str | None]:
    """The end-to-end test of a page, as a tester would write it."""
    return {
        f"tests/e2e/test_{page}.py": f'''import unittest

from tests.e2e.asking import get


class Page(unittest.TestCase):
    def test_{page}_is_said(self):
        status, text = get("/{page}")
        self.assertEqual(status, 200)
        self.assertEqual(text.strip(), "{says}")
'''
    }


def code(page: str, says: str) -> dict[str, str | None]:
    """The change that makes it pass."""
    return {f"pages/{page}.txt": f"{says}\n"}
