"""What a command is told, and the small words."""

from dataclasses import replace

import pytest

from bot.config.choices import RepoRole, Verb
from bot.config.layers import flat_values, load_repo_config
from bot.config.repo import RepoConfig
from bot.domain import Outcome, Status, Wait, WaitFor
from bot.workflow.command_grammar import parse_commands
from bot.workflow.commands import TABLE, Command, Misspelt
from bot.workflow.report.answers import (
    config_text,
    explanation,
    help_text,
    misspelt,
    refused,
    stamp,
    status_text,
    wrong_state,
)
from bot.workflow.report.status import MAX_BODY, status_comment
from bot.workflow.report.words import (
    clock,
    counted,
    duration,
    instant,
    joined,
    link,
    minutes_between,
    money,
    ordinal,
)
from bot.workflow.steering import MERGE_KEY, possible_now
from tests.words.scenes import PHASES, T0, completed, line, passed, running, task, view, waiting


def test_an_unknown_verb_is_told_the_nearest() -> None:
    [said] = parse_commands("/chimera aprove 3f9c2ab")
    assert isinstance(said, Misspelt)
    text = misspelt(said)
    assert "there is no such command. Did you mean `/chimera approve [sha7]`?" in text


def test_wrong_arguments_are_told_the_form() -> None:
    for body in ("/chimera priority 99", "/chimera deploy", "/chimera retry never"):
        [said] = parse_commands(body)
        assert isinstance(said, Misspelt)
        assert f"`/chimera {said.nearest}" in misspelt(said)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("cancle", "cancel"), ("stats", "status"), ("rety", "retry"), ("restart", "start"),
        ("pri", "priority"), ("conf", "config"), ("APROVE", "approve"), ("abrt", "cancel"),
        ("ａpprove", "approve"), ("nonsense", None), ("merge", None),
    ],
)  # fmt: skip
def test_the_nearest_verb_is_one_that_was_meant_or_none(word: str, meant: str | None) -> None:
    [said] = parse_commands(f"/chimera {word}")
    assert isinstance(said, Misspelt)
    assert said.nearest == meant
    assert ("Did you mean" in misspelt(said)) == (meant is not None)


def test_an_answer_says_whom_it_is_for_and_when_it_was_given() -> None:
    text = stamp("@octo", T0 + 60, T0)
    assert text.startswith("<sub>for ")
    assert "@octo" not in text
    assert clock(T0 + 60) in text


def test_a_fourth_command_is_left_out_and_that_is_told() -> None:
    said = parse_commands("/chimera status\n/chimera pause\n/chimera resume\n/chimera cancel")
    assert [type(one) for one in said] == [Command, Command, Command, Misspelt]
    assert isinstance(said[3], Misspelt)
    assert "at most 3 commands, and this one was left out" in misspelt(said[3])


def test_what_somebody_wrote_is_not_said_back_alive() -> None:
    [said] = parse_commands("/chimera @octo <!-- ![x](y)")
    assert isinstance(said, Misspelt)
    text = misspelt(said)
    assert "@octo" not in text
    assert "<!--" not in text


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("verb", list(Verb))
def test_a_wrong_state_names_the_state_and_what_is_possible(status: Status, verb: Verb) -> None:
    of = task(status, PHASES[0])
    text = wrong_state(verb, of)
    assert f"`/chimera {verb}` was not done: the task " in text
    named = text.partition("Possible now: ")[2]
    assert {other for other in Verb if f"`{other}`" in named} == set(possible_now(of))


def test_nothing_is_called_possible_that_would_be_refused() -> None:
    waits = waiting(WaitFor.APPROVAL, PHASES[5]).task
    assert Verb.APPROVE in possible_now(waits)
    assert {Verb.RESUME, Verb.ROLLBACK} & set(possible_now(waits)) == set()
    key = f"{MERGE_KEY}1/12"
    by_merge = replace(waits, wait=Wait(on=WaitFor.APPROVAL, reason="merge #12", key=key))
    assert Verb.APPROVE not in possible_now(by_merge)
    assert Verb.REJECT in possible_now(by_merge)


