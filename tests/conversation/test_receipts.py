"""How soon a person sees that they were heard, at the pace that GitHub asks of us."""

import pytest

from bot.domain import Status
from bot.localhub.state import Delivery, Reaction
from tests.conversation.test_review_loop import QUICK
from tests.stories.conftest import OpenFactory

SOON_S = 2.0
PACE = {"write_spacing_s": 1.0}  #: the server's own default


def lag_s(told: Delivery, reactions: list[Reaction]) -> float:
    """By the hub's clock: from what happened to the first 👀."""
    return min(one.created_at for one in reactions if one.content == "eyes") - told.created_at


@pytest.mark.parametrize("others", [0, 4], ids=["quiet", "while others are painted"])
async def test_a_command_is_seen_within_two_seconds(factory_with: OpenFactory, others: int) -> None:
    factory = await factory_with(config=QUICK, settings=PACE)
    factory.agents.e2e_tester.hangs()
    task = await factory.label_issue()
    await factory.until(task, Status.RUNNING)
    await factory.seen(lambda: factory.status_comment(task.issue))
    more = [await factory.open_issue(f"Another {n}") for n in range(others)]
    for issue in more:
        await factory.owner.label(factory.repository, issue, "chimera")
    for issue in more:
        await factory.task_of(issue)
    said = await factory.comment(task.issue, "/chimera status")
    await factory.answered(said)
    [told] = [
        d
        for d in factory.hub.deliveries
        if d.event == "issue_comment" and d.payload["comment"]["id"] == said.id
    ]
    assert 0 <= lag_s(told, said.reactions) < SOON_S


async def test_a_label_is_seen_within_two_seconds(factory_with: OpenFactory) -> None:
    factory = await factory_with(config=QUICK, settings=PACE)
    factory.agents.e2e_tester.hangs()
    task = await factory.label_issue()
    await factory.seen(lambda: "eyes" in factory.reactions(task.issue))
    reactions = factory.issue(task.issue).reactions
    told = next(d for d in factory.hub.deliveries if (d.event, d.action) == ("issues", "labeled"))
    assert 0 <= lag_s(told, reactions) < SOON_S
