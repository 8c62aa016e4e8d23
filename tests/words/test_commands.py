"""The command table, and what may follow a verb."""

import pytest

from bot.config.choices import RepoRole, Verb
from bot.domain import Phase, Status
from bot.workflow.command_grammar import parse_commands
from bot.workflow.commands import (
    BUTTONS,
    TABLE,
    Command,
    Misspelt,
    Takes,
    least_role,
    possible,
    spec_of,
)


def one(line: str) -> Command | Misspelt:
    [said] = parse_commands(line)
    return said


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/chimera", Command(verb=Verb.HELP)),
        ("/chimera help", Command(verb=Verb.HELP)),
        ("/chimera\thelp  ", Command(verb=Verb.HELP)),
        ("/chimera STATUS", Command(verb=Verb.STATUS)),
        ("/chimera start", Command(verb=Verb.START)),
        ("/chimera start --priority 9", Command(verb=Verb.START, priority=9)),
        ("/chimera start --budget=2.5", Command(verb=Verb.START, budget=2.5)),
        (
            "/chimera start --budget $2 --priority=10",
            Command(verb=Verb.START, budget=2.0, priority=10),
        ),
        ("/chimera retry", Command(verb=Verb.RETRY)),
        ("/chimera retry Code", Command(verb=Verb.RETRY, phase=Phase.CODE_IMPLEMENTATION)),
        ("/chimera retry e2e_validation", Command(verb=Verb.RETRY, phase=Phase.E2E_VALIDATION)),
        ("/chimera stop", Command(verb=Verb.CANCEL)),
        ("/chimera priority 1", Command(verb=Verb.PRIORITY, priority=1)),
        ("/chimera budget 0.5", Command(verb=Verb.BUDGET, budget=0.5)),
        ("/chimera approve", Command(verb=Verb.APPROVE)),
        ("/chimera approve 3F9C2AB", Command(verb=Verb.APPROVE, sha="3f9c2ab")),
        ("/chimera reject not *now*", Command(verb=Verb.REJECT, reason="not *now*")),
        ("/chimera hold", Command(verb=Verb.HOLD)),
        ("/chimera deploy staging", Command(verb=Verb.DEPLOY)),
    ],
)
def test_a_command_is_understood(line: str, expected: Command) -> None:
    assert one(line) == expected


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        ("/chimera aprove", Verb.APPROVE),
        ("/chimera cancle", Verb.CANCEL),
        ("/chimera ststus", Verb.STATUS),
        ("/chimera xyzzy", None),
        ("/chimera ａpprove", Verb.APPROVE),
        ("/chimera rollbac\u212a", Verb.ROLLBACK),
        ("/chimera priority", Verb.PRIORITY),
        ("/chimera priority 0", Verb.PRIORITY),
        ("/chimera priority 11", Verb.PRIORITY),
        ("/chimera priority 1000000000000", Verb.PRIORITY),
        ("/chimera priority 0011111", Verb.PRIORITY),
        ("/chimera priority ５", Verb.PRIORITY),
        ("/chimera priority 5 6", Verb.PRIORITY),
        ("/chimera budget 0", Verb.BUDGET),
        ("/chimera budget -1", Verb.BUDGET),
        ("/chimera budget nan", Verb.BUDGET),
        ("/chimera budget 1e9", Verb.BUDGET),
        ("/chimera budget 99999", Verb.BUDGET),
        ("/chimera approve 3f9c2a", Verb.APPROVE),
        ("/chimera approve 3f9c2az", Verb.APPROVE),
        ("/chimera approve it", Verb.APPROVE),
        ("/chimera retry soon", Verb.RETRY),
        ("/chimera deploy production", Verb.DEPLOY),
        ("/chimera deploy", Verb.DEPLOY),
        ("/chimera start --priority", Verb.START),
        ("/chimera start --priority 1 --priority 2", Verb.START),
        ("/chimera start now", Verb.START),
        ("/chimera help me", Verb.HELP),
    ],
)
def test_a_misspelt_line_is_never_a_command(line: str, nearest: Verb | None) -> None:
    said = one(line)
    assert isinstance(said, Misspelt)
    assert said.nearest is nearest
    assert said.problem


def test_the_table_has_each_verb_once() -> None:
    assert [spec.verb for spec in TABLE] == list(Verb)
    names = [name for spec in TABLE for name in (spec.verb, *spec.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("spec", TABLE, ids=lambda spec: spec.verb)
def test_a_verb_alone_is_a_command_exactly_when_its_arguments_are_optional(spec: object) -> None:
    row = next(row for row in TABLE if row is spec)
    needs = row.takes in {Takes.PRIORITY, Takes.BUDGET, Takes.STAGING}
    assert isinstance(one(f"/chimera {row.verb}"), Misspelt) == needs


@pytest.mark.parametrize(
    ("role", "verbs"),
    [
        (RepoRole.READ, {"help", "status", "explain", "config"}),
        (
            RepoRole.TRIAGE,
            {"start", "retry", "cancel", "pause", "resume", "priority", "budget"},
        ),
        (RepoRole.WRITE, {"review", "deploy"}),
        (RepoRole.MAINTAIN, {"approve", "reject", "rollback", "hold", "unhold"}),
        (RepoRole.ADMIN, set()),
    ],
)
def test_each_role_is_the_least_for_its_commands(role: RepoRole, verbs: set[str]) -> None:
    assert {str(spec.verb) for spec in TABLE if spec.least is role} == verbs


def test_a_repository_may_ask_for_another_role() -> None:
    assert least_role(Verb.CANCEL, {Verb.CANCEL: RepoRole.ADMIN}) is RepoRole.ADMIN
    assert least_role(Verb.CANCEL, {Verb.START: RepoRole.ADMIN}) is RepoRole.TRIAGE


@pytest.mark.parametrize("have", list(RepoRole))
@pytest.mark.parametrize("least", list(RepoRole))
def test_a_role_covers_itself_and_the_lesser_ones(have: RepoRole, least: RepoRole) -> None:
    order = ["read", "triage", "write", "maintain", "admin"]
    assert have.covers(least) == (order.index(have) >= order.index(least))


@pytest.mark.parametrize("status", list(Status))
def test_what_is_possible_is_what_the_table_says(status: Status) -> None:
    assert possible(status) == [spec.verb for spec in TABLE if status in spec.statuses]
    assert (Verb.CANCEL in possible(status)) != status.ended
    assert (Verb.START in possible(status)) == status.ended


def test_without_a_task_only_what_needs_none_is_possible() -> None:
    assert set(possible(None)) == {"help", "start", "hold", "unhold", "config"}


def test_every_button_is_a_command_that_needs_no_argument() -> None:
    for identifier, command in BUTTONS.items():
        assert len(identifier) <= 20
        assert spec_of(command.verb).takes in {
            Takes.NOTHING,
            Takes.PHASE,
            Takes.SHA,
            Takes.REASON,
        }
