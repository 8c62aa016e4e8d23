"""Repo: one repository and every call that we make in it, with typed results.

The calls stand by subject in `issues`, `pulls`, `checks`, `actions` and `refs`; each file names its
page of GitHub's documentation. A new call needs its operation in `tests/conformance/make_slice.py`.
"""

from bot.github.actions import ActionsCalls
from bot.github.checks import CheckCalls
from bot.github.issues import IssueCalls
from bot.github.pulls import PullCalls
from bot.github.refs import RefCalls


class Repo(IssueCalls, PullCalls, CheckCalls, ActionsCalls, RefCalls):
    """`Repo(github, ref)`: made when needed, holds nothing of its own."""
