"""The states of a workflow as a picture, drawn by asking `follow`."""

from collections.abc import Iterator

from bot.domain import Cause, Cursor, Outcome, Phase, Verdict
from bot.workflow.flow import TERMINAL, follow
from tests.docs.blocks import fenced

Arrow = tuple[Phase, Phase, str]
BACK_TO = (Phase.CODE_IMPLEMENTATION, Phase.STAGING_DEPLOYMENT)


def states() -> str:
    """A mermaid state diagram of every way that a verdict can lead."""
    lines = ["stateDiagram-v2", f"    [*] --> {Phase.E2E_TEST_GENERATION}"]
    lines += [f"    {start} --> {end}: {label}" for start, end, label in merged()]
    lines += [f"    {phase} --> [*]" for phase in Phase if phase in TERMINAL]
    return fenced("\n".join(lines), "mermaid")


def merged() -> list[Arrow]:
    """One arrow for each pair of phases, with all its reasons."""
    labels: dict[tuple[Phase, Phase], list[str]] = {}
    for start, end, label in arrows():
        labels.setdefault((start, end), []).append(label)
    return [(start, end, ", ".join(dict.fromkeys(said))) for (start, end), said in labels.items()]


def arrows() -> Iterator[Arrow]:
    """Where each verdict leads from each phase, with bounds left and with none left."""
    for phase in Phase:
        if phase in TERMINAL:
            continue
        for verdict in _verdicts(phase):
            yield phase, follow(Cursor(phase=phase), verdict).phase, verdict.outcome.value
        spent = Cursor(phase=phase, round=99, turn=99, attempt=99)
        for verdict in _verdicts(phase):
            if follow(spent, verdict).phase is Phase.FAILED:
                label = "fail" if verdict.outcome is Outcome.FAIL else "bounds used up"
                yield phase, Phase.FAILED, label


def _verdicts(phase: Phase) -> Iterator[Verdict]:
    for outcome in Outcome:
        if outcome is not Outcome.BACK:
            yield Verdict(outcome=outcome, summary="")
    order = list(Phase)
    for to in BACK_TO:
        if order.index(to) < order.index(phase):
            yield Verdict(outcome=Outcome.BACK, summary="", to=to, cause=Cause.REVIEW)
