"""What has to be true after every story, whatever happened in it.

I3 nothing is there twice, I4 everything that is shown agrees with the row, I7 no secret is in any
byte that left or was kept, and nobody polled. (I9, nothing left on the machine, is the fixture's,
for it can only be seen when all is closed.)
"""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from bot.demo.hubview import calls_of_the_bot
from bot.domain import Status, Task
from bot.localhub.calls import Exchange
from bot.localhub.hub import LocalHub
from bot.workflow.report.labels import state_label, state_labels
from bot.workflow.report.status import status_comment
from tests.conformance.checker import Conformance
from tests.stories.factory import MARK, Factory

#: The only things that REST cannot do.
GRAPHQL = {
    "mutation markPullRequestReadyForReview",
    "mutation enqueuePullRequest",
    "mutation addReaction",  #: to a review
    "query repository",  #: when an issue was last edited
}
SPINNING = {"queued", "in_progress"}
POLLS = {
    "GET /repos/{owner}/{repo}/actions/runs/{run_id}",
    "GET /repos/{owner}/{repo}/actions/runs",
}
MIN_PART = 24  #: characters of a key's line that are looked for


#: Where GitHub leads a read that asks for a repository by its former name.
LED_ON = re.compile(r"^/repositories/[0-9]+")


def misfits(hub: LocalHub, exchange: Exchange) -> list[str]:
    """Where a request of the bot, or the hub's answer to it, is not as GitHub describes it."""
    account = hub.world.accounts.get(exchange.actor.lower())
    if account is not None and account.kind == "User":
        return []
    if exchange.kind == "graphql":
        return [] if exchange.route in GRAPHQL else [f"unexpected GraphQL: {exchange.route}"]
    github = Conformance.load()
    path = LED_ON.sub("/repos/owner/name", exchange.path)
    problems = github.request(exchange.method, path, exchange.query, exchange.body)
    if exchange.status < 300 and exchange.response is not None:
        problems += github.response(exchange.method, path, exchange.status, exchange.response)
    return problems


async def check(factory: Factory, log: str) -> None:
    """Every invariant that can be seen while the house is open."""
    tasks = (await factory.stage.house.queue.page()).tasks
    assert list(doubled(factory, tasks)) == [], "I3: at most one of each"
    for task in tasks:
        await truthful(factory, task)
    assert list(leaks(factory, log)) == [], "I7: no secret anywhere"
    polls = {route: n for route, n in calls_of_the_bot(factory.hub).items() if route in POLLS}
    assert polls == {}, "nobody polls while webhooks arrive"


def doubled(factory: Factory, tasks: Iterable[Task]) -> Iterator[str]:
    """Everything on the hub that is there more often than once."""
    repository, bot = factory.repository, factory.stage.app.slug
    things: Counter[str] = Counter()
    for issue in repository.issues.values():
        if issue.pull is not None:
            things[f"pull of {issue.pull.head_ref}"] += 1
        comments = [c.body.partition("\n")[0] for c in issue.comments if c.body.startswith(MARK)]
        things.update(f"comment {first} on #{issue.number}" for first in comments)
    things.update(
        f"check {c.name} on {c.head_sha} ({c.external_id})"
        for c in repository.checks.values()
        if c.suite.app.slug == bot
    )
    dispatched = [r for r in repository.runs.values() if r.event == "workflow_dispatch"]
    things.update(f"run {run.display_title}" for run in dispatched)
    yield from (what for what, times in things.items() if times > 1)
    for task in tasks:
        if (
            task.issue
            and len([t for t in tasks if t.issue == task.issue and not t.status.ended]) > 1
        ):
            yield f"live task of issue {task.issue}"


async def truthful(factory: Factory, task: Task) -> None:
    """What comment, labels, issue, checks and API say is what the row says."""
    if not task.issue:
        return
    answer = (await factory.api("GET", f"/api/tasks/{task.id}")).json()
    assert (answer["status"], answer["phase"]) == (task.status, task.phase)
    newest = await factory.stage.house.queue.find(factory.repository.id, task.issue)
    if not task.status.ended or newest is None or newest.id != task.id:
        return
    view = await factory.stage.house.contexts.view(task)
    own = [c.body for c in factory.issue(task.issue).comments if f"task={task.id} " in c.body]
    assert own == [status_comment(view)], "I4: the comment says what the row says"
    states = {label.name for label in state_labels(view.config.labels)}
    shown = factory.labels(task.issue) & states
    assert shown == {state_label(task, view.config.labels).name}, "I4: exactly one state label"
    if task.status is Status.COMPLETED:
        assert factory.issue(task.issue).state == "closed"
    spinning = [
        (check.name, check.head_sha)
        for check in factory.repository.checks.values()
        if check.external_id.startswith(task.id) and check.status in SPINNING
    ]
    assert spinning == [], "I4: no check spins after the end"


def leaks(factory: Factory, log: str) -> Iterator[str]:
    """Where a secret of this story can be read."""
    secrets = list(canaries(factory))
    for place, content in _places(factory, log):
        for secret in secrets:
            if secret in content:
                yield f"{secret[:6].decode()}… in {place}"


def canaries(factory: Factory) -> Iterator[bytes]:
    """Every secret that the bot was given or has got: key, webhook secret, tokens."""
    settings = factory.stage.settings
    yield from (line.encode() for s in settings.secrets() for line in s.splitlines() if _long(line))
    yield from (token.encode() for token in factory.hub.world.grants)


def _long(line: str) -> bool:
    return len(line) >= MIN_PART and "PRIVATE KEY" not in line


def _places(factory: Factory, log: str) -> Iterator[tuple[str, bytes]]:
    yield "the log", log.encode()
    for call in factory.hub.calls:
        yield call.route, call.raw_body
    for folder, _, names in os.walk(factory.stage.settings.data_dir):
        for path in (Path(folder) / name for name in sorted(names)):
            with contextlib.suppress(OSError):  # a log of SQLite's comes and goes
                yield str(path), path.read_bytes()


def children(*, but: Collection[int] = ()) -> set[int]:
    """Every process that has come from this one and still runs.

    `but` are left out with all that came from them: a browser that other tests share, say, starts
    and ends its own.
    """
    found: set[int] = set()
    waiting = list(Path("/proc/self/task").glob("*/children"))
    while waiting:
        try:
            pids = waiting.pop().read_text().split()
        except OSError:
            continue
        for pid in set(map(int, pids)).difference(but):
            found.add(pid)
            waiting += Path(f"/proc/{pid}/task").glob("*/children")
    return found


def command_of(pid: int) -> str:
    """What a process is, for the report of one that is left over."""
    with contextlib.suppress(OSError):
        return f"{pid}: {Path(f'/proc/{pid}/cmdline').read_text().replace(chr(0), ' ')[:300]}"
    return f"{pid}: gone meanwhile"
