"""What people say on GitHub: in a comment, in a review, with a button of a check.

Each of the three answers what became of it, for the list of deliveries; "" where nothing was asked.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.config.choices import Verb
from bot.domain import Task, WaitFor
from bot.errors import NotFound
from bot.events import CheckButton, CommentCreated, ReviewSubmitted
from bot.tasks.queue import TaskQueue
from bot.workflow.command_grammar import parse_commands
from bot.workflow.commanding import Asked, Commander
from bot.workflow.commands import BUTTONS, Command, Misspelt
from bot.workflow.intake_pulls import PullIntake
from bot.workflow.steering import waits_for_merge

RERUN = "rerequested"  #: GitHub's own button on every check


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleIntake:
    """Acts on what people say to us."""

    queue: TaskQueue
    commander: Commander
    pulls: PullIntake
    check_again: Callable[[str, int], Awaitable[None]]  #: have a task's check told once more

    async def commented(self, event: CommentCreated) -> str:
        asked = Asked(
            repo=event.repo,
            actor=event.sender,
            issue=event.issue.number,
            commands=parse_commands(event.body),
            comment_id=event.comment_id,
            snapshot=event.issue,
        )
        return await self.commander.obey(asked)

    async def reviewed(self, event: ReviewSubmitted, inbox_id: int) -> str:
        """Its approval, unless its words say otherwise; its commands; its remarks: all count."""
        said = parse_commands(event.body)
        asked = Asked(
            repo=event.repo,
            actor=event.sender,
            issue=event.pull,
            commands=said,
            review_node=event.node,
            via="review",
        )
        became: list[str] = []
        if event.state == "approved" and not any(map(_decides, said)):
            unsaid = await self._approval(event)  # nobody waits for a receipt of it
            became.append(
                await self.commander.obey(replace(asked, commands=unsaid, review_node=""))
            )
        became.append(await self.commander.obey(asked))
        said_what = "; ".join(filter(None, became))
        await self.pulls.reviewed(event, None if said_what else inbox_id)
        return said_what

    async def _approval(self, event: ReviewSubmitted) -> list[Command | Misspelt]:
        """An approving review is an approval, where one is waited for.

        Of a commit: GitHub names none where a force-push has removed it.
        """
        task = await self.queue.find_by_pull(event.repo.id, event.pull)
        if task is None or not event.commit_sha or not task.is_parked_for(WaitFor.APPROVAL):
            return []
        if waits_for_merge(task):
            return []
        return [Command(verb=Verb.APPROVE, sha=event.commit_sha)]

    async def pressed(self, event: CheckButton) -> str:
        """A click counts as the command would; an approval is of the commit that was shown."""
        task_id = event.external_id.partition("/")[0]
        if event.identifier == RERUN and not task_id:
            await self.pulls.asked_again(event)
        task = await self._named(task_id)
        if task is None or task.repo is None or task.repo.id != event.repo.id:
            return ""
        if event.identifier == RERUN:
            await self.check_again(task.id, event.check_run_id)
            return f"task {task.id}: check told again"
        command = BUTTONS.get(event.identifier)
        if command is None or not event.head_sha:
            return ""
        shown = _of_commit(command, event.head_sha)
        return await self.commander.obey(
            Asked(
                repo=event.repo, actor=event.sender, issue=task.issue,
                commands=[shown], via="button",
            )
        )  # fmt: skip

    async def _named(self, task_id: str) -> Task | None:
        try:
            return await self.queue.get(task_id)
        except NotFound:  # an id of somebody's own, or of a task that was tidied away
            return None


def _decides(said: Command | Misspelt) -> bool:
    """Whether it is itself a word on production."""
    return isinstance(said, Command) and said.verb in (Verb.APPROVE, Verb.REJECT)


def _of_commit(command: Command, sha: str) -> Command:
    return replace(command, sha=sha) if command.verb is Verb.APPROVE else command
