"""What may stand in an address: every owner, repository, ref and number is checked here first.

Values go into URLs and onto git's command line. An owner of `..` reaches another resource with
our token, a ref of `--upload-pack=…` runs a program; both are refused before anything is sent.
"""

import re

from bot.errors import InputError

MAX_ID = 2**63 - 1  #: what a database column holds; GitHub's ids are far below

_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})")
_REPO = re.compile(r"[A-Za-z0-9._-]{1,100}")
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# git-check-ref-format(1): no control characters, space, ~ ^ : ? * [ \, no "..", "@{", "//".
_PLAIN_REF = re.compile(r"[A-Za-z0-9_]{1,100}")  #: nearly every branch; nothing in it to forbid
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


class BadName(InputError):
    """A name that cannot be one of GitHub's; nothing was sent."""


def is_owner(text: str) -> bool:
    return _OWNER.fullmatch(text) is not None


def is_repo_name(text: str) -> bool:
    return _REPO.fullmatch(text) is not None and text not in {".", ".."}


def is_login(text: str) -> bool:
    """A person's or a bot's (`name[bot]`) login."""
    return _LOGIN.fullmatch(text) is not None


def is_sha(text: str) -> bool:
    """A full object name, SHA-1 or SHA-256; abbreviations are ambiguous and refused."""
    return _SHA.fullmatch(text) is not None


def is_ref(text: str) -> bool:
    """A branch, tag or full ref that git itself would accept, and that is no option."""
    if _PLAIN_REF.fullmatch(text) is not None:
        return True
    parts = text.split("/")
    return (
        0 < len(text.encode("utf-8", "replace")) <= 250
        and text.isprintable()
        and _BAD_IN_REF.search(text) is None
        and not text.startswith(("-", "/"))
        and not text.endswith(("/", "."))
        and text != "@"
        and not any(part.startswith(".") or part.endswith(".lock") for part in parts)
    )


def is_path(text: str) -> bool:
    """A file's path inside a repository: relative, POSIX, without `.` or `..` or `.git`."""
    parts = text.split("/")
    return (
        0 < len(text) <= 4096
        and not any(ord(c) < 0x20 or ord(c) == 0x7F for c in text)
        and not any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts)
    )


def owner(text: str) -> str:
    return _checked(is_owner(text), "owner", text)


def repo_name(text: str) -> str:
    return _checked(is_repo_name(text), "repository name", text)


def login(text: str) -> str:
    return _checked(is_login(text), "login", text)


def sha(text: str) -> str:
    return _checked(is_sha(text), "commit SHA", text)


def ref(text: str) -> str:
    return _checked(is_ref(text), "git ref", text)


def path(text: str) -> str:
    return _checked(is_path(text), "path", text)


def number(value: int) -> int:
    """An id or number as GitHub gives them: 1 or more."""
    if isinstance(value, bool) or not 0 < value <= MAX_ID:
        raise BadName(f"{value!r} cannot be an id or number of GitHub's")
    return value


def _checked(fits: bool, what: str, text: str) -> str:
    if not fits:
        raise BadName(f"{text[:100]!r} cannot be a {what}")
    return text