def test_without_a_task_that_is_said() -> None:
    assert "there is no task. Possible now: `help`, `start`" in wrong_state(Verb.CANCEL, None)


def test_a_refusal_says_why() -> None:
    text = refused(Verb.APPROVE, "the head is another commit", None)
    assert "`/chimera approve` was not done: the head is another commit. Possible" in text


def test_help_lists_every_command_with_this_repositorys_roles() -> None:
    text = help_text({Verb.CANCEL: RepoRole.ADMIN})
    for spec in TABLE:
        assert f"| `{spec.usage}` | " in text
    assert "| `/chimera cancel` | admin | " in text


def test_status_says_what_is_waited_for() -> None:
    text = status_text(waiting(WaitFor.RUN, PHASES[3], "run 88"))
    assert text == "> [!NOTE]\n> Staging is waiting: run 88."
    assert "Waiting for you:" in status_text(waiting(WaitFor.DECISION, PHASES[1]))
    third = view(task(Status.QUEUED, PHASES[0]), position=3, limit=2)
    said = "E2E test is 3rd in the queue; the repository limit of 2 is reached."
    assert status_text(third) == f"> [!NOTE]\n> {said}"
    assert status_text(completed()) == "> [!NOTE]\n> The task is done."


def test_explain_shows_the_journal_of_the_phase_and_no_other() -> None:
    journal = (*passed(PHASES[0]), line(2, PHASES[1], Outcome.AGAIN, "The tests | fail"))
    text = explanation(view(task(Status.RUNNING, PHASES[1]), journal))
    assert r"| 12:10 UTC | again | 2m 10s | The tests \| fail |" in text
    assert "2 written" not in text


def test_config_shows_every_value_with_its_origin() -> None:
    effective = load_repo_config([("chimera.yml", b"limits:\n  rounds: 2\n")])
    text = config_text(effective)
    assert "| `limits.rounds` | 2 | chimera.yml:2 |" in text
    assert "| `agents.coder.use` | as the server says | default |" in text
    assert "| `e2e.import_red` | not set | default |" in text
    assert "| `commands` | none | default |" in text
    for key in flat_values(RepoConfig()):
        assert f"| `{key}` | " in text


def test_an_answer_stands_in_the_status_comment() -> None:
    seen = replace(running(PHASES[1]), answers=(help_text({}), config_text(load_repo_config([]))))
    text = status_comment(seen)
    assert "| `/chimera help` | read |" in text
    assert text.count("<details") == text.count("</details>") == 3
    assert len(text) <= MAX_BODY


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (duration(0), "0s"),
        (duration(59.4), "59s"),
        (duration(59.6), "1m 00s"),
        (duration(130), "2m 10s"),
        (duration(3900), "1h 05m"),
        (duration(100_000), "1d 3h"),
        (duration(-5), "0s"),
        (clock(T0), "12:00 UTC"),
        (clock(T0 + 86_400, T0), "23 Nov 12:00 UTC"),
        (instant(T0 + 1), "2026-11-22 12:00:01 UTC"),
        (money(0), "$0.00"),
        (money(1234.5), "$1,234.50"),
        (money(None), "unknown"),
        (ordinal(1), "1st"),
        (ordinal(11), "11th"),
        (ordinal(22), "22nd"),
        (ordinal(113), "113th"),
        (minutes_between(10, 20), "1 minute"),
        (minutes_between(60, 61, more=True), "1 more minute"),
        (minutes_between(360, 540, more=True), "6–9 more minutes"),
        (counted(1, "test"), "1 test"),
        (joined([]), ""),
        (joined(["a"]), "a"),
        (joined(["a", "b", "c"]), "a, b and c"),
        (link("x", "javascript:alert(1)"), "x"),
        (link("x", "https://a.test/b) [y](z"), "[x](https://a.test/b%29%20%5By%5D%28z)"),
    ],
)
def test_the_small_words(said: str, expected: str) -> None:
    assert said == expected
