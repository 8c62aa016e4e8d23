"""Whose name stands on our commits: the App's own account, which GitHub shows with its face.

A name of our own choosing would be that of whichever App happens to be called like it.
"""

import asyncio
from urllib.parse import urlsplit

from bot.domain import RepoRef
from bot.github.app import App
from bot.github.git import Signature
from bot.tasks.lasting import Lasting


class Authorship:
    """Asks GitHub once for each App. What was heard is kept, for a step that is done again has to
    make the same commit.
    """

    def __init__(self, lasting: Lasting) -> None:
        self._lasting = lasting
        self._asking = asyncio.Lock()

    async def of(self, app: App, repo: RepoRef) -> Signature:
        """Who commits in a repository. Raises as `GitHub.call` does."""
        key = f"author:{app.github.app_id}"
        async with self._asking:
            said = await self._lasting.said(key)
            if not said:
                said = await _asked(app, repo)
                await self._lasting.add(key, **said)
        return Signature(name=said["name"], email=said["email"])


async def _asked(app: App, repo: RepoRef) -> dict[str, str]:
    """With the number, GitHub finds the account by its private address:

    https://docs.github.com/account-and-profile/reference/email-addresses-reference
    """
    account = await app.account(repo.installation_id)
    host = urlsplit(app.github.web_url).hostname
    return {
        "name": account.login,
        "email": f"{account.id}+{account.login}@users.noreply.{host}",
    }
