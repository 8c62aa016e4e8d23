"""What a person's command makes of a task. Pure: the task as it should be, or why not."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.config.choices import Verb
from bot.domain import (
    Actor,
    Cause,
    Cursor,
    JournalLine,
    Outcome,
    Phase,
    Status,
    Task,
    Wait,
    WaitFor,
)
from bot.errors import NotPermitted, WrongState
from bot.facts import Approval, Facts
from bot.tasks.base import note
from bot.workflow.commands import TABLE, Command, spec_of
from bot.workflow.flow import TERMINAL
from bot.workflow.forgetting import forgotten

MERGE_KEY = "pull:"  #: begins what a task is woken by that waits for its pull request


def steered(task: Task, command: Command, actor: Actor, at: float, *, via: str = "command") -> Task:
    """The task after the command. Raises WrongState, NotPermitted.

    Only for verbs that change one task; the others are `intake`'s.
    """
    return _STEER[command.verb](task, command, actor, at, via)


def journaled(task: Task, command: Command, actor: Actor, at: float) -> JournalLine | None:
    """The journal's line of a command that ends the task; any other shows in the steps after it."""
    if command.verb is not Verb.REJECT:
        return None
    said = _rejection(command, actor)
    return note(task, Outcome.FAIL, said, at, cause=Cause.PERSON, by=actor.login)


def is_possible(task: Task, verb: Verb) -> bool:
    """Whether the bare verb would not be refused for the state that the task is in."""
    if task.status not in spec_of(verb).statuses:
        return False
    steer = _STEER.get(verb)
    if steer is None:
        return True
    try:
        steer(task, Command(verb=verb), Actor(login="", id=0), 0.0, "")
    except WrongState:
        return False
    return True


def possible_now(task: Task) -> list[Verb]:
    """Everything that can be asked for in the state that the task is in."""
    return [spec.verb for spec in TABLE if is_possible(task, spec.verb)]


def waits_for_merge(task: Task) -> bool:
    """Whether a merge by a person is the approval that the task waits for."""
    wait = task.wait
    return wait is not None and wait.on is WaitFor.APPROVAL and wait.key.startswith(MERGE_KEY)


Steer = Callable[[Task, Command, Actor, float, str], Task]


def _retry(task: Task, command: Command, _actor: Actor, at: float, _via: str) -> Task:
    _check_text(task)
    if task.status.ended:  # who asks for another go gives it the time
        task = replace(task, facts=replace(task.facts, worked_s=0.0))
    if task.status is Status.DEAD and command.phase is None:
        return _on_from_there(task, at)
    phase = command.phase or _stopped_at(task)
    _check_ground(task.facts, phase)
    cursor = Cursor(phase=phase, round=task.cursor.round, turn=1, attempt=task.cursor.attempt + 1)
    if task.status is Status.FAILED and phase is Phase.CODE_IMPLEMENTATION:
        cursor = replace(cursor, round=1)
    queued = _queued(task, at)
    facts = given_attempt(forgotten(queued.facts, phase))
    return replace(queued, cursor=cursor, facts=facts, cause=None, cancel_by="")


def _on_from_there(task: Task, at: float) -> Task:
    """The very step that machinery broke: what it has done is found and adopted, not done anew."""
    return replace(_queued(task, at), cause=None, cancel_by="")


def _pause(task: Task, command: Command, actor: Actor, at: float, _via: str) -> Task:
    _check_text(task)
    reason = f"Paused by {actor.login}" + (f": {command.reason}" if command.reason else "")
    wait = Wait(on=WaitFor.PAUSED, reason=reason, since=at)
    cursor = task.cursor
    if cursor.phase in TERMINAL:
        cursor = replace(cursor, phase=_stopped_at(task))
    return replace(task, status=Status.WAITING, wait=wait, cursor=cursor, tries=0)


def _resume(task: Task, _command: Command, _actor: Actor, at: float, _via: str) -> Task:
    if waits_for_merge(task):
        raise WrongState(f"it waits until somebody merges #{task.facts.pull}")
    if task.wait is not None and task.wait.on is WaitFor.APPROVAL:
        raise WrongState("it waits for an approval: `/chimera approve`, or `/chimera reject`")
    _check_text(task)
    return _queued(task, at)


def _priority(task: Task, command: Command, _actor: Actor, _at: float, _via: str) -> Task:
    return replace(task, priority=command.priority or task.priority)


def _budget(task: Task, command: Command, _actor: Actor, at: float, _via: str) -> Task:
    task = replace(task, budget_usd=command.budget)
    return _queued(task, at) if task.is_parked_for(WaitFor.BUDGET) else task


def _approve(task: Task, command: Command, actor: Actor, at: float, via: str) -> Task:
    if task.wait is None or task.wait.on is not WaitFor.APPROVAL:
        raise WrongState("nothing waits for an approval now")
    if waits_for_merge(task):
        raise WrongState(f"whoever merges #{task.facts.pull} approves it here")
    head = task.facts.head_sha
    if command.sha and not head.startswith(command.sha):
        raise WrongState(f"the head is `{head[:7]}` now, not `{command.sha[:7]}`; look again")
    approval = Approval(by=actor.login, sha=head, at=at, via=via)
    queued = _queued(task, at)
    return replace(queued, facts=replace(queued.facts, approval=approval))


def _reject(task: Task, command: Command, actor: Actor, at: float, _via: str) -> Task:
    if task.wait is None or task.wait.on is not WaitFor.APPROVAL:
        raise WrongState("nothing waits for an approval now")
    return replace(
        task,
        status=Status.FAILED,
        cursor=replace(task.cursor, phase=Phase.FAILED),
        cause=Cause.PERSON,
        summary=_rejection(command, actor),
        finished_at=at,
    )


