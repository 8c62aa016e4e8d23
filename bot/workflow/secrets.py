"""Secrets in the text of a change: well-known shapes, and assignments with high entropy.

Pure, linear in the text, and quiet where a value is plainly an example. What is found is never
repeated: a report shows the first four characters and the length.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MIN_ENTROPY_BITS = 3.3  #: per character; English words have about 2.5, random base64 about 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Where something that looks like a secret stands; `shown` may be printed."""

    line: int
    kind: str
    shown: str


def find_secrets(lines: Iterable[tuple[int, str]]) -> Iterator[Secret]:
    """What looks like a secret in numbered lines; at most one finding a kind and line."""
    key_opened_at = 0
    for number, text in lines:
        if key_opened_at == number - 1 and key_opened_at and _KEY_BODY.match(text):
            yield Secret(line=key_opened_at, kind="private key", shown="-----BEGIN …")
        key_opened_at = number if _KEY_OPENED.search(text) else 0
        if _KEY_INLINE.search(text):
            yield Secret(line=number, kind="private key", shown="-----BEGIN …")
        yield from _in_line(number, text)


def shown(value: str) -> str:
    """A value as a report may name it."""
    return f"{value[:4]}… ({len(value)} characters)"


def entropy(text: str) -> float:
    """Shannon entropy, bits per character."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())


def _in_line(number: int, text: str) -> Iterator[Secret]:
    known = False
    for kind, pattern in _SHAPES:
        match = pattern.search(text)
        if match is not None and not _is_example(match[1]):
            known = True
            yield Secret(line=number, kind=kind, shown=shown(match[1]))
    if known:
        return
    for match in _ASSIGNED.finditer(text):
        value = match["quoted"] or match["bare"]
        if _looks_random(value) and not _is_example(value):
            before = _NAME_BEFORE.search(text[max(0, match.start() - 40) : match.start()])
            name = (before[0] if before is not None else "") + match["name"]
            yield Secret(line=number, kind=f"value of {name}", shown=shown(value))
            return


def _looks_random(value: str) -> bool:
    """A mix of letters and digits with high entropy; a word, a path or a call is none."""
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return mixed and _SLUG.fullmatch(value) is None and entropy(value) >= MIN_ENTROPY_BITS


def _is_example(value: str) -> bool:
    return _EXAMPLE.search(value) is not None or len(set(value)) < 6


#: Words with something between them, such as `argon2id-with-salt`.
_SLUG = re.compile(r"[A-Za-z]+\d?[A-Za-z]*(?:[-_.:/][A-Za-z]+\d?[A-Za-z]*)+")

_EXAMPLE = re.compile(
    r"example|dummy|placeholder|changeme|change-me|your[-_]|xxxx|0000000|1234567890|abcdefgh"
    r"|not-?a-?(?:real|secret)|\$\{|\{\{|<[a-z]|^(?:password|postgres|secret)$",
    re.IGNORECASE,
)

_KEY_OPENED = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----\s*[\"'\\]?n?\s*$")
_KEY_BODY = re.compile(r"^\s*[\"']?(?:[A-Za-z0-9+/=]{32,}|Proc-Type:|Version:)")
_KEY_INLINE = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:\\r)?(?:\\n)[A-Za-z0-9+/]{24}")

# Each pattern has one group: the value.
_SHAPES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("GitHub token", r"\b(gh[pousr]_[A-Za-z0-9._\-]{30,800})"),
        ("GitHub token", r"\b(github_pat_[A-Za-z0-9_]{30,255})"),
        ("GitLab token", r"\b(glpat-[A-Za-z0-9_\-]{20,100})"),
        ("AWS access key", r"\b((?:AKIA|ASIA)[0-9A-Z]{16})\b"),
        ("AWS secret key", r"(?i:aws.{0,30}(?:secret|key).{0,20}?)[\"'=:\s]([A-Za-z0-9/+]{40})\b"),
        ("Google API key", r"\b(AIza[A-Za-z0-9_\-]{35})"),
        ("Slack token", r"\b(xox[abprse]-[A-Za-z0-9\-]{10,200})"),
        ("Slack webhook", r"(hooks\.slack\.com/services/T[A-Za-z0-9/]{20,80})"),
        ("Stripe key", r"\b([rs]k_live_[A-Za-z0-9]{16,200})"),
        ("Anthropic key", r"\b(sk-ant-[A-Za-z0-9_\-]{20,200})"),
        ("OpenAI key", r"\b(sk-(?:proj-)?[A-Za-z0-9_\-]{32,200})"),
        ("npm token", r"\b(npm_[A-Za-z0-9]{36})\b"),
        ("PyPI token", r"\b(pypi-AgE[A-Za-z0-9_\-]{40,400})"),
        ("SendGrid key", r"\b(SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64})"),
        (
            "JSON web token",
            r"\b(eyJ[A-Za-z0-9_\-]{15,2000}\.eyJ[A-Za-z0-9_\-]{10,4000}\.[\w\-]{20,1000})",
        ),
        (
            "password in a URL",
            r"\b[a-z][a-z0-9+.\-]{1,20}://[^/\s:@\"']{1,100}:([^/\s@\"'{}$<>]{8,200})@",
        ),
    )
)

_NAME_BEFORE = re.compile(r"[A-Za-z0-9_\-]{0,40}\Z")
_ASSIGNED = re.compile(
    r"(?P<name>(?:secret|passwd|password|token|api[_\-]?key|private[_\-]?key"
    r"|access[_\-]?key|credential)[A-Za-z0-9_\-]{0,20})[\"']?\s{0,8}(?::=|=>|[:=])\s{0,8}"
    r"(?:[\"'](?P<quoted>[^\"'\s]{12,400})[\"']|(?P<bare>[A-Za-z0-9+/=_\-]{20,400})\s*$)",
    re.IGNORECASE,
)
