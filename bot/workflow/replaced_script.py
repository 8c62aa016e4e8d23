"""What tests of jest, vitest, Bun and Node's own runner run with a substitute for.

Scanned like the tests themselves: forward once, on a text whose comments and strings are blank.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Span = tuple[int, int]  #: where the arguments of a `describe` or a test begin and end
WHOLE = -1  #: stands for the file
MAX_NAMES = 500  #: of one file; so many are reported as they are, and the rest adds nothing

_CALL = re.compile(
    r"(?<![\w$])(?P<by>vi|vitest|jest|mock|sinon)\s{0,9}\.\s{0,9}"
    r"(?P<kind>mock|doMock|setMock|unstable_mockModule|module|stubGlobal|replaceProperty|spyOn"
    r"|method|stub|replace)\s{0,9}(?:<[^<>;{}]{0,200}>\s{0,9})?\("
)
_ASSIGNED = re.compile(
    r"(?<![\w$.])(?:(?:globalThis|global|window)\.|[\w$]{1,99}\.prototype\.)[\w$]{1,99}"
    r"(?=\s{0,9}=[^=>])"
)
_HOISTED = frozenset(["mock", "setMock"])  #: wherever they stand, they are done first
_WATCHES = frozenset(["spyOn", "method"])  #: the real thing is run, unless an answer is given
_ANSWERS = re.compile(r"\s{0,99}\.\s{0,9}mock(?!Clear|Reset|Restore|Name)[A-Z]")
_ANSWERED = re.compile(rf"(?<![\w$.])([\w$]{{1,99}}){_ANSWERS.pattern}")
_KEPT_AS = re.compile(r"([\w$]{1,99})\s{0,9}=\s{0,9}\Z")
_BEFORE = 120  #: characters that may hold the name which a spy is kept under
_THIRD = re.compile(r"\s{0,99}[\w$.]{1,200}\s{0,99},\s{0,99}[\"'`][^\"'`]{0,300}[\"'`]\s{0,99},")
_SPIES = re.compile(r"(?<![\w$])spy\s{0,9}:\s{0,9}true")
_TEXT = re.compile(r"\s{0,99}(?:import\s{0,9}\(\s{0,9})?[\"'`]([^\"'`\n]{0,300})")
_MEMBER = re.compile(r"\s{0,99}([\w$.]{1,200})\s{0,99},\s{0,99}[\"'`]([^\"'`\n]{0,300})")
_ENDING = re.compile(r"\.[cm]?[jt]sx?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Substitute:
    at: int
    name: str
    hoisted: bool = False


def replaced_in(
    text: str, plain: str, closing: Mapping[int, int], spans: Sequence[Span]
) -> Mapping[int, frozenset[str]]:
    """What is replaced, by the start of the innermost span that it is replaced in.

    `plain` is the text with its comments and strings blanked, `closing` where each of its round
    brackets closes; `spans` are sorted by their starts.
    """
    found: dict[int, set[str]] = defaultdict(set)
    names: set[str] = set()
    opened: list[Span] = []
    coming = iter([*spans, (len(plain) + 1, 0)])
    following = next(coming)
    for one in sorted(_substitutes(text, plain, closing), key=lambda one: one.at):
        while following[0] <= one.at:
            opened.append(following)
            following = next(coming)
        while opened and opened[-1][1] < one.at:
            opened.pop()
        if len(names) < MAX_NAMES or one.name in names:
            names.add(one.name)
            found[WHOLE if one.hoisted or not opened else opened[-1][0]].add(one.name)
    return {start: frozenset(some) for start, some in found.items()}


def _substitutes(text: str, plain: str, closing: Mapping[int, int]) -> Iterator[_Substitute]:
    answered = {match[1] for match in _ANSWERED.finditer(plain)}
    for call in _CALL.finditer(plain):
        end = closing.get(call.end() - 1, len(plain))
        if call["kind"] in _WATCHES and not _answers(plain, call, end, answered):
            continue
        if _SPIES.search(plain, call.end(), min(end, call.end() + _BEFORE)):
            continue
        name, hoisted = _name(text, call.end()), call["kind"] in _HOISTED
        yield _Substitute(at=call.start(), name=name, hoisted=hoisted)
    for match in _ASSIGNED.finditer(plain):
        name = re.sub(r"^(?:globalThis|global|window)\.", "", match[0])
        yield _Substitute(at=match.start(), name=name)


def _answers(plain: str, call: re.Match[str], end: int, answered: set[str]) -> bool:
    """Whether what is watched is also answered for: here, or under the name it is kept as."""
    if _THIRD.match(plain, call.end()) or _ANSWERS.match(plain, end + 1):
        return True
    kept = _KEPT_AS.search(plain, max(0, call.start() - _BEFORE), call.start())
    return kept is not None and kept[1] in answered


def _name(text: str, at: int) -> str:
    """`./cart`, `fetch` or `cart.total`, from the arguments that begin here."""
    if (only := _TEXT.match(text, at)) is not None:
        return _ENDING.sub("", only[1])
    member = _MEMBER.match(text, at)
    return f"{member[1]}.{member[2]}" if member else "something"
