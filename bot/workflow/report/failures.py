"""What is said when something went wrong: the cause, what was kept, what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain import Cause, Status, Task
from bot.workflow.neutral import cell
from bot.workflow.report.view import View
from bot.workflow.report.words import counted, joined, link, sha7


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A cause in words: what happened, and the next step of a person."""

    what: str
    next: str


MAX_WHY = 500  #: of what a task said when it ended
_RETRY = "Reply `/chimera retry` to go on from the same phase."

FAILURES: Mapping[Cause, Told] = {
    Cause.TRANSIENT: Told(
        what="A service did not answer, again and again.",
        next=f"When it is well again: {_RETRY[0].lower()}{_RETRY[1:]}",
    ),
    Cause.RATE_LIMIT: Told(
        what="A rate limit did not end within the time allowed.",
        next=f"Later: {_RETRY[0].lower()}{_RETRY[1:]}",
    ),
    Cause.TIMEOUT: Told(
        what="A step took longer than it may.",
        next=f"Raise `limits.phase_minutes` if the work needs it. {_RETRY}",
    ),
    Cause.AUTH: Told(
        what="A credential was refused.",
        next=f"Whoever runs Chimera sees which one with `chimera doctor`. Then: {_RETRY}",
    ),
    Cause.PERMISSION: Told(
        what="GitHub does not let the App, or the person, do this.",
        next=f"Grant what the message names, or ask somebody who may. {_RETRY}",
    ),
    Cause.CONFLICT: Told(
        what="The branch, the base or the pull request changed under the work.",
        next=f"Resolve what the message names on the branch. {_RETRY}",
    ),
    Cause.BAD_OUTPUT: Told(
        what="The agent's answer was unusable, and so was its second one.",
        next=f"Say more precisely what is wanted, or choose another model. {_RETRY}",
    ),
    Cause.POISON: Told(
        what="The same step ended the worker several times; it is not tried again by itself.",
        next=f"Whoever runs Chimera finds it with `chimera dead list`. Then: {_RETRY}",
    ),
    Cause.CONFIG: Told(
        what="The configuration is wrong or incomplete.",
        next="Mend `.github/chimera.yml` on the default branch as the message says. " + _RETRY,
    ),
    Cause.NOT_RED: Told(
        what="No end-to-end test was found that fails on the unchanged code for a good reason.",
        next="Say what should be different, in a way that can be tried from outside, and "
        "reply `/chimera start`. Perhaps it works already.",
    ),
    Cause.NOT_GREEN: Told(
        what="The change did not make the tests pass within its rounds.",
        next="Go on by hand from the branch, or split the wish into smaller ones. " + _RETRY,
    ),
    Cause.GATE: Told(
        what="A machine gate refused the change.",
        next="The message names the rule. Change `protect` in `.github/chimera.yml` if it is "
        "wrong. " + _RETRY,
    ),
    Cause.REVIEW: Told(
        what="The review still asks for changes after the last round.",
        next=f"Look at the findings on the pull request. {_RETRY}",
    ),
    Cause.CI: Told(
        what="The repository's own checks are red after the last round.",
        next=f"Look at the red checks on the pull request. {_RETRY}",
    ),
    Cause.DEPLOY: Told(
        what="The deployment failed, or deployed something else than it was asked to.",
        next=f"Look at the run's log. {_RETRY}",
    ),
    Cause.VALIDATION: Told(
        what="The end-to-end tests are red on what was deployed.",
        next=f"Look at the log of the tests. {_RETRY}",
    ),
    Cause.BUDGET: Told(
        what="Money, tokens, turns or minutes are used up.",
        next="Reply `/chimera budget` with a number of dollars, then `/chimera retry`.",
    ),
    Cause.PERSON: Told(
        what="A person ended it.",
        next="Reply `/chimera retry` to go on from the same phase, or `/chimera start` to start "
        "anew.",
    ),
    Cause.BUG: Told(
        what="Chimera made an error that it cannot explain.",
        next=f"The log has it under the task's id. {_RETRY}",
    ),
}


def why(task: Task) -> str:
    """Why it ended: the cause in general, then this case; of a person's doing the latter alone."""
    said = cell(task.summary, MAX_WHY)
    if task.cause is None or (task.cause is Cause.PERSON and said):
        return said or "Nobody said why."
    return f"{FAILURES[task.cause].what} {said}".strip()


def kept(view: View) -> str:
    """What a failed or cancelled task leaves behind, with links; never empty."""
    task, facts = view.task, view.task.facts
    repository = view.links.repository(task)
    parts: list[str] = []
    if facts.branch:
        parts.append(_branch(facts.branch, repository))
    if facts.tests:
        parts.append(counted(len(facts.tests), "test file"))
    if facts.head_sha not in ("", facts.test_sha):
        parts.append(f"the change `{sha7(facts.head_sha)}`")
    if facts.pull:
        parts.append(link(f"PR #{facts.pull}", view.links.pull(task)))
    if facts.merge_sha:
        parts.append(f"the merge `{sha7(facts.merge_sha)}`")
    return joined(parts) if parts else "nothing was written to the repository"


def next_step(task: Task) -> str:
    """What a person can do now."""
    unsaid = Cause.PERSON if task.status is Status.CANCELLED else Cause.BUG
    return FAILURES[task.cause or unsaid].next


def _branch(branch: str, repository: str) -> str:
    name = f"`{branch.replace('`', '')}`"
    return f"the branch {link(name, f'{repository}/tree/{branch}' if repository else '')}"
