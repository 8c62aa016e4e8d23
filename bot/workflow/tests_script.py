"""JavaScript and TypeScript tests, scanned rather than parsed: jest, vitest and their kin.

Comments, strings and templates are blanked first, so that brackets can be matched in one pass.
The scan is linear and never raises; what it cannot read it does not count, so that a file which
hides its tests from the scan shows as one that lost them.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

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


def read_script(text: str) -> list[TestCase]:
    """The tests of one file, titles joined with ` › ` as the runners print them."""
    plain = _blanked(text)
    regions = _regions(text, plain, _brackets(plain))
    asserts = [(m.start(), _statement(text, plain, m.start())) for m in _ASSERT.finditer(plain)]
    starts = [m.end() for m in re.finditer("\n", text)]
    cases: list[TestCase] = []
    around: list[_Region] = []
    at = 0
    for region in regions:
        while around and around[-1].end < region.start:
            around.pop()
        if region.is_group:
            around.append(region)
            continue
        while at < len(asserts) and asserts[at][0] < region.start:
            at += 1
        inside = []
        while at < len(asserts) and asserts[at][0] <= region.end:
            inside.append(asserts[at][1])
            at += 1
        cases.append(_case(bisect_right(starts, region.start) + 1, region, around, inside))
    return cases


def _case(line: int, region: _Region, around: list[_Region], inside: list[str]) -> TestCase:
    real = tuple(s for s in inside if not _TRIVIAL.match(s))
    return TestCase(
        name=" › ".join(r.title for r in (*around, region)),
        line=line,
        asserts=real,
        trivial=len(inside) - len(real),
        marks=region.marks + sum(r.marks for r in around),
        only=region.only or any(r.only for r in around),
    )


def _regions(text: str, plain: str, closing: dict[int, int]) -> list[_Region]:
    regions = []
    for match in _CALL.finditer(plain):
        chain = set(re.findall(r"\w+", match["chain"]))
        opened = _arguments(plain, match.end(), closing, tabled="each" in chain or "for" in chain)
        if opened is None:
            continue
        regions.append(
            _Region(
                start=opened,
                end=closing.get(opened, len(plain)),
                title=_title(text, opened),
                is_group=match["kind"] in _GROUPS,
                marks=len(chain & _SKIPS) + (match["prefix"] == "x"),
                only="only" in chain or match["prefix"] == "f",
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


_TITLE = re.compile(r"\(\s{0,99}([\"'`])((?:(?!\1)[^\\]|\\.){0,300})\1", re.DOTALL)


def _title(text: str, opened: int) -> str:
    match = _TITLE.match(text, opened)
    return match[2] if match else "?"


def _statement(text: str, plain: str, at: int) -> str:
    last = at + MAX_STATEMENT
    ends = [e for e in (plain.find(";", at, last), plain.find("\n", at, last)) if e >= 0]
    end = min([*ends, last])
    return re.sub(r"\s+", "", text[at:end])


def _brackets(plain: str) -> dict[int, int]:
    """Each opening parenthesis and where it closes."""
    opened: list[int] = []
    closing: dict[int, int] = {}
    for match in re.finditer(r"[()]", plain):
        if match[0] == "(":
            opened.append(match.start())
        elif opened:
            closing[opened.pop()] = match.start()
    return closing


_OPAQUE = re.compile(
    r"//[^\n]*"
    r"|/\*(?:[^*]|\*(?!/))*(?:\*/)?"
    r"|\"(?:[^\"\\\n]|\\.)*\"?"
    r"|'(?:[^'\\\n]|\\.)*'?"
    r"|`(?:[^`\\]|\\.)*`?"
    r"|(?<=[(,=:\[!&|?{};])[ ]?/(?![/*])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/",
    re.DOTALL,
)


def _blanked(text: str) -> str:
    """The text, equally long, with the inside of comments, strings and regexes blanked."""
    return _OPAQUE.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    found = match[0]
    inner = re.sub(r"[^\n]", " ", found)
    quote = found[0] if found[0] in "\"'`" else ""
    if quote and len(found) > 1 and found[-1] == quote:
        return quote + inner[1:-1] + quote
    return inner
