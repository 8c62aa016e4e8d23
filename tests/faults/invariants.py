"""What has to be true after every history, whatever happened in it; pure, on what it has left.

I7 (secrets) and I9 (nothing left on the machine) need real processes: the story and kill tests
have them. I8 (fences) and lost wake-ups are seen where they would happen, in `store.py`.
"""

from collections import Counter
from collections.abc import Iterator

from bot.domain import Status, Task
from bot.effects import EffectKind, EffectState
from bot.localhub.state_issues import Issue
from bot.localhub.state_runs import CheckRun
from bot.tasks.inbox import InboxState
from tests.faults.evidence import Left
from tests.faults.meddling import TAKES_AWAY, Act
from tests.faults.sample import wish
from tests.faults.stage import NAME, OWNER

A_MINUTE, AN_HOUR = 60, 400  #: creating calls
SPINNING = {"queued", "in_progress"}
TRIGGER = "chimera"
LATE_S = 300.0  #: a process may freeze between its look at an issue and its word in the store
STATES = "chimera:"


def violations(left: Left) -> list[str]:
    """One sentence for each thing that is not true."""
    return [text for invariant in INVARIANTS for text in invariant(left)]


def deliveries_are_kept(left: Left) -> Iterator[str]:
    """I1: what was acknowledged is in the store, and has been read."""
    stored = {row.delivery_id: row for row in left.inbox}
    for guid in sorted(left.accepted - stored.keys()):
        yield f"I1: delivery {guid} was acknowledged and is not stored"
    for row in left.inbox:
        if row.state is not InboxState.DONE:
            yield f"I1: delivery {row.event_name}.{row.action} could not be read: {row.error}"


def still_asked(issue: Issue) -> bool:
    """Whether a person's wish still stands; one that was taken back unheard needs no task."""
    here = not issue.deleted and issue.moved_to is None and issue.state == "open"
    return here and TRIGGER in {label.name for label in issue.labels}


def tasks_are_kept(left: Left) -> Iterator[str]:
    """I2: every labelled issue has one task, which has ended or waits for somebody."""
    counted = Counter(task.issue for task in left.tasks)
    for issue in left.issues:
        unheard = left.act is Act.UNINSTALLED  # before anybody could hear of it
        nobody_asks = unheard or not still_asked(left.stage.repository.issues[issue])
        if counted[issue] != 1 and not (nobody_asks and counted[issue] == 0):
            yield f"I2: issue {issue} has {counted[issue]} tasks"
    for task in left.tasks:
        if task.status in (Status.RUNNING, Status.QUEUED):
            yield f"I2: {task.id} is {task.status} where everything rests"
        if task.status is Status.WAITING and not _waits_well(task):
            yield f"I2: {task.id} waits without a reason or a deadline: {task.wait}"


def the_text_was_labelled(left: Left) -> Iterator[str]:
    """I2: what is worked on is what a person has labelled, not what somebody wrote later."""
    for task in left.tasks:
        _, wished = wish(left.issues.index(task.issue) + 1)
        if wished not in task.feature:
            yield f"I2: {task.id} works on a text that nobody has labelled"


def nothing_is_double(left: Left) -> Iterator[str]:
    """I3: at most one object on the hub for everything that is to be there once."""
    things: Counter[str] = Counter()
    repository, app = left.stage.repository, left.stage.app
    for issue in repository.issues.values():
        things.update(_things_of(issue))
    for check in repository.checks.values():
        if check.suite.app is app:
            things[f"check {check.name} on {check.head_sha}"] += 1
    things.update(f"run {run.display_title}" for run in repository.runs.values())
    for task in left.tasks:
        mine = {branch for branch in left.stage.objects.refs() if _is_branch_of(branch, task)}
        things[f"branch of issue {task.issue}"] = len(mine)
    yield from (f"I3: {times} × {what}" for what, times in sorted(things.items()) if times > 1)


