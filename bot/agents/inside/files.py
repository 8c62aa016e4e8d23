"""File tools that run inside the cage: one JSON request on stdin, one JSON answer on stdout.

They run inside because a caged command can plant a symbolic link: followed in here it leads to
what the cage shows anyway, followed outside it would lead to a file of the host.
"""

import fnmatch
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from itertools import islice

MAX_READ = 200_000  #: characters of one answer
MAX_FILE = 5_000_000  #: bytes; larger files are not text that somebody wants to read
MAX_ENTRIES = 2_000
MAX_MATCHES = 200
MAX_LINE = 400
SKIPPED = {".git", "node_modules", "__pycache__", ".venv", ".tox", ".mypy_cache", ".pytest_cache"}


class Problem(Exception):
    """Something to tell the model; its text is the answer."""


def answer(request: dict[str, object]) -> dict[str, str]:
    arguments = {key: value for key, value in request.items() if key != "op"}
    try:
        return {"text": OPERATIONS[str(request["op"])](**arguments)}
    except Problem as problem:
        return {"error": str(problem)}
    except re.error as problem:
        return {"error": f"not a regular expression: {problem}"}
    except OSError as problem:
        return {"error": f"{problem.filename}: {problem.strerror}"}


def list_files(path: str = ".", pattern: str = "*") -> str:
    found = [p for p in walk(path) if matches(p, pattern)]
    return "\n".join(found[:MAX_ENTRIES]) + more(len(found) - MAX_ENTRIES, "files")


def read_file(path: str, first_line: int = 1, lines: int = 2000) -> str:
    text = load(path).splitlines()
    if not text:
        return "(empty file)"
    start = max(first_line, 1) - 1
    shown = "\n".join(
        f"{n}\t{line}" for n, line in enumerate(text[start : start + lines], start + 1)
    )
    return shown[:MAX_READ] + more(len(text) - start - lines, "lines")


def read_text(path: str, first_line: int, lines: int | None) -> str:
    text = load(path)
    if first_line == 1 and lines is None:
        return text
    start = max(first_line, 1) - 1
    end = None if lines is None else start + lines
    return "".join(text.splitlines(keepends=True)[start:end])


def search(regex: str, path: str = ".", pattern: str = "*") -> str:
    wanted = re.compile(regex)
    found = list(islice(hits(wanted, path, pattern), MAX_MATCHES + 1))
    return "\n".join(found[:MAX_MATCHES]) + more(len(found) - MAX_MATCHES, "or more matches")


def write_file(path: str, content: str) -> str:
    os.makedirs(os.path.dirname(inside(path)) or ".", exist_ok=True)
    with open(inside(path), "w", encoding="utf-8", newline="") as file:
        file.write(content)
    return f"wrote {len(content)} characters to {path}"


def edit_file(path: str, old: str, new: str) -> str:
    text = load(path)
    times = text.count(old) if old else 0
    if times != 1:
        raise Problem(f"{path}: the text to replace occurs {times} times; it must occur once")
    return write_file(path, text.replace(old, new))


OPERATIONS: dict[str, Callable[..., str]] = {
    "list_files": list_files,
    "read_file": read_file,
    "read_text": read_text,
    "search": search,
    "write_file": write_file,
    "edit_file": edit_file,
}


def inside(path: str) -> str:
    """`path` relative to the checkout, links resolved."""
    real = os.path.realpath(path)
    if real != os.getcwd() and not real.startswith(os.getcwd() + os.sep):
        raise Problem(f"{path}: outside of the checkout")
    return real


def load(path: str) -> str:
    real = inside(path)
    if os.path.getsize(real) > MAX_FILE:
        raise Problem(f"{path}: larger than {MAX_FILE} bytes; use search")
    with open(real, encoding="utf-8", errors="replace", newline="") as file:
        return file.read()


def walk(path: str) -> Iterator[str]:
    root = inside(path)
    if os.path.isfile(root):
        yield os.path.relpath(root)
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        yield from (os.path.relpath(os.path.join(folder, name)) for name in sorted(files))


def hits(wanted: "re.Pattern[str]", path: str, pattern: str) -> Iterator[str]:
    for name in walk(path):
        if not matches(name, pattern) or os.path.islink(name) or os.path.getsize(name) > MAX_FILE:
            continue
        with open(name, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if wanted.search(line):
                    yield f"{name}:{number}: {line.rstrip()[:MAX_LINE]}"


def matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(os.path.basename(name), pattern)


def more(count: int, what: str) -> str:
    return f"\n[{count} more {what}]" if count > 0 else ""


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
