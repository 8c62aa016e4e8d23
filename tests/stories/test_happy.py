"""A labelled issue goes all the way."""

from collections import Counter
from typing import Any

from bot.demo.hubview import calls_of_the_bot
from bot.domain import Phase, Status, WaitFor
from tests.bench.calls import MINTING, ONCE, SET_UP, SWEEP
from tests.stories.actors import approve, nit
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory
from tests.stories.stores import ON_BOTH

#: What a whole run may cost; minting, set-up and the sweeps at start are not the run's.
MAX_CALLS, MAX_POSTS = 36, 14
ASIDE = (MINTING, SET_UP, *ONCE, *SWEEP)
HUB = "127.0.0.1"
REQUIRED = {"chimera / task", "chimera / guardian", "chimera / e2e"}
SEVEN = [
    Phase.E2E_TEST_GENERATION,
    Phase.CODE_IMPLEMENTATION,
    Phase.GUARDIAN_REVIEW,
    Phase.STAGING_DEPLOYMENT,
    Phase.E2E_VALIDATION,
    Phase.PRODUCTION_DEPLOYMENT,
]


@ON_BOTH
async def test_a_labelled_issue_becomes_a_deployed_change_with_everything_people_see(
    factory: Factory, shared_store: dict[str, Any]
) -> None:
    shared = bool(factory.stage.settings.database_url.get_secret_value())
    assert shared is bool(shared_store)
    factory.agents.guardian.says(approve(nit("An exclamation mark would be friendlier.")))
    task = await factory.label_issue()
    await factory.seen(lambda: "eyes" in factory.reactions(task.issue))

    task = await factory.until(task, WaitFor.APPROVAL)
    head = task.facts.head_sha
    await factory.seen(lambda: "chimera:needs-human" in factory.labels(task.issue))
    await factory.seen(lambda: factory.checks(head).keys() >= REQUIRED)
    await factory.seen(lambda: "approve production" in factory.status_comment(task.issue))
    assert all(factory.checks(head)[name] == "success" for name in REQUIRED), "ready to merge"
    assert await factory.seen(lambda: factory.button(head, "reject"))
    pull = factory.issue(task.facts.pull)
    assert pull.pull is not None
    assert not pull.pull.draft, "it was a draft until the guardian passed"
    assert f"Refs #{task.issue}" in (pull.body or "")
    us = factory.issue(task.issue).comments[0].user
    commit = (await factory.owner.ask("GET", f"{factory.at}/commits/{head}"))["commit"]
    assert commit["author"]["name"] == us.login
    assert commit["author"]["email"] == f"{us.id}+{us.login}@users.noreply.{HUB}"
    review = pull.pull.reviews[0]
    assert [c.body for t in pull.pull.threads for c in t.comments if "friendlier" in c.body]
    assert review.state == "COMMENTED"
    assert (await factory.serves("staging", "/goodbye")).strip() == "Goodbye"

    await factory.approve(task)
    await factory.seen(lambda: not factory.button(head, "approve"))
    task = await factory.ended(task)
    assert task.status is Status.COMPLETED, await factory.told()
    issue = factory.issue(task.issue)
    assert issue.state == "closed"
    assert factory.reactions(task.issue) == {"rocket"}, "👀 is gone"
    assert factory.labels(task.issue) == {"chimera", "chimera:done"}
    assert [c.pinned_at is not None for c in issue.comments] == [True]
    assert factory.checks(head)["chimera / production"] == "success"
    assert pull.pull.merged_at is not None
    assert await factory.serves("production", "/version") == task.facts.merge_sha
    assert [p for p, outcome in await factory.outcomes(task) if outcome == "pass"] == SEVEN
    deployed = [d.environment for d in factory.repository.deployments.values()]
    assert sorted(deployed) == ["production", "staging"]


async def test_a_whole_run_costs_no_more_calls_than_it_may(factory_with: OpenFactory) -> None:
    factory = await factory_with(settings={"settle_s": 60.0})
    factory.agents.guardian.says(approve(nit("An exclamation mark would be friendlier.")))
    task = await factory.label_issue()
    await factory.approve(task)
    task = await factory.ended(task)
    assert task.status is Status.COMPLETED, await factory.told()
    calls = Counter(calls_of_the_bot(factory.hub))
    for route in ASIDE:
        del calls[route]
    posts = sum(n for route, n in calls.items() if route.startswith(("POST", "mutation")))
    assert sum(calls.values()) <= MAX_CALLS, calls
    assert posts <= MAX_POSTS, calls
