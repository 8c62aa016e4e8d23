"""Files that decide which tests run and what counts as passed.

A change of these can make any test green, so a change to what they say about tests is refused;
what else stands in the same file is nobody's business here.
"""

import ast
import configparser
import json
import re
import tomllib
from collections.abc import Callable

from bot.workflow.globs import matches_any

#: Everything in these is about running tests.
WHOLE = [
    "pytest.ini",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
    ".mocharc*",
    "karma.conf.*",
    "jest.config.*",
    "jest.setup.*",
    "setupTests.*",
    "vitest.config.*",
    "vitest.workspace.*",
    "vitest.setup.*",
    "playwright.config.*",
]

#: With the project's folder on the import path, a file of this name is run in place of the real.
SHADOWS = [
    "pytest.py",
    "pytest/__init__.py",
    "_pytest/**",
    "pluggy.py",
    "pluggy/__init__.py",
    "unittest.py",
    "unittest/__init__.py",
    "sitecustomize.py",
    "usercustomize.py",
    "*.pth",
]

_MAX_SECTIONS = 8  #: of a vite.config that are compared

#: Functions in a conftest.py by which it can choose, change or excuse tests.
_HOOKS = ("pytest_", "collect_ignore")


def changed_runner(path: str, old: str | None, new: str | None) -> str | None:
    """What the change does to the way tests are run, in words; None: nothing."""
    name = path.rsplit("/", 1)[-1]
    if old == new:
        return None
    if new is not None and matches_any(path, SHADOWS):
        return "this file would be imported in place of the test runner"
    if matches_any(path, WHOLE):
        return "the test runner's configuration was changed"
    if name == "conftest.py":
        return _changed_conftest(old, new)
    read = _SECTIONS.get("vite.config" if name.startswith("vite.config.") else name)
    return _changed_section(read, old, new) if read is not None else None


_Reader = Callable[[str], object]


def _changed_section(read: _Reader, old: str | None, new: str | None) -> str | None:
    try:
        differs = read(new or "") != read(old or "")
    except (ValueError, configparser.Error, RecursionError):
        return "this file configures the test runner, and it can no longer be read"
    return "what it tells the test runner was changed" if differs else None


def _changed_conftest(old: str | None, new: str | None) -> str | None:
    try:
        before, after = _definitions(old or ""), _definitions(new or "")
    except (SyntaxError, ValueError, RecursionError):
        return "conftest.py cannot be read"
    lost = sorted(name for name in before if after.get(name) != before[name])
    if lost:
        return f"conftest.py was changed at {', '.join(lost[:5])}"
    gained = sorted(name for name in after if name not in before)
    hooks = [n for n in gained if n.startswith(_HOOKS) or "autouse" in after[n]]
    return (
        f"conftest.py now changes how tests are run, by {', '.join(hooks[:5])}" if hooks else None
    )


def _definitions(text: str) -> dict[str, str]:
    """Top-level statements by name; the nameless ones (imports, calls) by what they say.

    Added imports are let through: they are needed by added fixtures, and a plugin is only
    activated by the name `pytest_plugins`.
    """
    named: dict[str, str] = {}
    for node in ast.parse(text).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                named[node.name] = ast.dump(node)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                named[name] = ast.dump(node)
            case ast.Import() | ast.ImportFrom():
                named[ast.unparse(node)] = ""
            case ast.Expr(value=ast.Constant()):
                continue
            case _:
                named[f"pytest_{type(node).__name__.lower()}_{ast.unparse(node)[:40]}"] = ast.dump(
                    node
                )
    return named


def _pyproject(text: str) -> object:
    tool = tomllib.loads(text).get("tool")
    return tool.get("pytest") if isinstance(tool, dict) else None


def _ini(*sections: str) -> _Reader:
    def read(text: str) -> object:
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text)
        wanted = [s for s in parser.sections() if s.startswith(sections)]
        return {s: dict(parser.items(s)) for s in wanted}

    return read


def _package_json(text: str) -> object:
    document = json.loads(text) if text else {}
    if not isinstance(document, dict):
        raise ValueError("no object")
    scripts = document.get("scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    tests = {name: line for name, line in scripts.items() if "test" in name}
    return [tests, *(document.get(key) for key in ("jest", "vitest", "mocha", "ava"))]


def _vite(text: str) -> object:
    """What stands in the braces of `test: {…}`, which vitest reads there."""
    sections = []
    for begin in re.finditer(r"\btest\s{0,9}:\s{0,9}\{", text):
        depth = 0
        for sign in re.finditer(r"[{}]", text[begin.end() - 1 :]):
            depth += 1 if sign[0] == "{" else -1
            if depth == 0:
                sections.append(text[begin.start() : begin.end() + sign.start()])
                break
        if len(sections) == _MAX_SECTIONS:
            break
    return ["".join(section.split()) for section in sections]


_SECTIONS: dict[str, _Reader] = {
    "vite.config": _vite,
    "pyproject.toml": _pyproject,
    "setup.cfg": _ini("tool:pytest"),
    "tox.ini": _ini("pytest", "testenv", "tox"),
    "package.json": _package_json,
}
