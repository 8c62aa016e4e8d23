"""What the models have cost, by phase: unknown is not 0, and a part is not the whole."""

from dataclasses import replace

from bot.domain import JournalLine, Outcome, Phase, Status
from bot.facts import Spend
from bot.workflow.report.costs import cost_table, costs, price
from bot.workflow.report.status import status_comment
from tests.words.scenes import line, task, view

E2E, CODE = Phase.E2E_TEST_GENERATION, Phase.CODE_IMPLEMENTATION
PAID = Spend(requests=2, input_tokens=12_000, output_tokens=300, cost_usd=0.5)
UNPRICED = Spend(requests=1, input_tokens=1000, output_tokens=10)


def spent(n: int, phase: Phase, spend: Spend) -> JournalLine:
    return replace(line(n, phase, Outcome.PASS), spend=spend)


def test_the_rounds_of_a_phase_are_one_row_and_who_asked_no_model_has_none() -> None:
    journal = [
        spent(1, E2E, PAID),
        spent(2, CODE, PAID),
        spent(3, CODE, PAID),
        spent(4, Phase.E2E_VALIDATION, Spend()),
    ]
    assert [cost.phase for cost in costs(journal)] == [E2E, CODE]
    assert cost_table(journal).splitlines()[2:] == [
        "| E2E test | 2 | 12,000 | 300 | $0.50 |",
        "| Code | 4 | 24,000 | 600 | $1.00 |",
    ]
    assert cost_table([spent(1, E2E, Spend())]) == ""


def test_a_price_that_nobody_knows_is_said() -> None:
    assert "| Code | 1 | 1,000 | 10 | unknown |" in cost_table([spent(1, CODE, UNPRICED)])
    both = [spent(1, CODE, PAID), spent(2, CODE, UNPRICED)]
    assert "| Code | 3 | 13,000 | 310 | at least $0.50 |" in cost_table(both)
    assert price(Spend(), complete=True) == "unknown"


def test_the_comment_says_the_whole_and_the_parts() -> None:
    journal = (spent(1, E2E, PAID), spent(2, CODE, UNPRICED))
    said = status_comment(view(task(Status.RUNNING, CODE, spend=PAID + UNPRICED), journal))
    assert "Cost so far at least $0.50 of" in said
    assert "<details><summary>Cost by phase</summary>\n\n| Phase | Requests |" in said
