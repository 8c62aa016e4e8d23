"""JavaScript and TypeScript tests, scanned rather than parsed: jest, vitest and their kin.

Comments, strings and templates are blanked first, so that brackets can be matched in one pass.
The scan is linear and never raises; what it cannot read it does not count, so that a file which
hides its tests from the scan shows as one that lost them.
"""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.workflow.replaced_script import WHOLE, replaced_in
from bot.workflow.script_text import blanked, brackets, stands_alone, without_dead
from bot.workflow.testcases import TestCase

_CALL = re.compile(
    r"(?<![\w.$])(?P<prefix>[xf]?)(?P<kind>it|test|specify|describe|suite|context)"
    r"(?P<chain>(?:\s{0,9}\.\s{0,9}\w+)*)\s{0,9}(?=[(`])"
)
_ASSERT = re.compile(
    r"(?<![\w$])(?:expect|assert)(?:\.\w+)*\s{0,9}\(|\.should\b|(?<![\w$])t\.(?:is|ok|equal|deepEqual)\("
)
_TRIVIAL = re.compile(
    r"expect\((true|false|null|undefined|-?\d+|\"[^\"]*\"|'[^']*')\)\."
    r"(?:(?:toBe|toEqual|toStrictEqual)\(\1\)|toBeTruthy\(\)|toBeDefined\(\)|toBeFalsy\(\))"
    r"|assert(?:\.ok)?\((?:true|1)\)"
)
_NEVER = re.compile(  # true of no program
    r"expect\((?:true\)\.toBe\(false|false\)\.toBe\(true|true\)\.toBeFalsy\(|false\)\.toBeTruthy\()"
    r"|(?:expect|assert)\.fail\(|assert(?:\.ok)?\((?:false|0)\)"
)
_ASKED = re.compile(r"\s{0,99}\.")
_TRY = re.compile(r"(?<![\w$.])try\s{0,9}\{")
_CATCH = re.compile(r"\s{0,99}catch\s{0,9}(?:\([^()]{0,200}\)\s{0,9})?\{")
_MINDS = re.compile(r"(?<![\w$])(?:throw|expect|assert|fail|reject)(?![\w$])")
_PROMISED = re.compile(r"\s{0,99}\.\s{0,9}(?:rejects|resolves)(?![\w$])")
_HEARD = re.compile(r"(?:(?<![\w$])(?:await|return|yield)|=>|[(\[,])\s{0,99}\Z")
_OPTIONS = re.compile(r"\s{0,99},\s{0,99}\{[^{}]{0,300}\}")
_OFF = re.compile(r"(?<![\w$])(?:skip|todo|fails)\s{0,9}(?::(?!\s{0,9}false)|[,}])")
_ALONE = re.compile(r"(?<![\w$])only\s{0,9}:\s{0,9}true")
_SKIP_CALL = re.compile(
    r"(?<![\w$.])(?:(?:ctx|context|t|this|it|test)\s{0,9}\.\s{0,9})?skip\s{0,9}\(\s{0,9}(?!\d)"
)
_NO_ROWS = re.compile(r"\(\s{0,99}\[\s{0,99}\]")
_BEFORE = 100  #: characters before an assertion that tell whether somebody waits for it
_TABLE_DEPTH = 2  #: of brackets around a row: those of the call and of the array
_SKIPS = frozenset(["skip", "todo", "failing", "fails", "skipIf", "runIf"])
_GROUPS = frozenset(("describe", "suite", "context"))
MAX_STATEMENT = 400  #: characters of an assertion that are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """A `describe` or a test: where its arguments begin and end, and what it is called."""

    start: int
    end: int
    title: str
    is_group: bool
    marks: int
    only: bool
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Assert:
    """An assertion: where it begins, what it says, and whether it says anything."""

    at: int
    text: str
    says: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    """What stands where in one file; places are sorted."""

    plain: str
    regions: list[_Region]
    asserts: list[_Assert]
    swallowing: list[int]
    skipping: list[int]
    opens: list[int]  #: curly brackets
    closes: list[int]
    lines: list[int]  #: where each but the first begins
    replaced: Mapping[int, frozenset[str]]  #: by the start of a region, or for the file


