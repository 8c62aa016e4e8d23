"""Imports go down or stay in the room, and never in a circle."""

import ast
import gc
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

BOT = Path(__file__).parent.parent / "bot"

#: A room may import the rooms below it; rooms on one floor are strangers to each other.
FLOORS: list[set[str]] = [
    {"__init__"},
    {"facts"},
    {"domain"},
    {"events", "effects"},
    {"errors", "log"},
    {"config", "github", "tasks", "agents", "supervisor"},
    {"workflow"},
    {"web"},
    {"door", "telemetry"},
    {"tooling", "timetable"},
    {"app"},
    {"setup"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
NEIGHBOURS = {("errors", "domain"), ("demo", "localhub"), ("cli", "localhub")}


def modules() -> dict[str, Path]:
    found = {}
    for path in BOT.rglob("*.py"):
        parts = path.relative_to(BOT.parent).with_suffix("").parts
        if "shop" in parts:  # the sample application belongs to nobody's floor
            continue
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@cache
def graph() -> dict[str, set[str]]:
    """What each module imports of ours.

    Before 3.11.8 CPython could not parse while it parsed ("AST constructor recursion depth
    mismatch", its issue 106905). The collector runs in between whatever tells of a lost object, and
    that parses too.
    """
    gc.disable()
    try:
        known = modules()
        return {module: imports(path, known) for module, path in known.items()}
    finally:
        gc.enable()


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    tree = ast.parse(path.read_text())
    named: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
            assert node.level == 0, f"{path}: relative import"
    return {name for name in named if name in known and name.startswith("bot.")}


def floor(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(m) for m in modules()} - {"localhub"}
    assert rooms <= set().union(*FLOORS)


def test_imports_go_down_or_stay_in_the_room() -> None:
    wrong = []
    for module, names in graph().items():
        here = room_of(module)
        for name in names:
            there = room_of(name)
            if here == there or (here, there) in NEIGHBOURS:
                continue
            if "localhub" in (here, there) or floor(there) >= floor(here):
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_there_are_no_circles() -> None:
    TopologicalSorter({module: names - {module} for module, names in graph().items()}).prepare()


def test_nobody_hides_an_import_behind_type_checking() -> None:
    assert [p for p in modules().values() if "TYPE_CHECKING" in p.read_text()] == []
