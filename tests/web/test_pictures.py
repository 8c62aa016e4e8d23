"""What is drawn: bars over time, plots, steps, estimates. All of it pure."""

from dataclasses import replace

import pytest

from bot.domain import Cursor, JournalLine, Outcome, Phase, Status, Task
from bot.facts import Deployment, Facts, Proof
from bot.tasks.statistics import Spread, spread
from bot.web import plots
from bot.web.estimates import left, starts_in
from bot.web.gantt import LONGEST_GAP, WIDTH, chart
from bot.web.recent import Recent
from bot.web.render import ago, prose
from bot.web.steps import Mark, steps

DAY_S = 86_400.0
CODE, REVIEW = Phase.CODE_IMPLEMENTATION, Phase.GUARDIAN_REVIEW


def line(phase: Phase, at: float, seconds: float, cursor: Cursor | None = None) -> JournalLine:
    return JournalLine(
        task_id="t",
        n=0,
        phase=phase,
        cursor=cursor or Cursor(phase=phase),
        outcome=Outcome.PASS,
        summary="",
        started_at=at,
        seconds=seconds,
    )


def task(status: Status, phase: Phase = CODE, **facts: object) -> Task:
    return Task(
        id="t",
        feature="f",
        title="f",
        status=status,
        cursor=Cursor(phase=phase),
        facts=replace(Facts(), **facts),  # type: ignore[arg-type]  # any of its members
    )


def test_days_of_waiting_do_not_press_the_work_into_a_corner() -> None:
    drawn = chart([line(CODE, 0, 60), line(REVIEW, 3 * DAY_S, 60)])
    assert drawn is not None
    first, second = drawn.bars
    assert first.width == pytest.approx(second.width, rel=0.01)
    assert second.x - (first.x + first.width) == pytest.approx(
        2 * LONGEST_GAP * first.width, rel=0.05
    )
    assert [cut.text for cut in drawn.cuts] == ["2d 23h parked"]
    assert drawn.ticks[0].text == "0.0s"
    assert drawn.ticks[-1].text == "3d 0h", "times below the bars are the real ones"


def test_a_short_pause_is_drawn_as_long_as_it_was() -> None:
    drawn = chart([line(CODE, 0, 100), line(REVIEW, 105, 100)])
    assert drawn is not None
    assert drawn.cuts == ()


def test_steps_that_overlap_stay_in_the_picture() -> None:
    drawn = chart([line(CODE, 0, 100), line(REVIEW, 20, 10), line(REVIEW, 50, 100)])
    assert drawn is not None
    assert all(bar.width > 0 and bar.x + bar.width <= WIDTH for bar in drawn.bars)


def test_what_runs_now_is_drawn_to_the_present() -> None:
    running = replace(task(Status.RUNNING, REVIEW), updated_at=10.0)
    drawn = chart([line(CODE, 0, 10)], running, now=30.0)
    assert drawn is not None
    assert [bar.kind for bar in drawn.bars] == ["pass", "now"]
    assert drawn.bars[1].width == pytest.approx(2 * drawn.bars[0].width, rel=0.02)


def test_another_round_is_marked_where_it_began() -> None:
    again = Cursor(phase=CODE, round=2)
    drawn = chart([line(CODE, 0, 50), line(REVIEW, 50, 50), line(CODE, 100, 50, again)])
    assert drawn is not None
    assert [(mark.x, mark.text) for mark in drawn.rounds] == [(drawn.bars[2].x, "round 2")]


@pytest.mark.parametrize(
    ("given", "marks"),
    [
        (task(Status.QUEUED, Phase.E2E_TEST_GENERATION), "ahead ahead ahead ahead ahead ahead"),
        (task(Status.RUNNING, CODE), "pass now ahead ahead ahead ahead"),
        (task(Status.WAITING, Phase.PRODUCTION_DEPLOYMENT), "pass pass pass pass pass wait"),
        (task(Status.DEAD, REVIEW), "pass pass fail ahead ahead ahead"),
        (task(Status.COMPLETED, Phase.COMPLETE), "pass pass pass pass pass pass"),
        (
            task(Status.COMPLETED, Phase.COMPLETE, skipped=("STAGING_DEPLOYMENT: none is set",)),
            "pass pass pass skip pass pass",
        ),
        (task(Status.FAILED, Phase.FAILED), "fail ahead ahead ahead ahead ahead"),
        (task(Status.FAILED, Phase.FAILED, test_sha="a"), "pass fail ahead ahead ahead ahead"),
        (
            task(
                Status.FAILED,
                Phase.FAILED,
                test_sha="a",
                green=(Proof(command="t", sha="b", exit_code=0),),
                head_sha="b",
                reviewed_sha="b",
                staging=Deployment(name="n", environment="staging", sha="b", state="success"),
            ),
            "pass pass pass pass fail ahead",
        ),
    ],
)
def test_six_bars_say_where_a_task_stands(given: Task, marks: str) -> None:
    assert [step.mark for step in steps(given)] == [Mark(word) for word in marks.split()]