def read_script(text: str) -> list[TestCase]:
    """The tests of one file, titles joined with ` › ` as the runners print them."""
    script = _scanned(text)
    waiting = deque(script.asserts)
    cases: list[TestCase] = []
    around: list[_Region] = []
    for region in script.regions:
        while around and around[-1].end < region.start:
            around.pop()
        if region.is_group:
            around.append(region)
        else:
            cases.append(_case(script, [*around, region], _taken(waiting, region)))
    return cases


def _scanned(text: str) -> _Script:
    plain = without_dead(blanked(text))
    round_, curly = brackets(plain, "()"), brackets(plain, "{}")
    regions = _regions(text, plain, round_)
    asserts = [
        _Assert(at=m.start(), text=_statement(text, plain, m.start()), says=_says(plain, m, round_))
        for m in _ASSERT.finditer(plain)
    ]
    return _Script(
        plain=plain,
        regions=regions,
        asserts=asserts,
        swallowing=_swallowing(plain, curly, [one.at for one in asserts]),
        skipping=[m.start() for m in _SKIP_CALL.finditer(plain)],
        opens=sorted(curly),
        closes=sorted(curly.values()),
        lines=[m.end() for m in re.finditer("\n", text)],
        replaced=replaced_in(text, plain, round_, [(one.start, one.end) for one in regions]),
    )


def _taken(waiting: deque[_Assert], region: _Region) -> list[_Assert]:
    """The assertions of a test, each of which is taken once, however tests are nested."""
    inside: list[_Assert] = []
    while waiting and waiting[0].at <= region.end:
        one = waiting.popleft()
        if one.at >= region.start:
            inside.append(one)
    return inside


def _case(script: _Script, path: list[_Region], inside: list[_Assert]) -> TestCase:
    """`path` are the groups around the test, and the test."""
    test = path[-1]
    replaced = (script.replaced.get(at, frozenset()) for at in (WHOLE, *(r.start for r in path)))
    case = TestCase(
        name=" › ".join(region.title for region in path),
        line=bisect_right(script.lines, test.start) + 1,
        marks=sum(r.marks for r in path) + _between(script.skipping, test.start, test.end),
        only=any(region.only for region in path),
        swallows=_between(script.swallowing, test.start, test.end),
        cases=test.cases,
        replaced=frozenset().union(*replaced),
    )
    return _weighed(case, inside, {one.at for one in inside if _straight(script, test, one)})


def _straight(script: _Script, test: _Region, one: _Assert) -> bool:
    """Whether an assertion is under no condition: in the test's own block, and alone."""
    opened = _between(script.opens, test.start, one.at)
    depth = opened - _between(script.closes, test.start, one.at)
    return depth == 1 and stands_alone(script.plain, one.at)


def _weighed(case: TestCase, inside: list[_Assert], straight: set[int]) -> TestCase:
    """The case with what its assertions are worth; `straight` holds those that always come."""
    hopeless = {one.at for one in inside if one.at in straight and _NEVER.match(one.text)}
    trivial = {one.at for one in inside if not one.says or _TRIVIAL.match(one.text)}
    worthless = hopeless | trivial
    real = tuple(one.text for one in inside if one.at not in worthless)
    return replace(case, asserts=real, always_fails=len(hopeless))


def _between(places: list[int], start: int, end: int) -> int:
    """How many of the sorted places lie after `start` and up to `end`."""
    return bisect_right(places, end) - bisect_right(places, start)


