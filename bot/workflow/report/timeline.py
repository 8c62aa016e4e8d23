"""The journal as a mermaid gantt. Only our own words go in: a colon would end a task's name."""

from collections.abc import Sequence

from bot.domain import Cause, JournalLine, Outcome, Phase
from bot.workflow.report.words import TITLES, WORKING_PHASES

MAX_BARS = 60  #: the latest ones; more cannot be read

_SAID = {
    Outcome.PASS: ("passed", "done, "),
    Outcome.SKIP: ("skipped", "done, "),
    Outcome.AGAIN: ("another turn", "done, "),
    Outcome.BACK: ("sent back", "crit, "),
    Outcome.FAIL: ("failed", "crit, "),
    Outcome.WAIT: ("parked", "active, "),
}


def gantt(journal: Sequence[JournalLine]) -> str:
    """A fenced gantt of the steps, one section a phase; empty without any.

    Times are Unix seconds (`dateFormat X`, https://mermaid.js.org/syntax/gantt.html), shown in
    the reader's own time zone. A bar shorter than a second would not be drawn.
    """
    lines = [line for line in journal if line.phase in WORKING_PHASES][-MAX_BARS:]
    if not lines:
        return ""
    body = [part for phase in WORKING_PHASES for part in _section(phase, lines)]
    head = ["```mermaid", "gantt", "    dateFormat X", "    axisFormat %H:%M"]
    return "\n".join([*head, *body, "```"])


def _section(phase: Phase, lines: Sequence[JournalLine]) -> list[str]:
    mine = [line for line in lines if line.phase is phase]
    return [f"    section {TITLES[phase]}", *map(_bar, mine)] if mine else []


def _bar(line: JournalLine) -> str:
    said, tag = _SAID[line.outcome]
    if line.outcome is Outcome.FAIL and line.cause is Cause.PERSON:
        said = "ended by a person"
    begin = int(line.started_at)
    end = max(begin + 1, int(line.started_at + line.seconds))
    return f"    {said} :{tag}s{line.n}, {begin}, {end}"
