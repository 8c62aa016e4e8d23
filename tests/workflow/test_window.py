"""The window of creating calls and the count of comments: kept by the ledger, over any restart."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.effects import EffectKind
from bot.tasks.ledger import CREATING, WORDS
from tests.conversation.desk import Desk, open_desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


async def test_the_ledger_knows_every_creating_call_that_the_hub_has_seen(desk: Desk) -> None:
    issue = await desk.issue()
    await desk.owner.label(desk.repository, issue, "chimera")
    await desk.read()
    await desk.passes(60)
    await desk.comment(issue, "/chimera status")
    await desk.comment(await desk.issue(), "/chimera help")
    await desk.owner.push(desk.repository, "mine", {"a.txt": "a\n"}, "Mine")
    await desk.owner.open_pull(desk.repository, "mine", "Mine")
    await desk.read()
    await desk.passes(60)
    seen = [
        call.at
        for call in desk.hub.calls.made_by(desk.app.bot.login)
        if call.method == "POST" and not call.path.endswith("/access_tokens")
    ]
    made = await desk.house.ledger.made_since(0.0)
    assert made == {desk.installation: seen}
    assert len(seen) >= 8, "comments, labels, reactions and a check"


def test_what_people_are_notified_of_is_created() -> None:
    assert WORDS < CREATING
    unledgered = {EffectKind.COMMENT_EDIT, EffectKind.CHECK_UPDATE, EffectKind.PUSH}
    assert not CREATING & unledgered
