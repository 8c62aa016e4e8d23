"""Changes of issues and pull requests that more than one route makes."""

from bot.localhub import events, shapes
from bot.localhub.auth import Actor
from bot.localhub.errors import forbidden, invalid
from bot.localhub.state import Repository
from bot.localhub.state_apps import Account
from bot.localhub.state_issues import Issue, IssueEvent, Label, Reaction
from bot.localhub.world import World


def open_issue(
    world: World,
    repo: Repository,
    actor: Actor,
    user: Account,
    *,
    title: str,
    body: str | None,
) -> Issue:
    """A new issue row with the next number; nobody has heard of it yet."""
    repo.last_number += 1
    now = world.now()
    one = Issue(
        id=world.new_id(),
        number=repo.last_number,
        title=title,
        body=body,
        user=user,
        created_at=now,
        updated_at=now,
        app=actor.app,
    )
    repo.issues[one.number] = one
    return one


def record(world: World, one: Issue, event: str, actor: Account, **detail: object) -> IssueEvent:
    """Write a line into the issue's history."""
    one.updated_at = world.now()
    line = IssueEvent(
        id=world.new_id(), event=event, actor=actor, created_at=world.now(), detail=detail
    )
    one.events.append(line)
    return line


def put_label(world: World, repo: Repository, one: Issue, label: Label, actor: Account) -> None:
    """Set a label; nothing happens where it is set already."""
    if label in one.labels:
        return
    one.labels.append(label)
    brief = {"name": label.name, "color": label.color}
    record(world, one, "labeled", actor, label=brief)
    shape = shapes.label(world, repo, label)
    events.issues(world, repo, one, actor, "labeled", label=shape)


def take_label(world: World, repo: Repository, one: Issue, label: Label, actor: Account) -> None:
    """Remove a label that is set."""
    one.labels.remove(label)
    record(world, one, "unlabeled", actor, label={"name": label.name, "color": label.color})
    shape = shapes.label(world, repo, label)
    events.issues(world, repo, one, actor, "unlabeled", label=shape)


def close(world: World, repo: Repository, one: Issue, actor: Account, reason: str | None) -> None:
    """Close an open issue or pull request."""
    one.state, one.state_reason = "closed", None if one.pull else (reason or "completed")
    one.closed_at, one.closed_by = world.now(), actor
    record(world, one, "closed", actor)
    events.issues(world, repo, one, actor, "closed")


def reopen(world: World, repo: Repository, one: Issue, actor: Account) -> None:
    """Open a closed issue or pull request again."""
    one.state, one.state_reason = "open", None if one.pull else "reopened"
    one.closed_at = one.closed_by = None
    record(world, one, "reopened", actor)
    events.issues(world, repo, one, actor, "reopened")


def check_writable(world: World, repo: Repository, actor: Actor, one: Issue) -> None:
    """403 where the conversation is locked and the caller is no collaborator (an App never is)."""
    if one.locked and (actor.scoped or not world.may(repo, actor.account, "write")):
        raise forbidden("Unable to create comment because issue is locked.")


REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")


def react(
    world: World, given: list[Reaction], user: Account, content: object
) -> tuple[Reaction, bool]:
    """The caller's reaction and whether it is new; asking twice makes one."""
    if content not in REACTIONS:
        raise invalid("Reaction", "content", "invalid")
    for old in given:
        if old.user is user and old.content == content:
            return old, False
    new = Reaction(id=world.new_id(), user=user, content=str(content), created_at=world.now())
    given.append(new)
    return new, True
