"""Every bench runs, with tiny numbers; what it counts has to be right, what it times has not."""

from pathlib import Path

import pytest

from tests.bench import items, running, table
from tests.bench.model import Bench, Cell, Figure, Reading, Round, Verdict, judge

QUICK = (
    "ingest", "queue", "claim", "pickup", "slots", "memory", "startup", "cage", "outgoing",
    "cluster",
)  # fmt: skip
LONG = ("calls", "whole", "growth")


@pytest.mark.parametrize("name", QUICK)
def test_a_bench_runs_and_its_exact_figures_hold(name: str) -> None:
    _run(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_whole_run_keeps_its_exact_figures(name: str) -> None:
    _run(name)


def test_every_bench_is_run_here() -> None:
    assert set(items.benches()) == {*QUICK, *LONG}


def figure(**bound: float | bool) -> Figure:
    return Figure(name="ratio", of=lambda r: r["ours"]["x"] / r["anchor"]["x"], **bound)  # type: ignore[arg-type]  # any of its members


def rounds(*values: float) -> list[Round]:
    return [Round(readings={"ours": {"x": v}, "anchor": {"x": 1.0}}, absent={}) for v in values]


def test_the_median_of_the_rounds_decides() -> None:
    line = judge(figure(at_least=2.0), rounds(2.1, 2.2, 1.9))
    assert (line.verdict, line.value, line.low, line.high) == (Verdict.MET, 2.1, 1.9, 2.2)


def test_a_wide_spread_around_the_bound_is_noisy() -> None:
    assert judge(figure(at_least=2.0), rounds(1.0, 2.1, 4.0)).verdict is Verdict.NOISY


def test_a_wide_spread_on_one_side_of_the_bound_decides() -> None:
    assert judge(figure(at_least=2.0), rounds(3.0, 6.0, 9.0)).verdict is Verdict.MET
    assert judge(figure(at_most=2.0), rounds(3.0, 6.0, 9.0)).verdict is Verdict.MISSED


def test_a_count_is_never_noisy_and_holds_in_every_round() -> None:
    line = judge(figure(at_most=2.0, exact=True), rounds(1.0, 1.0, 9.0))
    assert line.verdict is Verdict.MISSED


def test_an_absent_anchor_is_not_measured_and_says_why() -> None:
    absent = Round(readings={"ours": {"x": 3.0}}, absent={"anchor": "huey is not installed"})
    line = judge(figure(at_least=1.0), [absent])
    assert (line.verdict, line.value) == (Verdict.NOT_MEASURED, None)
    assert line.why == "huey is not installed"


def test_a_cell_that_breaks_ends_the_run_with_its_own_words() -> None:
    with pytest.raises(RuntimeError, match="the disk is full"):
        running.measure(Cell(name="broken", work="tests.bench.test_bench:broken"))


def test_a_missing_library_is_absent_and_a_missing_module_of_ours_is_an_error() -> None:
    assert running.measure(Cell(name="x", work="tests.bench.test_bench:needs_nothing_known")) == {
        "absent": "no_such_library is not installed"
    }
    with pytest.raises(RuntimeError, match="no_such_bench"):
        running.measure(Cell(name="x", work="tests.bench.no_such_bench:cell"))


def test_without_node_probot_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    absent = {"absent": "node is not installed"}
    assert running.measure(Cell(name="probot", work="tests.bench.probot:idle")) == absent


def test_a_noisy_bench_is_measured_again_until_it_settles(tmp_path: Path) -> None:
    said: list[str] = []
    result = running.settled(_counted(tmp_path, noisy_runs=2), rounds=2, say=said.append)
    assert (result.reruns, result.noisy, result.lines[0].value) == (2, (), 1.0)
    assert [words for words in said if "rerun" in words] == [
        "counted: noisy (value): rerun 1 of 3",
        "counted: noisy (value): rerun 2 of 3",
    ]
    assert "2 of 3 reruns" in table.text([result])


def test_a_bench_that_stays_noisy_is_reported_after_three_reruns(tmp_path: Path) -> None:
    result = running.settled(_counted(tmp_path, noisy_runs=9), rounds=2, say=lambda _: None)
    assert (result.reruns, result.noisy) == (3, ("value",))
    assert table.noisy([result]) == table.document([result])["noisy"] == ["counted: value"]


def _counted(folder: Path, *, noisy_runs: int) -> Bench:
    """Two readings a run, on both sides of the bound while it is noisy."""
    args = {"path": str(folder / "count"), "noisy": 2 * noisy_runs}
    return Bench(
        name="counted",
        about="a number that wavers",
        cells=[Cell(name="cell", work="tests.bench.wavering:wavering", args=args)],
        figures=[Figure(name="value", of=lambda r: r["cell"]["x"], at_most=2.0)],
    )


def broken() -> Reading:
    raise OSError("the disk is full")


def needs_nothing_known() -> Reading:
    raise ModuleNotFoundError("No module", name="no_such_library")


def _run(name: str) -> None:
    said: list[str] = []
    result = running.run(items.benches(quick=True)[name], rounds=1, say=said.append)
    assert table.gate([result]) == []
    assert said == [f"{name}: round 1 of 1"]
    for line in result.lines:
        assert line.figure in table.text([result])
        if line.exact:
            assert line.verdict in {Verdict.MET, Verdict.NOT_MEASURED}
