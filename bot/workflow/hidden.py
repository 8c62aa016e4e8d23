"""What a reader of an issue cannot see is taken out before an agent reads it.

Hidden text is the usual carrier of an injection: HTML comments, zero-width and bidi characters,
tag characters, variation selectors, the alternative texts of images, and the titles of link
definitions (`[//]: # (a comment)`). This is tidiness and not the defence; the defence is that an
agent has no power. Every scan goes forward once: a pattern with a lazy middle took 17 seconds on
65,536 hostile characters.
"""

import re

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

_TITLED = re.compile(  # https://spec.commonmark.org/0.31.2/#link-reference-definitions
    r"""^( {0,3}\[[^\]\n]{1,300}+\]:[ \t]{0,99}+\S{1,2000}+)[ \t]{0,99}(?:\n[ \t]{0,99}|[ \t])"""
    r"""(?:"[^"]{0,4000}"|'[^']{0,4000}'|\([^()]{0,4000}\))[ \t]{0,99}$""",
    re.MULTILINE,
)


def visible(text: str) -> str:
    """`text` as a reader sees it."""
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _without(text, "<!--", "-->", " ", unclosed_hides=True)
    text = _without(text, "<img", ">", " ", unclosed_hides=True)
    text = _without(text, "![", "]", "![]", unclosed_hides=False)
    return _TITLED.sub(r"\1", text).strip()


def _without(text: str, opening: str, closing: str, instead: str, *, unclosed_hides: bool) -> str:
    """`text` without the marks and what is between them; `instead` keeps the rest from joining."""
    lower, parts, at = text.lower(), [], 0
    while (start := lower.find(opening, at)) >= 0:
        parts.append(text[at:start])
        end = lower.find(closing, start + len(opening))
        if end < 0:
            # GitHub shows an unclosed image as text, and hides all after an unclosed comment
            return "".join(parts) + ("" if unclosed_hides else text[start:])
        parts.append(instead)
        at = end + len(closing)
    return "".join([*parts, text[at:]])