def what_is_shown_is_true(left: Left) -> Iterator[str]:
    """I4: comment, label, issue and checks say what the row says."""
    repository = left.stage.repository
    for task in left.tasks:
        issue = repository.issues[task.issue]
        if not _has_a_place(left, issue):
            continue
        own = [c.body for c in issue.comments if f"task={task.id} " in c.body]
        if not own and left.act is Act.LOCKED and not issue.comments:
            pass  # locked before the first comment: nobody may write one
        elif len(own) != 1:
            yield f"I4: {task.id} has {len(own)} status comments"
        elif task.status.ended and _led_on(left, own[0]) != _led_on(left, left.comments[task.id]):
            yield f"I4: the comment of {task.id} ({task.status}) is out of date"
        states = {label.name for label in issue.labels if label.name.startswith(STATES)}
        if states != {left.labels[task.id]}:
            yield f"I4: issue {task.issue} is labelled {sorted(states)}, not {left.labels[task.id]}"
        yield from _shown_by_checks(left, task)
        closed_by_hand = left.act is Act.CLOSED and task.status is Status.CANCELLED
        if (task.status is Status.COMPLETED or closed_by_hand) != (issue.state == "closed"):
            yield f"I4: {task.id} is {task.status} and its issue is {issue.state}"
        eyes = {reaction.content for reaction in issue.reactions}
        if task.status is Status.COMPLETED and eyes != {"rocket"}:
            yield f"I4: the reactions of {task.id} are {sorted(eyes)}"


def success_has_evidence(left: Left) -> Iterator[str]:
    """I5: what is called done is done: merged, deployed, live, and tested by exit code."""
    repository = left.stage.repository
    for task in left.tasks:
        facts = task.facts
        if task.status is not Status.COMPLETED:
            continue
        pull = repository.issues[facts.pull].pull
        if pull is None or pull.merge_commit_sha != facts.merge_sha:
            yield f"I5: {task.id} is done, and its pull request is not merged as {facts.merge_sha}"
        merged = pull.head_sha if pull is not None else ""
        approved = facts.approval.sha if facts.approval is not None else ""
        if not left.automatic and approved != merged:
            yield f"I5: {task.id} is done without an approval of {merged}, which was merged"
        run = repository.runs.get(facts.production.run_id) if facts.production else None
        if run is None or run.conclusion != "success" or run.inputs["sha"] != facts.merge_sha:
            yield f"I5: {task.id} is done, and no run has deployed {facts.merge_sha}"
        proofs = [facts.red, *facts.green, facts.validation, facts.production_validation]
        codes = [proof.exit_code if proof is not None else None for proof in proofs]
        if not codes[0] or any(codes[1:]) or None in codes:
            yield f"I5: {task.id} is done with the exit codes {codes}"
    live = left.stage.runs.live.get("production", "")
    done = {t.facts.merge_sha for t in left.tasks if t.status is Status.COMPLETED}
    if done and live not in {*done, *(t.facts.rollback_sha for t in left.tasks)}:
        yield f"I5: {live[:7]} is live in production, which nobody has finished"


def confirmed_effects_exist(left: Left) -> Iterator[str]:
    """I5: what the ledger calls confirmed can be found on the hub under that id."""
    repository = left.stage.repository
    ids = {
        EffectKind.PULL: {str(one.number) for one in repository.issues.values() if one.pull},
        EffectKind.CHECK: {str(number) for number in repository.checks},
        EffectKind.STATUS_COMMENT: {
            str(comment.id)
            for place in left.stage.hub.world.repositories.values()  # an issue may have moved
            for one in place.issues.values()
            for comment in one.comments
        },
        EffectKind.REVIEW: {
            str(r.id) for one in repository.issues.values() if one.pull for r in one.pull.reviews
        },
    }
    for effects in left.effects.values():
        for effect in effects:
            known = ids.get(effect.kind)
            if effect.state is not EffectState.CONFIRMED or known is None:
                continue
            if effect.remote_id.split(" ")[0] not in known:
                yield f"I5: {effect.key} is confirmed as {effect.remote_id}, which is nowhere"


def work_is_bounded(left: Left) -> Iterator[str]:
    """I6: creating calls within our own limits, deployments within the configured attempts."""
    hub = left.stage.hub
    made = [
        call.at
        for call in hub.calls
        if call.method == "POST" and call.actor == left.stage.app.bot.login and _creates(call.path)
    ]
    for window_s, most in ((60.0, A_MINUTE), (3600.0, AN_HOUR)):
        worst = max((sum(at - window_s < one <= at for one in made) for at in made), default=0)
        if worst > most:
            yield f"I6: {worst} creating calls within {window_s:.0f} s"