def pace(seconds: float, n: int) -> dict[Phase, Spread]:
    many = spread([seconds] * n)
    return {} if many is None else {CODE: many, REVIEW: many}


def test_an_estimate_is_made_from_enough_history_or_not_at_all() -> None:
    running = task(Status.RUNNING, CODE)
    assert left(running, pace(120, 20)) == "4 more minutes"
    assert left(running, pace(120, 4)) == ""
    assert left(replace(running, status=Status.WAITING), pace(120, 20)) == ""
    assert starts_in(6, 3, pace(150, 20)) == "about 10 minutes"
    assert starts_in(6, 0, pace(150, 20)) == ""
    assert starts_in(6, 3, pace(150, 0)) == ""


def test_columns_stand_on_the_floor_and_stack_to_their_sum() -> None:
    drawn = plots.columns(["2026-03-01", "2026-03-02"], {"2026-03-02": [("a", 3.0), ("b", 1.0)]})
    low, high = drawn.boxes
    assert low.y + low.height == pytest.approx(plots.FLOOR, abs=0.2)
    assert high.y + high.height == pytest.approx(low.y, abs=0.2)
    assert low.height == pytest.approx(3 * high.height, rel=0.02)
    assert [level.text for level in drawn.levels] == ["0", "2", "4"]
    assert low.title == "2026-03-02: 3 a"


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 2), (1, 2), (3, 4), (9, 10), (11, 20), (150, 200), (1234, 2000)]
)
def test_the_scale_of_columns_ends_at_a_round_number(highest: float, top: float) -> None:
    drawn = plots.columns(["2026-03-01"], {"2026-03-01": [("a", highest)]})
    assert drawn.levels[-1].text == f"{top:g}"


def test_a_curve_keeps_to_its_window_and_an_empty_one_draws_nothing() -> None:
    drawn = plots.curve([(0, 0), (50, 5), (100, 10)], 0, 100)
    assert [point.split(",")[1] for point in drawn.line.split()] == ["150.0", "79.0", "8.0"]
    assert plots.curve([], 0, 100).line == ""
    assert plots.ranges({}).boxes == plots.amounts([]).boxes == ()


def test_the_last_days_end_today_and_every_end_has_its_place() -> None:
    days = plots.last_days(1_700_000_000.0, 3)
    assert days == ["2023-11-12", "2023-11-13", "2023-11-14"]
    ended = {("2023-11-13", Status.FAILED): 1, ("2023-11-13", Status.COMPLETED): 2}
    assert plots.stacked(ended) == {"2023-11-13": [("completed", 2.0), ("failed", 1.0)]}


@pytest.mark.parametrize(
    ("passed", "words"),
    [(0, "just now"), (59, "just now"), (60, "1 min ago"), (7300, "2 h ago"), (9e5, "10 d ago")],
)
def test_ages_are_told_in_one_unit(passed: float, words: str) -> None:
    assert ago(1000.0, 1000.0 + passed) == words


def test_code_in_a_sentence_is_shown_as_code_and_nothing_else_is_markup() -> None:
    assert prose("`a<b>` & <i>") == "<code>a&lt;b&gt;</code> &amp; &lt;i&gt;"
    assert prose("`x\ny`") == "`x\ny`"


async def test_an_answer_is_asked_for_again_when_it_is_old() -> None:
    asked: list[float] = []
    clock = [0.0]

    async def ask() -> int:
        asked.append(clock[0])
        return len(asked)

    recent = Recent(ask, now=lambda: clock[0], for_s=10)
    assert [await recent.get(), await recent.get()] == [1, 1]
    clock[0] = 11.0
    assert await recent.get() == 2