def _says(plain: str, call: re.Match[str], closing: dict[int, int]) -> bool:
    """Whether anything is asked of what `expect(…)` was given, and heard: else it never fails."""
    if not call[0].startswith("expect") or "." in call[0]:
        return True
    end = closing.get(call.end() - 1, len(plain))
    if _PROMISED.match(plain, end + 1):  # that nobody waits for, it fails after the test has passed
        return _HEARD.search(plain, max(0, call.start() - _BEFORE), call.start()) is not None
    return _ASKED.match(plain, end + 1) is not None


def _swallowing(plain: str, closing: dict[int, int], asserts: list[int]) -> list[int]:
    """Where an assertion is tried and its failure caught, and nothing is made of that."""
    found = []
    for tried in _TRY.finditer(plain):
        end = closing.get(tried.end() - 1)
        inside = _between(asserts, tried.start(), end) if end is not None else 0
        caught = _CATCH.match(plain, end + 1) if inside and end is not None else None
        if caught is None:
            continue
        last = closing.get(caught.end() - 1, len(plain))
        if not _MINDS.search(plain, caught.end(), last):
            found.append(tried.start())
    return found


def _regions(text: str, plain: str, closing: dict[int, int]) -> list[_Region]:
    regions = []
    for match in _CALL.finditer(plain):
        chain = set(re.findall(r"\w+", match["chain"]))
        opened = _arguments(plain, match.end(), closing, tabled="each" in chain or "for" in chain)
        if opened is None:
            continue
        options = _options(text, plain, opened)
        regions.append(
            _Region(
                start=opened,
                end=closing.get(opened, len(plain)),
                title=_title(text, opened),
                is_group=match["kind"] in _GROUPS,
                marks=len(chain & _SKIPS) + (match["prefix"] == "x") + bool(_OFF.search(options)),
                only="only" in chain or match["prefix"] == "f" or bool(_ALONE.search(options)),
                cases=_rows(plain, match.end(), opened),
            )
        )
    return regions


def _arguments(plain: str, at: int, closing: dict[int, int], *, tabled: bool) -> int | None:
    """Where the arguments with the title open; `each` has its table before them."""
    if tabled:
        end = plain.find("`", at + 1) if plain[at] == "`" else closing.get(at, -1)
        if end < 0:
            return None
        rest = re.compile(r"\s{0,99}\(").match(plain, end + 1)
        return rest.end() - 1 if rest else None
    return at if plain[at] == "(" else None


def _rows(plain: str, start: int, opened: int) -> int:
    """Rows of a table that is written out between `each` and the arguments; 1 without one."""
    table = plain[start:opened]
    if _NO_ROWS.match(table):
        return 0
    if table.startswith("`"):
        return max(1, sum(bool(line.strip()) for line in table.strip("` ").splitlines()) - 1)
    depth, rows, filled = 0, 0, False
    for sign in re.finditer(r"[\[({\])},]|[^\s\[({\])},]+", table):
        match sign[0]:
            case "[" | "(" | "{":
                filled = filled or depth >= _TABLE_DEPTH
                depth += 1
            case "]" | ")" | "}":
                depth -= 1
            case "," if depth == _TABLE_DEPTH:
                rows, filled = rows + filled, False
            case _:
                filled = filled or depth >= _TABLE_DEPTH
    return max(1, rows + filled)


_TITLE = re.compile(r"\(\s{0,99}([\"'`])((?:(?!\1)[^\\]|\\.){0,300})\1", re.DOTALL)


def _title(text: str, opened: int) -> str:
    match = _TITLE.match(text, opened)
    return match[2] if match else "?"


def _options(text: str, plain: str, opened: int) -> str:
    """What stands in braces between the title and the test, as vitest and Node's runner take it."""
    title = _TITLE.match(text, opened)
    match = _OPTIONS.match(plain, title.end()) if title else None
    return match[0] if match else ""


def _statement(text: str, plain: str, at: int) -> str:
    last = at + MAX_STATEMENT
    ends = [e for e in (plain.find(";", at, last), plain.find("\n", at, last)) if e >= 0]
    end = min([*ends, last])
    return re.sub(r"\s+", "", text[at:end])
