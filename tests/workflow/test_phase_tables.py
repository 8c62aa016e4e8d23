"""A new phase is asked for everywhere: each table that goes by phase has all of them."""

from collections.abc import Mapping

import pytest

from bot.config.choices import Verb
from bot.domain import Actor, Phase, Status, Task
from bot.errors import WrongState
from bot.facts import Facts
from bot.workflow.commands import PHASE_WORDS, Command
from bot.workflow.flow import ORDER, TERMINAL
from bot.workflow.forgetting import forgotten
from bot.workflow.phases.table import PHASES
from bot.workflow.report.words import TITLES, WORKING_PHASES
from bot.workflow.steering import steered


def test_every_phase_is_in_the_order_or_an_end() -> None:
    assert set(ORDER) | TERMINAL == set(Phase)
    assert set(WORKING_PHASES) == set(Phase) - TERMINAL


@pytest.mark.parametrize(
    ("table", "ends"), [(PHASES, frozenset()), (TITLES, TERMINAL)], ids=["function", "title"]
)
def test_every_phase_has_its(table: Mapping[Phase, object], ends: frozenset[Phase]) -> None:
    assert set(table) == set(WORKING_PHASES) | ends


def test_every_phase_can_be_named_after_retry() -> None:
    assert set(PHASE_WORDS.values()) == set(WORKING_PHASES)


@pytest.mark.parametrize("phase", WORKING_PHASES)
def test_every_phase_is_forgotten_when_it_is_done_again(phase: Phase) -> None:
    assert forgotten(Facts(), phase) == Facts(), "of what was never learned, nothing is lost"


@pytest.mark.parametrize("phase", WORKING_PHASES)
def test_nobody_gets_to_a_phase_before_what_it_begins_with(phase: Phase) -> None:
    """Only the first begins with nothing."""
    empty = Task(id="chimera-1", feature="x", title="x", status=Status.FAILED)
    asked, ada = Command(verb=Verb.RETRY, phase=phase), Actor(login="ada", id=1)
    if phase is ORDER[0]:
        assert steered(empty, asked, ada, 1.0).phase is phase
        return
    with pytest.raises(WrongState, match="first"):
        steered(empty, asked, ada, 1.0)
