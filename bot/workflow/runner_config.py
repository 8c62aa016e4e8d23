"""Files that decide which tests run and what counts as passed.

A change of these can make any test green, so a change to what they say about tests is refused;
what else stands in the same file is nobody's business here.
"""

import ast
import configparser
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence

from bot.workflow.globs import matches_any
from bot.workflow.testcases import Depth, depth_of

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

#: The entry points by which an installed project adds itself to pytest, see
#: https://docs.pytest.org/en/stable/how-to/writing_plugins.html.
PLUGINS = "pytest11"

_MAX_SECTIONS = 8  #: of a vite.config that are compared

_ENTRY_POINTS = "options.entry_points"  #: where setup.cfg has them
_WORD = re.compile(r"[^\s'\"&|;()=]+")  #: of a line for a shell

#: Where programs that are named in a test command find what they have to do.
_RECIPES = {
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "gmake": ("Makefile", "makefile", "GNUmakefile"),
    "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "nox": ("noxfile.py",),
    "rake": ("Rakefile",),
    "invoke": ("tasks.py",),
    "inv": ("tasks.py",),
}

#: Functions in a conftest.py by which it can choose, change or excuse tests.
_HOOKS = ("pytest_", "collect_ignore")
_HOOK = "a hook"  #: said of an import, whose definition stands elsewhere

#: Names by which any file of tests does the same: unittest asks the first for the tests of a module
#: or a package, pytest loads what the second names. See
#: https://docs.python.org/3/library/unittest.html#load-tests-protocol.
_IN_TESTS = frozenset({"load_tests", "pytest_plugins"})


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
    if name.endswith(".py") and depth_of(path) is not Depth.NONE:
        return _changed_loading(old, new)
    read = _SECTIONS.get("vite.config" if name.startswith("vite.config.") else name)
    return _changed_section(read, old, new) if read is not None else None


def changed_command(
    path: str, old: str | None, new: str | None, lines: Sequence[str]
) -> str | None:
    """Whether the change touches a file that one of the test commands runs: a script, a Makefile.

    Files of tests are named there, too (`pytest tests/test_a.py`), and are compared in depth.
    """
    if old is None or old == new or depth_of(path) is not Depth.NONE:
        return None
    for line in lines:
        words = _WORD.findall(line)
        files = {word.removeprefix("./") for word in words if "." in word or "/" in word}
        files |= {file for word in words for file in _RECIPES.get(word, ())}
        if any(path == file or path.endswith(f"/{file}") for file in files if file):
            return f"`{line}` runs this file"
    return None


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
    hooks = [
        n for n in gained if n.startswith(_HOOKS) or "autouse" in after[n] or after[n] == _HOOK
    ]
    return (
        f"conftest.py now changes how tests are run, by {', '.join(hooks[:5])}" if hooks else None
    )


def _changed_loading(old: str | None, new: str | None) -> str | None:
    try:
        before, after = _loading(old or ""), _loading(new or "")
    except (SyntaxError, ValueError, RecursionError):
        return None  # who compares the tests says so
    changed = sorted(name for name in after if after[name] != before.get(name))
    return f"{', '.join(changed)} now says which tests are run" if changed else None


def _loading(text: str) -> dict[str, str]:
    """What the module says under the names that choose tests, wherever in it they are bound."""
    named: dict[str, str] = {}
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef(name=name):
                bound = [name]
            case ast.Assign(targets=targets):
                bound = [one.id for one in targets if isinstance(one, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
                bound = [name]
            case ast.Import() | ast.ImportFrom():
                bound = _bound(node)
            case _:
                continue
        named |= dict.fromkeys(_IN_TESTS.intersection(bound), ast.dump(node))
    return named


def _definitions(text: str) -> dict[str, str]:
    """Top-level statements by name; the nameless ones (imports, calls) by what they say.

    Added imports are let through, for added fixtures need them; unless they bring a hook: what
    stands under a hook's name in a conftest.py is one, wherever it was written.
    """
    named: dict[str, str] = {}
    for node in ast.parse(text).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                named[node.name] = ast.dump(node)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                named[name] = ast.dump(node)
            case ast.Import() | ast.ImportFrom():
                brings = any(name.startswith((*_HOOKS, "*")) for name in _bound(node))
                named[ast.unparse(node)] = _HOOK if brings else ""
            case ast.Expr(value=ast.Constant()):
                continue
            case _:
                named[f"pytest_{type(node).__name__.lower()}_{ast.unparse(node)[:40]}"] = ast.dump(
                    node
                )
    return named


def _bound(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.asname or alias.name for alias in node.names]


def _pyproject(text: str) -> object:
    """What pytest reads, and the plugins that it loads once the project is installed."""
    document = tomllib.loads(text)
    return [
        _within(document, "tool", "pytest"),
        _within(document, "project", "entry-points", PLUGINS),
        _within(document, "tool", "poetry", "plugins", PLUGINS),
    ]


def _within(document: object, *names: str) -> object:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _ini(*sections: str) -> _Reader:
    def read(text: str) -> object:
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text)
        wanted = [s for s in parser.sections() if s.startswith(sections)]
        plugins = parser.get(_ENTRY_POINTS, PLUGINS, fallback=None)
        return [{s: dict(parser.items(s)) for s in wanted}, plugins]

    return read


def _package_json(text: str) -> object:
    document = json.loads(text) if text else {}
    if not isinstance(document, dict):
        raise ValueError("no object")
    scripts = document.get("scripts")
    tests = _test_scripts(scripts if isinstance(scripts, dict) else {})
    return [tests, *(document.get(key) for key in ("jest", "vitest", "mocha", "ava"))]


def _test_scripts(scripts: Mapping[str, object]) -> dict[str, object]:
    """The scripts about tests, and those that these name: `"test": "npm run unit"`."""
    found, reached = dict[str, object](), [name for name in scripts if "test" in name]
    while reached:
        name = reached.pop()
        found[name] = scripts[name]
        words = set(_WORD.findall(str(scripts[name])))
        around = (f"{kind}{one}" for kind in ("", "pre", "post") for one in (*words, name))
        reached += [one for one in around if one in scripts and one not in found]
    return found


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