def peoples_commits_are_kept(left: Left) -> Iterator[str]:
    """I11: nobody pushes over what a person has pushed."""
    objects = left.stage.objects
    for branch, sha in left.pushed.items():
        head = objects.ref(branch)
        if head and sha not in objects.ancestors(head):
            yield f"I11: a person's {sha[:7]} on {branch} was pushed over"


def what_people_end_has_ended(left: Left) -> Iterator[str]:
    """I4: a task whose issue was taken away does not go on, and none is begun."""
    if left.act not in TAKES_AWAY:
        return
    for task in left.tasks:
        if task.issue != min(left.issues):
            continue
        if not task.status.ended:
            yield f"I4: {left.act}, and {task.id} is {task.status} ({task.wait})"
        if left.acted_at is not None and task.created_at > left.acted_at + LATE_S:
            yield f"I4: {left.act}, and {task.id} was begun later"


def ends_are_final(left: Left) -> Iterator[str]:
    """I11: what has ended stays as it is, unless a person said otherwise."""
    issues = {task.id: task.issue for task in left.tasks}
    for task_id, statuses in left.seen.items():
        ended = [status for status in statuses if status.ended]
        if issues[task_id] not in left.commanded and ended and statuses[-1] is not ended[0]:
            yield f"I11: {task_id} went on after its end: {' → '.join(statuses)}"


INVARIANTS = (
    deliveries_are_kept,
    tasks_are_kept,
    nothing_is_double,
    what_is_shown_is_true,
    success_has_evidence,
    confirmed_effects_exist,
    work_is_bounded,
    the_text_was_labelled,
    peoples_commits_are_kept,
    what_people_end_has_ended,
    ends_are_final,
)


def _has_a_place(left: Left, issue: Issue) -> bool:
    """Whether there is still somewhere to show the task, and a right to do so."""
    return left.act is not Act.UNINSTALLED and not issue.deleted and issue.moved_to is None


def _led_on(left: Left, text: str) -> str:
    """A text with its links as GitHub leads them on after a renaming, for which nothing that has
    ended is drawn anew.
    """
    return text.replace(f"/{OWNER}/{NAME}/", f"/{left.stage.repository.full_name}/")


def _waits_well(task: Task) -> bool:
    wait = task.wait
    if wait is None or not wait.reason:
        return False
    return wait.until is not None or wait.on.needs_person


def _things_of(issue: Issue) -> Iterator[str]:
    for comment in issue.comments:
        first = comment.body.partition("\n")[0]
        if first.startswith("<!-- chimera"):
            yield f"comment {first} on #{issue.number}"
    for label in {label.name for label in issue.labels}:
        yield f"label {label} on #{issue.number}"
    if issue.pull is not None:
        yield f"pull request of {issue.pull.head_ref}"
        for review in issue.pull.reviews:
            yield f"review {(review.body or '').partition(chr(10))[0]} on #{issue.number}"


def _is_branch_of(branch: str, task: Task) -> bool:
    return branch.startswith(f"chimera/{task.issue}-")


def _shown_by_checks(left: Left, task: Task) -> Iterator[str]:
    checks = [c for c in left.stage.repository.checks.values() if _of(c, task)]
    for check in checks:
        if task.status.ended and check.status in SPINNING:
            yield f"I4: {check.name} on {check.head_sha[:7]} spins after the end of {task.id}"
    told = {c.conclusion for c in checks if c.name == "chimera / task"}
    if task.status is Status.COMPLETED and "success" not in told:
        yield f"I4: {task.id} is done and its check says {told}"
    ended_badly = task.status in (Status.FAILED, Status.DEAD)
    head = [c for c in checks if c.name == "chimera / task" and c.head_sha == task.facts.head_sha]
    if ended_badly and not task.facts.merge_sha and any(c.conclusion == "success" for c in head):
        yield f"I4: {task.id} is {task.status} and its check is green"


def _of(check: CheckRun, task: Task) -> bool:
    return (check.external_id or "").startswith(task.id)


def _creates(path: str) -> bool:
    return not path.endswith("/access_tokens") and "/app/hook/" not in path
