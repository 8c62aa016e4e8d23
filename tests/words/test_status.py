"""The status comment: what each state shows, and that equal rows give equal text."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.choices import ApprovalMode
from bot.config.layers import load_repo_config
from bot.domain import Cause, Cursor, Outcome, Phase, Status, WaitFor
from bot.facts import Facts, Spend
from bot.workflow.report.failures import FAILURES
from bot.workflow.report.labels import state_label, state_labels
from bot.workflow.report.marker import read_marker, signed
from bot.workflow.report.progress import State, rows
from bot.workflow.report.status import MAX_BODY, status_comment
from bot.workflow.report.timeline import gantt
from bot.workflow.report.view import Eta, Links, View
from tests.words.scenes import (
    KEY,
    PHASES,
    T0,
    completed,
    failed,
    line,
    passed,
    running,
    task,
    view,
    waiting,
)

RUNNING = """\
### Chimera · guardian review (3 of 6) · round 1 of 3

| | Phase | Result | Took | |
|-|-|-|-|-|
| ✅ | E2E test | 2 written, fail on `main` as they must | 2m 10s | [evidence](https://bot.test/tasks/chimera-01JD#e2e_test_generation) |
| ✅ | Code | 2 tests pass, 148 others still pass | 2m 10s | [PR #12](https://github.com/acme/shop/pull/12) |
| 🔵 | Guardian review | running since 12:12 UTC | | |
| ⚪ | Staging · E2E validation · Production | | | |

Usually 6–9 more minutes. Cost so far $0.84 of $5.00.

<details><summary>Timeline</summary>

```mermaid
gantt
    dateFormat X
    axisFormat %H:%M
    section E2E test
    passed :done, s1, 1795348800, 1795348930
    section Code
    passed :done, s2, 1795349400, 1795349530
```

</details>

<sub>task [chimera-01JD](https://bot.test/tasks/chimera-01JD) · `/chimera help`</sub>"""  # noqa: E501


def body(of: View) -> str:
    return status_comment(of).partition("\n")[2]


def test_a_running_task_shows_where_it_is() -> None:
    seen = replace(running(Phase.GUARDIAN_REVIEW), eta=Eta(p50_s=360, p90_s=540))
    assert body(seen) == RUNNING


def test_an_approval_is_asked_for_with_the_exact_reply() -> None:
    text = body(waiting(WaitFor.APPROVAL, Phase.PRODUCTION_DEPLOYMENT))
    assert (
        "> [!IMPORTANT]\n> Waiting for you: **approve production** of `3f9c2ab`. Reply "
        "`/chimera approve` or press the button on the check.\n"
    ) in text
    assert "| ⏸ | Production | because | | [" in text


def test_where_a_merge_is_the_approval_the_merge_is_asked_for() -> None:
    config = load_repo_config([("x", b"deploy: {production: {approval: on-merge}}")]).config
    assert config.deploy.production.approval is ApprovalMode.ON_MERGE
    seen = replace(waiting(WaitFor.APPROVAL, Phase.PRODUCTION_DEPLOYMENT), config=config)
    assert "**merge [PR #12](https://github.com/acme/shop/pull/12)** at `3f9c2ab`" in body(seen)


@pytest.mark.parametrize("on", list(WaitFor))
def test_every_wait_shows_its_reason_and_only_a_persons_asks_for_one(on: WaitFor) -> None:
    text = body(waiting(on, Phase.STAGING_DEPLOYMENT, "run #88 has been queued for 6 min."))
    assert ("[!IMPORTANT]" in text) == on.needs_person
    if on.needs_person:
        assert (
            "Reply `/chimera" in text
            or "label" in text
            or "put it on again" in text
            or ("reply `/chimera" in text)
        )
    else:
        word = "until" if on.ends_by_time else "next look"
        at = "" if on is WaitFor.REVIEWERS else f" ({word} 14:30 UTC)"
        assert f"Waits: run #\u200b88 has been queued for 6 min{at}." in text


def test_a_queued_task_shows_its_place() -> None:
    queued = view(task(Status.QUEUED, Phase.E2E_TEST_GENERATION, spend=Spend()), position=3)
    assert body(queued).startswith("### Chimera · queued\n")
    assert "\n3rd in the queue.\n" in body(queued)
    assert "3rd in the queue, then usually 5–12 minutes." in body(
        replace(queued, eta=Eta(p50_s=300, p90_s=720))
    )


def test_a_skipped_phase_is_never_shown_as_passed() -> None:
    journal = (*passed(*PHASES[:3]), line(4, PHASES[3], Outcome.SKIP, "no workflow"))
    text = body(view(task(Status.RUNNING, PHASES[4]), journal))
    assert "| ⏭️ | Staging | skipped: no workflow | 2m 10s | |" in text
    assert "✅ | Staging" not in text


def test_work_that_was_sent_back_is_shown_as_open() -> None:
    journal = (*passed(*PHASES[:2]), line(3, PHASES[2], Outcome.BACK, "Changes requested"))
    text = body(
        view(task(Status.RUNNING, PHASES[1], cursor=Cursor(phase=PHASES[1], round=2)), journal)
    )
    assert "code (2 of 6) · round 2 of 3" in text
    assert "| 🔵 | Code | running since 12:22 UTC |" in text
    assert "| ⚪ | Guardian review | sent back: Changes requested |" in text


def test_a_new_change_makes_open_what_later_phases_said_of_the_old_one() -> None:
    journal = (
        *passed(*PHASES[:4]),
        line(5, PHASES[4], Outcome.BACK, "The tests are red on staging"),
        line(6, PHASES[1], Outcome.PASS),
    )
    row = rows(task(Status.RUNNING, PHASES[2]), journal)[PHASES[4]]
    assert (row.state, row.summary) == (State.PENDING, "")


def test_staging_again_leaves_code_and_review_passed() -> None:
    journal = (*passed(*PHASES[:5]), line(6, PHASES[5], Outcome.BACK, "Another tree"))
    table = rows(task(Status.RUNNING, PHASES[3]), journal)
    assert [row.state for row in table.values()] == [
        State.PASSED,
        State.PASSED,
        State.PASSED,
        State.RUNNING,
        State.PENDING,
        State.SENT_BACK,
    ]


@pytest.mark.parametrize("cause", list(Cause))
@pytest.mark.parametrize("status", [Status.FAILED, Status.DEAD])
def test_a_failure_says_why_what_was_kept_and_what_is_next(cause: Cause, status: Status) -> None:
    text = body(failed(Phase.CODE_IMPLEMENTATION, cause, status))
    assert "at code (2 of 6)" in text.splitlines()[0]
    assert "| ❌ | Code | It went wrong |" in text
    general = "" if cause is Cause.PERSON else f"{FAILURES[cause].what} "
    assert f"**Why:** {general}It went wrong" in text
    assert "**Kept:** the branch [`chimera/7-logout`](https://github.com/acme/shop/tree/" in text
    assert f"**Next:** {FAILURES[cause].next}" in text
    assert "**Took:** 1h 06m" in text


def test_a_cancelled_task_is_no_failure() -> None:
    of = task(Status.CANCELLED, PHASES[1], cause=Cause.PERSON, summary="Cancelled by ada")
    text = body(view(of, passed(PHASES[0])))
    assert text.startswith("### Chimera · cancelled at code (2 of 6)")
    assert "❌" not in text
    assert "| ⚪ | Code | Cancelled by ada |" in text
    assert "**Why:** Cancelled by ada  \n" in text, "once, and not as a failure"
    assert "`/chimera retry` to go on from the same phase, or `/chimera start`" in text


def test_who_is_stopped_while_it_waits_has_not_failed_there() -> None:
    of = task(Status.CANCELLED, PHASES[5], cause=Cause.PERSON, summary="Cancelled by ada")
    ended = replace(line(6, PHASES[5], Outcome.FAIL, "Cancelled by ada"), cause=Cause.PERSON)
    text = body(view(of, (*passed(*PHASES[:5]), ended)))
    assert "❌" not in text
    assert "| ⚪ | Production | Cancelled by ada |" in text
    assert "ended by a person :crit" in text


def test_rounds_that_a_person_has_allowed_are_not_counted_against_the_limit() -> None:
    beyond = Cursor(phase=PHASES[1], round=4)
    text = body(view(task(Status.RUNNING, PHASES[1], cursor=beyond), passed(PHASES[0])))
    assert "code (2 of 6) · round 4\n" in text


def test_what_was_said_before_a_person_sent_the_work_back_is_not_told_of_its_end() -> None:
    journal = (
        *passed(*PHASES[:5]),
        line(6, PHASES[5], Outcome.WAIT, "`main` has moved"),
        line(7, PHASES[1], Outcome.FAIL, "The coder changed nothing"),
    )
    text = body(view(task(Status.FAILED, Phase.FAILED, cause=Cause.NOT_GREEN), journal))
    assert "| ✅ | Guardian review |" not in text
    assert "has moved" not in text
    assert "| ⚪ | Production | to be done again |" in text


def test_tests_alone_are_not_called_a_change() -> None:
    scene = failed(Phase.CODE_IMPLEMENTATION, Cause.NOT_GREEN)
    only = replace(scene.task.facts, head_sha=scene.task.facts.test_sha, pull=0)
    text = body(replace(scene, task=replace(scene.task, facts=only)))
    assert "**Kept:** the branch [" in text
    assert "the change" not in text.partition("**Kept:**")[2].partition("\n")[0]


def test_a_finished_task_shows_result_evidence_links_duration_and_cost() -> None:
    text = body(completed())
    assert text.startswith("### Chimera · done\n")
    assert text.count("✅") == 6
    assert "**Result:** Live in production · [PR #12](" in text
    assert "[live](https://shop.test) · 1h 06m" in text
    assert "Cost $0.84 of $5.00." in text


def test_an_unknown_price_is_not_zero() -> None:
    of = task(Status.RUNNING, PHASES[1], spend=Spend(requests=1, input_tokens=1200))
    assert "Cost unknown (the model has no known price); 1,200 tokens used." in body(view(of))


def test_a_raised_budget_is_the_one_that_is_shown() -> None:
    of = task(Status.RUNNING, PHASES[1], budget_usd=12.0)
    assert "$0.84 of $12.00" in body(view(of))


def test_without_a_page_of_ours_evidence_is_linked_on_the_hub() -> None:
    seen = completed()
    kept = replace(seen.task.facts, test_sha="b" * 40)
    text = body(replace(seen, task=replace(seen.task, facts=kept), links=Links()))
    assert "[tests](https://github.com/acme/shop/commit/bbbbbbb" in text
    assert "| Guardian review | Approved | 2m 10s | [review](https://github.com/acme/" in text
    assert "bot.test" not in text


def test_a_local_run_has_no_links() -> None:
    seen = completed()
    text = body(replace(seen, task=replace(seen.task, repo=None), links=Links()))
    assert "https://github.com/None" not in text
    assert "](/" not in text


def test_the_timeline_can_be_switched_off() -> None:
    config = load_repo_config([("x", b"comment: {timeline: false}")]).config
    assert "mermaid" not in body(replace(completed(), config=config))


@pytest.mark.parametrize("phase", PHASES)
def test_equal_rows_give_equal_text(phase: Phase) -> None:
    assert status_comment(running(phase)) == status_comment(running(phase))


@given(st.text(max_size=2000))
def test_no_foreign_text_comes_alive_or_breaks_the_table(text: str) -> None:
    journal = (
        line(1, PHASES[0], Outcome.PASS, text or "x"),
        line(2, PHASES[1], Outcome.FAIL, text),
    )
    of = task(Status.FAILED, Phase.FAILED, cause=Cause.BUG, summary=text, title=text)
    shown = status_comment(view(of, journal))
    table = [row for row in shown.splitlines() if row.startswith("| ") and "| Phase |" not in row]
    assert len(table) == 3
    assert "@octo" not in shown
    assert len(shown) <= MAX_BODY


def test_the_longest_journal_fits() -> None:
    many = tuple(line(n, PHASES[n % 6], Outcome.AGAIN, "x" * 5000) for n in range(1, 2000))
    answers = tuple("y" * 20_000 for _ in range(9))
    shown = status_comment(replace(running(PHASES[1]), journal=many, answers=answers))
    assert len(shown) <= MAX_BODY
    assert shown.startswith("<!-- chimera:v1 ")


# ── marker, gantt, labels ────────────────────────────────────────────────────────────────────


def test_our_own_comment_is_known_again() -> None:
    found = read_marker(KEY, status_comment(running(PHASES[0])))
    assert found is not None
    assert (found.task_id, dict(found.fields)) == ("chimera-01JD", {})


def test_a_marker_carries_what_it_is_of() -> None:
    mark = signed(KEY, "chimera-1", of="review", head="abc", round=2)
    found = read_marker(KEY, mark + "\ntext")
    assert found is not None
    assert dict(found.fields) == {"of": "review", "head": "abc", "round": "2"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no marker",
        "\n" + signed(KEY, "chimera-1"),
        signed(b"another key", "chimera-1"),
        signed(KEY, "chimera-1").replace("chimera-1", "chimera-2"),
        signed(KEY, "chimera-1").replace(" sig=", " of=pull sig="),
        signed(KEY, "chimera-1")[:-4],
        " " + signed(KEY, "chimera-1"),
        "<!-- chimera:v1 " + "a=b " * 20_000,
    ],
)
def test_anything_else_is_not_ours(text: str) -> None:
    assert read_marker(KEY, text) is None


def test_a_gantt_has_only_our_words_and_bars_that_can_be_drawn() -> None:
    journal = (
        line(1, PHASES[0], Outcome.PASS, "evil: crit, x #; end", 0),
        line(2, PHASES[2], Outcome.BACK, "%%{init}%%", 0.2),
    )
    chart = gantt(journal)
    assert "evil" not in chart
    assert "init" not in chart
    bars = [row for row in chart.splitlines() if " :" in row]
    for bar in bars:
        begin, end = (int(part) for part in bar.rpartition("s")[2].split(", ")[1:])
        assert end > begin >= T0
    assert gantt(()) == ""


@pytest.mark.parametrize("status", list(Status))
def test_each_state_has_exactly_one_label(status: Status) -> None:
    labels = view(task(status, PHASES[0])).config.labels
    assert state_label(task(status, PHASES[0]), labels) in state_labels(labels)


def test_only_a_wait_for_a_person_needs_one() -> None:
    for on in WaitFor:
        seen = waiting(on, PHASES[3])
        begun = replace(seen.task, facts=Facts(base_sha="a" * 40))
        name = state_label(begun, seen.config.labels).name
        assert name == ("chimera:needs-human" if on.needs_person else "chimera:running")


def test_a_wait_that_looks_each_minute_names_no_time_so_that_no_look_is_an_edit() -> None:
    assert "next look" in body(waiting(WaitFor.BLOCKED, PHASES[0]))
    assert "next look" not in body(waiting(WaitFor.REVIEWERS, PHASES[0]))


def test_what_waits_before_it_has_begun_is_not_called_running() -> None:
    seen = waiting(WaitFor.BLOCKED, PHASES[0])
    assert state_label(seen.task, seen.config.labels).name == "chimera:queued"
