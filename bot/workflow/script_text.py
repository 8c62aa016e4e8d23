"""The text of a script as a scan needs it: only what is code, and where its brackets close."""

import re

_OPAQUE = re.compile(
    r"//[^\n]*"
    r"|/\*(?:[^*]|\*(?!/))*(?:\*/)?"
    r"|\"(?:[^\"\\\n]|\\.)*\"?"
    r"|'(?:[^'\\\n]|\\.)*'?"
    r"|`(?:[^`\\]|\\.)*`?"
    r"|(?<=[(,=:\[!&|?{};])[ ]?/(?![/*])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/",
    re.DOTALL,
)
_RETURN = re.compile(r"(?<![\w$.])return\s{0,9}(?=[;\n}])")
_UNTRUE = re.compile(r"(?<![\w$.])if\s{0,9}\(\s{0,9}(?:false|0|null)\s{0,9}\)\s{0,9}\{")
_AFTER = re.compile(r"[{;}]\s{0,99}\Z")
_BEFORE = 100  #: characters before a statement that tell whether it stands alone


def blanked(text: str) -> str:
    """The text, equally long, with the inside of comments, strings and regexes blanked."""
    return _OPAQUE.sub(_blank, text)


def without_dead(plain: str) -> str:
    """The text without what stands behind a `return` that always comes, or below `if (false)`."""
    closing = brackets(plain, "{}")
    dead = [(m.end(), closing.get(m.end() - 1, m.end())) for m in _UNTRUE.finditer(plain)]
    opened: list[int] = []
    for sign in re.finditer(rf"[{{}}]|{_RETURN.pattern}", plain):
        match sign[0][0]:
            case "{":
                opened.append(sign.start())
            case "}":
                del opened[-1:]
            case _ if opened and stands_alone(plain, sign.start()):
                dead.append((sign.end(), closing.get(opened[-1], sign.end())))
    kept, at = [], 0
    for start, end in sorted(dead):
        if start >= at:
            kept += [plain[at:start], re.sub(r"[^\n]", " ", plain[start:end])]
            at = max(at, end)
    return "".join([*kept, plain[at:]])


def stands_alone(plain: str, at: int) -> bool:
    """Whether a statement begins here, which no condition or other expression is before."""
    return _AFTER.search(plain, max(0, at - _BEFORE), at) is not None


def brackets(plain: str, pair: str) -> dict[int, int]:
    """Each opening bracket of this pair and where it closes."""
    opened: list[int] = []
    closing: dict[int, int] = {}
    for match in re.finditer(f"[{pair}]", plain):
        if match[0] == pair[0]:
            opened.append(match.start())
        elif opened:
            closing[opened.pop()] = match.start()
    return closing


def _blank(match: re.Match[str]) -> str:
    found = match[0]
    inner = re.sub(r"[^\n]", " ", found)
    quote = found[0] if found[0] in "\"'`" else ""
    if quote and len(found) > 1 and found[-1] == quote:
        return quote + inner[1:-1] + quote
    return inner
