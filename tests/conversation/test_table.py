"""Each verb, by each role, in each state: the receipt, what is told, and the task afterwards.

The tables here are written by hand, for a person to read; nothing in them comes from the code.
"""

from dataclasses import dataclass

import pytest

from bot.config.choices import Verb
from bot.domain import Status, Task, WaitFor
from bot.localhub.state_issues import Comment
from tests.conversation.conftest import OpenDesk
from tests.conversation.desk import Desk
from tests.conversation.states import states

pytestmark = pytest.mark.slow

ROLES = ("none", "read", "triage", "write", "maintain", "admin")

#: Verb, its least role, then for each state what becomes of the task: `.` done, and the status
#: is the same; `x` not possible; Q, W, F, C the new status; `s` asked to stop; `n` a new task.
TABLE = """
verb     least    none queued running run approval decision relabel budget configuration environment access paused completed failed cancelled dead
help     read     .    .      .       .   .        .        .       .      .             .           .      .      .         .      .         .
status   read     x    .      .       .   .        .        .       .      .             .           .      .      .         .      .         .
explain  read     x    .      .       .   .        .        .       .      .             .           .      .      .         .      .         .
config   read     .    .      .       .   .        .        .       .      .             .           .      .      .         .      .         .
start    triage   n    x      x       x   x        x        x       x      x             x           x      x      n         n      n         n
retry    triage   x    x      x       Q   Q        Q        x       Q      Q             Q           Q      Q      x         Q      Q         Q
cancel   triage   x    C      s       C   C        C        C       C      C             C           C      C      x         x      x         x
pause    triage   x    W      W       W   W        W        x       W      W             W           W      W      x         W      x         W
resume   triage   x    x      x       Q   x        Q        x       Q      Q             Q           Q      Q      x         x      x         x
priority triage   x    .      .       .   .        .        .       .      .             .           .      .      x         x      x         x
budget   triage   x    .      .       .   .        .        .       Q      .             .           .      .      x         .      x         x
review   write    x    x      x       Q   Q        x        x       x      x             Q           x      Q      x         x      x         x
deploy   write    x    x      x       Q   Q        x        x       x      x             Q           x      x      x         x      x         x
approve  maintain x    x      x       x   Q        x        x       x      x             x           x      x      x         x      x         x
reject   maintain x    x      x       x   F        x        x       x      x             x           x      x      x         x      x         x
rollback maintain x    x      x       x   x        x        x       x      x             x           x      x      Q         x      x         x
hold     maintain .    .      .       .   .        .        .       .      .             .           .      .      .         .      .         .
unhold   maintain .    .      .       .   .        .        .       .      .             .           .      .      .         .      .         .
"""  # noqa: E501 - a table
ARGUMENTS = {"priority": "7", "budget": "9.50", "deploy": "staging", "reject": "not now"}
LETTERS = {
    "Q": Status.QUEUED,
    "W": Status.WAITING,
    "F": Status.FAILED,
    "C": Status.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One meeting of verb, role and state."""

    verb: str
    state: str
    role: str
    expected: str  #: the table's letter; `-` where the role is too little


def _rows() -> dict[str, tuple[str, dict[str, str]]]:
    head, *lines = [line.split() for line in TABLE.strip().splitlines()]
    return {verb: (least, dict(zip(head[2:], cells, strict=True))) for verb, least, *cells in lines}


ROWS = _rows()


def test_the_table_has_a_row_for_every_verb() -> None:
    assert sorted(ROWS) == sorted(Verb)


def test_the_table_has_a_column_for_every_wait_for_a_person() -> None:
    waits = {wait.value for wait in WaitFor if wait.needs_person}
    assert waits - {WaitFor.HOLD.value} <= set(ROWS["help"][1]), "a hold keeps tasks in the queue"


@pytest.mark.parametrize("verb", ROWS)
async def test_a_command_does_what_the_table_says_for_every_role_in_every_state(
    desk_with: OpenDesk, verb: str
) -> None:
    desk = await desk_with()
    least, cells = ROWS[verb]
    wrong = []
    for state, letter in cells.items():
        desk.clock.at += 3600  # our own limit on creating calls is by the hour
        issue = await _issue_in(desk, state)
        for role in ROLES:
            enough = ROLES.index(role) >= ROLES.index(least)
            before = await desk.latest(issue)
            cell = Cell(verb=verb, state=state, role=role, expected=letter if enough else "-")
            wrong += [
                f"{verb} by {role}, {state}: {text}" for text in await _try(desk, cell, issue)
            ]
            if enough and letter not in "x.":
                issue = await _again(desk, state, issue, before)
    assert wrong == []


async def _issue_in(desk: Desk, state: str) -> int:
    """An issue whose task is in this state, and whose status comment says so."""
    issue = await desk.issue()
    if state != "none":
        sha = await base_of(desk)
        await desk.task(issue, states(sha)[state])
    return issue


async def _again(desk: Desk, state: str, issue: int, before: Task | None) -> int:
    """The issue with its task put back to how it was; another issue where there is a new task."""
    now = await desk.latest(issue)
    if before is None or now is None or now.id != before.id:
        return await _issue_in(desk, state)
    await desk.house.queue.change(before.id, lambda _now: before)
    return issue


async def base_of(desk: Desk) -> str:
    at = f"/repos/{desk.repository.full_name}/git/ref/heads/main"
    return str((await desk.owner.ask("GET", at))["object"]["sha"])


async def _try(desk: Desk, cell: Cell, issue: int) -> list[str]:
    """What is wrong about this cell."""
    before, shown = await desk.latest(issue), desk.ours(issue)
    line = " ".join(filter(None, ("/chimera", cell.verb, ARGUMENTS.get(cell.verb, ""))))
    said = await desk.comment(issue, line, cell.role)
    after = await desk.latest(issue)
    await desk.passes(11)  # so that whatever is put off has been shown
    told = desk.ours(issue)
    return [
        *_receipt(cell, said),
        *_became(cell, before, after),
        *_told(cell, before, shown, told),
    ]


def _receipt(cell: Cell, said: Comment) -> list[str]:
    last = {"-": "-1", "x": "confused"}.get(cell.expected, "rocket")
    got = [reaction.content for reaction in said.reactions]
    return [] if got == ["eyes", last] else [f"the receipt is {got}, not 👀 and {last}"]


def _became(cell: Cell, before: Task | None, after: Task | None) -> list[str]:
    """Against the row before: a command that is not carried out changes nothing of it."""
    if cell.expected == "n":
        new = after is not None and (before is None or after.id != before.id)
        return [] if new else ["there is no new task"]
    if before is None or after is None:
        return [] if before is after else ["there is a task now"]
    if cell.expected in "-x":
        return [] if after == before else [f"the task was changed to {after}"]
    if cell.expected == "s":
        asked = after.cancel_by == f"{cell.role}-only"
        return [] if asked else ["it was not asked to stop"]
    wanted = LETTERS.get(cell.expected, before.status)
    return [] if after.status is wanted else [f"the task is {after.status}, not {wanted}"]


def _told(cell: Cell, before: Task | None, shown: list[str], told: list[str]) -> list[str]:
    if cell.expected == "-":
        return [] if told == shown else ["a refusal has left a text"]
    if cell.expected == "n" or before is None:
        return _told_without(cell, told)
    if len(told) != 1:
        return [f"there are {len(told)} comments of ours"]
    if cell.expected == "x" and "`" + f"/chimera {cell.verb}" not in told[0]:
        return [f"the status comment does not say what is wrong: {told[0]}"]
    return []


def _told_without(cell: Cell, told: list[str]) -> list[str]:
    """Where there was no task, only a question that was asked is answered by a comment."""
    asked = cell.verb in ("help", "config") and cell.expected == "."
    new = cell.expected == "n"
    return [] if bool(told) == (asked or new) else [f"{len(told)} comments of ours"]


@pytest.mark.parametrize("state", [name for name in ROWS["help"][1] if name != "none"])
async def test_a_wrong_state_is_told_with_exactly_what_is_possible_in_it(
    desk_with: OpenDesk, state: str
) -> None:
    desk = await desk_with()
    impossible = next(verb for verb, (_, cells) in ROWS.items() if cells[state] == "x")
    issue = await _issue_in(desk, state)
    await desk.comment(issue, f"/chimera {impossible} {ARGUMENTS.get(impossible, '')}".strip())
    await desk.passes(11)
    named = desk.ours(issue)[0].partition("Possible now: ")[2].partition("\n")[0]
    wanted = {verb for verb, (_, cells) in ROWS.items() if cells[state] != "x"}
    assert {verb for verb in ROWS if f"`{verb}`" in named} == wanted
