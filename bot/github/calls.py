"""How one repository is spoken to: the base of the classes that hold the calls."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from bot.domain import RepoRef
from bot.github import names
from bot.github.answers import Answer
from bot.github.client import GitHub
from bot.github.fields import Fields
from bot.github.kit import Params
from bot.github.types import Listing, Made


class RepoCalls:
    """One repository, as the installation that may work in it.

    Every call raises as `GitHub.call` does: RateLimited, AuthFailed, Refused, Conflict, Transient,
    and Uncertain for a write without a readable answer.
    """

    def __init__(self, github: GitHub, repo: RepoRef) -> None:
        names.owner(repo.owner)
        names.repo_name(repo.name)
        self.github = github
        self.repo = repo
        self._installation_id = names.number(repo.installation_id)
        self._base = f"/repos/{repo.owner}/{repo.name}"

    async def _get(self, path: str, params: Params | None = None) -> Fields:
        answer = await self.github.get(
            f"{self._base}{path}", installation_id=self._installation_id, params=params
        )
        return object_in(answer)

    async def _list(self, path: str, params: Params | None = None, *, of: str = "") -> list[Fields]:
        """All items of all pages; `of` names the list where it is wrapped in an object."""
        found: list[Fields] = []
        async for page in self._pages(path, params):
            found += page.items(of) if of else page.each()
        return found

    async def _pages(self, path: str, params: Params | None = None) -> AsyncIterator[Fields]:
        pages = self.github.pages(
            f"{self._base}{path}", installation_id=self._installation_id, params=params
        )
        async for answer in pages:
            yield Fields(answer.json())

    async def _list_if_changed(self, path: str, params: Params, etag: str) -> Listing[Fields]:
        """All items, or that the first page is still the one with this tag."""
        pages = self.github.pages(
            f"{self._base}{path}", installation_id=self._installation_id, params=params, etag=etag
        )
        found: list[Fields] = []
        tag = ""
        async for answer in pages:
            if answer.unchanged:
                return Listing(items=None, etag=etag)
            tag = tag or answer.headers.get("etag", "")
            found += Fields(answer.json()).each()
        return Listing(items=tuple(found), etag=tag)

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        receipt: bool = False,
    ) -> Answer:
        return await self.github.call(
            method,
            f"{self._base}{path}",
            installation_id=self._installation_id,
            body=body,
            receipt=receipt,
        )

    async def _make(self, path: str, body: Mapping[str, Any], *, receipt: bool = False) -> Made:
        return made(await self._send("POST", path, body, receipt=receipt))


def made(answer: Answer) -> Made:
    """What a creating call made. Raises Uncertain where the answer names no id."""
    given = Fields(answer.json())
    if not given.number("id"):
        raise answer.lost("the answer names no id")
    return Made(
        id=given.number("id"),
        url=given.text("html_url"),
        number=given.number("number"),
        node_id=given.text("node_id"),
    )


def object_in(answer: Answer) -> Fields:
    """The object (or list) that an answer holds. Raises Transient or Uncertain without one."""
    found = answer.json()
    if not isinstance(found, dict | list):
        raise answer.lost("the answer is no JSON object")
    return Fields(found)


def in_url(text: str) -> str:
    """One path segment, whatever characters it has; `.` and `..` cannot be one."""
    if text in {"", ".", ".."}:
        raise names.BadName(f"{text!r} cannot be part of an address")
    return quote(text, safe="")
