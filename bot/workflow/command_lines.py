"""Where in a comment a command may stand.

A command is a line that begins at column 0 with the prefix (a phone may have written its first
letter large), inside a paragraph at the top level of
the Markdown. Code, quotes (with their lazy continuation), HTML, `<details>`, lists, headings,
tables and footnotes hold no commands: people quote and explain them there.

markdown-it-py is asked for the block structure, and for the inline structure of those paragraphs
only that could hold a command. Both are slower than linear on hostile text, so they see a bounded
beginning of the comment: no person puts a command after 200 lines.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile

from markdown_it import MarkdownIt

PREFIX = "/chimera"
MAX_COMMANDS = 3  #: of a comment that are carried out
MAX_FOUND = MAX_COMMANDS + 1  #: so that it can be told that there were more
MAX_LINES = 200
MAX_CHARS = 16_384
MAX_PARAGRAPH = 2000  #: characters of a paragraph with markup; one without is not parsed
MAX_SIGNS = 300  #: of markup in all such paragraphs; their number is what makes parsing slow
MAX_LINE = 1024  #: characters of a command, its reason included

_BLOCKS = MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])
_INLINE = MarkdownIt("commonmark")
_SIGN, _END = "\ue000", "\ue001"  # private use: stand for the prefix while inlines are parsed
_SIGNS = re.compile(r"[`<\[\]*_]")  # what can begin or end an inline construct of several lines
_TAG = re.compile(
    r"<(/?)(details|summary|div|section|article|aside|blockquote|pre|code|table|ul|ol|li|dl|p|center"
    r"|picture|svg|math|script|style|textarea|template)(?=[\s/>])",
    re.IGNORECASE,
)
_CODE_SPAN = re.compile(r"`[^`\n]*`")
_FOOTNOTE = re.compile(r" {0,3}\[\^")


def command_lines(body: str, prefix: str = PREFIX) -> list[str]:
    """The lines of `body` that are commands, whole and in order, at most `MAX_FOUND`."""
    if f"\n{prefix}" not in f"\n{body[:MAX_CHARS]}".replace("\r", "\n").lower():
        return []
    lines = _beginning(body)
    wanted = [n for n, line in enumerate(lines) if _meant(line, prefix)]
    found: list[str] = []
    allowance = MAX_SIGNS
    for first, last, references in _paragraphs(lines, wanted):
        paragraph = lines[first:last]
        signs = _signs(paragraph)
        if _footnote(lines, first) or signs > allowance:
            continue
        allowance -= signs
        found += _visible(paragraph, prefix, references) if signs else _all(paragraph, prefix)
        if len(found) >= MAX_FOUND:
            break
    return found[:MAX_FOUND]


def _beginning(body: str) -> list[str]:
    """The lines that are looked at; a line or paragraph that was cut is not among them."""
    text = body[: MAX_CHARS + 2].replace("\r\n", "\n").replace("\r", "\n")
    for sign in (_SIGN, _END, "\x00"):
        text = text.replace(sign, "\ufffd")
    lines = text.split("\n")
    if len(body) <= MAX_CHARS and len(lines) <= MAX_LINES:
        return lines
    lines = lines[: min(MAX_LINES, len(lines) - 1)]
    while lines and lines[-1].strip():  # its paragraph may go on, and become a heading
        lines.pop()
    return lines


def _meant(line: str, prefix: str) -> bool:
    said, rest = line[: len(prefix)], line[len(prefix) :]
    named = said in (prefix, prefix.title())
    return named and len(line) <= MAX_LINE and (not rest or rest[0] in " \t")


def _paragraphs(
    lines: Sequence[str], wanted: Sequence[int]
) -> Iterator[tuple[int, int, dict[str, object]]]:
    """Top-level paragraphs that hold a wanted line: first line, last + 1, link references."""
    references: dict[str, object] = {}
    open_tags: Counter[str] = Counter()
    parent = ""
    for token in _BLOCKS.parse("\n".join(lines), references) if wanted else ():
        if token.type == "html_block":
            _note_tags(open_tags, token.content)
        elif token.type == "inline":
            first, last = token.map or (0, 0)
            holds = any(first <= n < last for n in wanted)
            if holds and parent == "paragraph_open" and token.level == 1 and not open_tags:
                yield first, last, references
            _note_tags(open_tags, _CODE_SPAN.sub("", token.content))
        parent = token.type


def _note_tags(open_tags: Counter[str], html: str) -> None:
    """Count which containers are open after this HTML; comments open none, strays close none."""
    for tag in _TAG.finditer(_without_comments(html)):
        name = tag[2].lower()
        open_tags[name] += -1 if tag[1] else 1
        if open_tags[name] <= 0:
            del open_tags[name]


def _without_comments(html: str) -> str:
    kept, at = [], 0
    while (start := html.find("<!--", at)) >= 0:
        kept.append(html[at:start])
        end = html.find("-->", start + 4)
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join([*kept, html[at:]])


def _footnote(lines: Sequence[str], first: int) -> bool:
    """Whether GitHub, unlike CommonMark, takes this paragraph for the rest of a footnote."""
    above = takewhile(str.strip, reversed(lines[: first + 1]))
    return any(_FOOTNOTE.match(line) for line in above)


def _signs(paragraph: Sequence[str]) -> int:
    """How much markup is in there; 0 for plain text, more than is allowed for too long a one."""
    text = "\n".join(paragraph)
    signs = len(_SIGNS.findall(text))
    return signs if not signs or len(text) <= MAX_PARAGRAPH else MAX_SIGNS + 1


def _all(paragraph: Sequence[str], prefix: str) -> list[str]:
    return [line for line in paragraph if _meant(line, prefix)]


def _visible(paragraph: Sequence[str], prefix: str, references: dict[str, object]) -> list[str]:
    """Of a paragraph's lines, those that are commands and not part of a code span, tag or link."""
    marked = [
        f"{_SIGN}{n}{_END}{line[len(prefix) :]}" if _meant(line, prefix) else line
        for n, line in enumerate(paragraph)
    ]
    tokens = _INLINE.parseInline("\n".join(marked), references)
    found = []
    nesting, fresh = 0, True
    for child in tokens[0].children or ():
        if fresh and nesting == 0 and child.type == "text" and child.content.startswith(_SIGN):
            found.append(paragraph[int(child.content[1:].partition(_END)[0])])
        fresh = child.type in {"softbreak", "hardbreak"}
        nesting += child.nesting
    return found