def _rejection(command: Command, actor: Actor) -> str:
    return f"Rejected by {actor.login}" + (f": {command.reason}" if command.reason else "")


def _review(task: Task, _command: Command, _actor: Actor, at: float, _via: str) -> Task:
    if not task.facts.head_sha or task.phase is Phase.CODE_IMPLEMENTATION or not task.facts.green:
        raise WrongState("there is nothing to review yet")
    return _moved(task, Phase.GUARDIAN_REVIEW, at)


def _deploy(task: Task, _command: Command, _actor: Actor, at: float, _via: str) -> Task:
    _check_ground(task.facts, Phase.STAGING_DEPLOYMENT)
    return _moved(task, Phase.STAGING_DEPLOYMENT, at)


def _rollback(task: Task, _command: Command, actor: Actor, at: float, _via: str) -> Task:
    queued = _queued(task, at)
    facts = queued.facts
    if facts.production is None or facts.rollback_sha in ("", "none"):
        raise WrongState("nothing is known that was live before")
    facts = replace(
        given_attempt(facts),
        rollback=None,
        rollback_by=actor.login,
        production_trouble=f"{actor.login} asked for the rollback",
    )
    cursor = replace(
        task.cursor, phase=Phase.PRODUCTION_DEPLOYMENT, turn=1, attempt=task.cursor.attempt + 1
    )
    return replace(queued, facts=facts, cursor=cursor)


def mended(task: Task, at: float) -> Task:
    """The task tried again, where it waits for the configuration: somebody may have mended it."""
    return _queued(task, at) if task.is_parked_for(WaitFor.CONFIGURATION) else task


def check_self_approval(task: Task, actor: Actor, *, prevented: bool) -> None:
    """Raises NotPermitted where the requester may not approve."""
    if prevented and actor.login == task.requester:
        raise NotPermitted("who asked for the change may not approve it here")


def _check_text(task: Task) -> None:
    """Raises WrongState where the text that would be worked on is not the one to be read."""
    if task.wait is not None and task.wait.on is WaitFor.RELABEL:
        raise WrongState("its text was edited: take the label off and put it on again")


def _check_ground(facts: Facts, phase: Phase) -> None:
    """Raises WrongState where nothing was made yet that the phase could begin with.

    Nobody gets past the review, the staging or the validation of a commit by naming a later phase,
    and nobody to the end.
    """
    if phase in TERMINAL:
        raise WrongState(f"a task ends by itself; it is not sent to {phase}")
    head = facts.head_sha
    reviewed = bool(head) and facts.reviewed_sha == head
    staged = facts.staging is not None and facts.staging.sha == head
    there, first = {
        Phase.E2E_TEST_GENERATION: (True, ""),
        Phase.CODE_IMPLEMENTATION: (bool(facts.test_sha), "tests are needed"),
        Phase.GUARDIAN_REVIEW: (bool(head and facts.green), "a change is needed"),
        Phase.STAGING_DEPLOYMENT: (reviewed, "the change has to pass the review"),
        Phase.E2E_VALIDATION: (reviewed and staged, "the change has to be staged"),
        Phase.PRODUCTION_DEPLOYMENT: (
            bool(facts.merge_sha) or (bool(head) and facts.validated_sha == head),
            "the change has to be validated",
        ),
    }[phase]
    if not there:
        raise WrongState(f"{first} first")


def _moved(task: Task, phase: Phase, at: float) -> Task:
    cursor = replace(task.cursor, phase=phase, turn=1, attempt=task.cursor.attempt + 1)
    queued = _queued(task, at)
    return replace(queued, cursor=cursor, facts=given_attempt(forgotten(queued.facts, phase)))


def given_attempt(facts: Facts) -> Facts:
    """The facts with another attempt, which a person has asked for."""
    return replace(facts, attempts_given=facts.attempts_given + 1)


def worked(task: Task, at: float) -> Task:
    """The task with the wait that ends at `at` on its account, where it was for a machine.

    No longer than the wait was meant to be: a server that was down has done nothing meanwhile.
    """
    wait = task.wait
    if wait is None or not wait.on.is_work:
        return task
    end = at if wait.until is None else min(at, wait.until)
    worked_s = task.facts.worked_s + max(0.0, end - wait.since)
    return replace(task, facts=replace(task.facts, worked_s=worked_s))


def _queued(task: Task, at: float) -> Task:
    task = worked(task, at)
    return replace(task, status=Status.QUEUED, wait=None, tries=0, run_at=at, finished_at=None)


def _stopped_at(task: Task) -> Phase:
    """The phase to go on with: the present one, or where the facts of an ended task end."""
    if task.phase not in TERMINAL:
        return task.phase
    facts = task.facts
    if not facts.test_sha:
        return Phase.E2E_TEST_GENERATION
    if not facts.green:
        return Phase.CODE_IMPLEMENTATION
    if facts.reviewed_sha != facts.head_sha:
        return Phase.CODE_IMPLEMENTATION if facts.feedback else Phase.GUARDIAN_REVIEW
    if not facts.validated_sha:
        return Phase.CODE_IMPLEMENTATION if facts.feedback else Phase.STAGING_DEPLOYMENT
    return Phase.PRODUCTION_DEPLOYMENT


_STEER: Mapping[Verb, Steer] = {
    Verb.RETRY: _retry,
    Verb.PAUSE: _pause,
    Verb.RESUME: _resume,
    Verb.PRIORITY: _priority,
    Verb.BUDGET: _budget,
    Verb.APPROVE: _approve,
    Verb.REJECT: _reject,
    Verb.REVIEW: _review,
    Verb.DEPLOY: _deploy,
    Verb.ROLLBACK: _rollback,
}
