"""The status comment: one per task, the one place to look."""

from collections.abc import Mapping

from bot.config.choices import ApprovalMode
from bot.domain import Phase, Status, Wait, WaitFor
from bot.workflow.neutral import cell, clip
from bot.workflow.report.costs import all_priced, cost_table, price
from bot.workflow.report.failures import kept, next_step, why
from bot.workflow.report.marker import signed
from bot.workflow.report.progress import ICONS, Row, State, rows, stopped_at
from bot.workflow.report.timeline import gantt
from bot.workflow.report.view import View
from bot.workflow.report.words import (
    TITLES,
    WORKING_PHASES,
    clock,
    duration,
    link,
    minutes_between,
    money,
    ordinal,
    sha7,
)

MAX_BODY = 65_536  #: characters of a comment, GitHub's limit
MAX_SUMMARY = 240  #: of a phase's result in the table
MAX_REASON = 500  #: of why it waits, or failed
MAX_ANSWERS = 3
WAITING_FOR_YOU = "Waiting for you: "
_EMPTY_HEAD = "| | Phase | Result | Took | |\n|-|-|-|-|-|"


def status_comment(view: View) -> str:
    """The whole comment, at most 65,536 characters; its first line is the signed marker."""
    parts = [
        _heading(view),
        _attention(view),
        _table(view),
        _now(view),
        _ending(view),
        _answers(view),
        _costs(view),
        _timeline(view),
        f"<sub>task {link(view.task.id, view.links.task_page)} · `/chimera help`</sub>",
    ]
    marker = signed(view.hmac_key, view.task.id)
    body = "\n\n".join(part for part in parts if part)
    return clip(f"{marker}\n{body}", MAX_BODY)


def _heading(view: View) -> str:
    task = view.task
    at = stopped_at(task, view.journal)
    place = f"{TITLES[at].lower().replace('e2e', 'E2E')} ({WORKING_PHASES.index(at) + 1} of 6)"
    round_ = f" · {_round(task.cursor.round, view.config.limits.rounds)}"
    words = {
        Status.QUEUED: f"queued · {place}" if view.journal else "queued",
        Status.RUNNING: place + round_,
        Status.WAITING: place + round_,
        Status.COMPLETED: "done",
        Status.FAILED: f"failed at {place}",
        Status.DEAD: f"stopped by errors at {place}",
        Status.CANCELLED: f"cancelled at {place}",
    }
    return f"### Chimera · {words[task.status]}"


def _round(number: int, most: int) -> str:
    """A person may have allowed more rounds than are configured."""
    return f"round {number} of {most}" if number <= most else f"round {number}"


# ── what a person is needed for ──────────────────────────────────────────────────────────────


def _attention(view: View) -> str:
    asked = ask(view)
    return f"> [!IMPORTANT]\n> {WAITING_FOR_YOU}{asked}" if asked else ""


_ASKED: Mapping[WaitFor, str] = {
    WaitFor.ENVIRONMENT: "**approve the run on GitHub**: {reason}. Reply `/chimera cancel` "
    "if it should not go on.",
    WaitFor.DECISION: "**a decision**: {reason}. Reply `/chimera retry` or `/chimera cancel`.",
    WaitFor.RELABEL: "**look at the edited text**, then take `{label}` off and put it on again.",
    WaitFor.BUDGET: "**more budget**: {reason}. Reply `/chimera budget {more:.0f}` or "
    "`/chimera cancel`.",
    WaitFor.CONFIGURATION: "**mend the configuration**: {reason}. It goes on with the next "
    "push to the default branch, or reply `/chimera retry`.",
    WaitFor.ACCESS: "**let Chimera work here again**: {reason}. If it does not go on by itself "
    "then, reply `/chimera retry`.",
    WaitFor.PAUSED: "**resume it**: {reason}. Reply `/chimera resume` or `/chimera cancel`.",
    WaitFor.HOLD: "**this repository is on hold**: {reason}. Reply `/chimera unhold`.",
}


def ask(view: View) -> str:
    """What a person is asked to do, with the exact reply; empty when nobody is needed."""
    wait = view.task.wait
    if view.task.status is not Status.WAITING or wait is None or not wait.on.needs_person:
        return ""
    if wait.on is WaitFor.APPROVAL:
        return _asked_approval(view)
    return _ASKED[wait.on].format(
        reason=_reason(wait),
        label=view.config.trigger.label.replace("`", ""),
        more=max(1.0, 2 * view.budget_usd),
    )


def _reason(wait: Wait) -> str:
    return cell(wait.reason.rstrip(". "), MAX_REASON)


def _asked_approval(view: View) -> str:
    shown = f"`{sha7(view.task.facts.head_sha)}`"
    if view.config.deploy.production.approval is ApprovalMode.ON_MERGE:
        pull = link(f"PR #{view.task.facts.pull}", view.links.pull(view.task))
        return f"**merge {pull}** at {shown}, and production follows."
    if view.config.deploy.production.prevent_self_approval and view.task.requester:
        shown += f" (not {cell(view.task.requester, 40)}, who asked for the change)"
    return (
        f"**approve production** of {shown}. Reply `/chimera approve` or press the button on the "
        "check."
    )


# ── the table ────────────────────────────────────────────────────────────────────────────────


def _table(view: View) -> str:
    table = list(rows(view.task, view.journal).values())
    shown = _untouched_from(table)
    lines = [_line(view, row) for row in table[:shown]]
    rest = " · ".join(TITLES[row.phase] for row in table[shown:])
    if rest:
        lines.append(f"| {ICONS[State.PENDING]} | {rest} | | | |")
    return "\n".join([_EMPTY_HEAD, *lines])


def _untouched_from(table: list[Row]) -> int:
    """Where the phases begin that nobody has been at; they share one line."""
    touched = [n for n, row in enumerate(table, 1) if row.state is not State.PENDING or row.seconds]
    return max(touched, default=0)


def _line(view: View, row: Row) -> str:
    took = duration(row.seconds) if row.over and row.seconds else ""
    cells = (ICONS[row.state], TITLES[row.phase], _result(view, row), took, _evidence(view, row))
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _result(view: View, row: Row) -> str:
    said = cell(row.summary, MAX_SUMMARY)
    match row.state:
        case State.RUNNING:
            since = clock(row.since, view.task.created_at) if row.since is not None else ""
            return f"running since {since}" if since else "running"
        case State.SKIPPED:
            return f"skipped: {said}" if said else "skipped"
        case State.SENT_BACK:
            return f"sent back: {said}"
        case State.STOPPED:
            return said or "cancelled"
        case State.PENDING if row.seconds:
            return said if said else "to be done again"
        case _:
            return said


def _evidence(view: View, row: Row) -> str:
    """The one link that proves the row."""
    facts, links = view.task.facts, view.links
    if row.state in {State.PENDING, State.SKIPPED, State.RUNNING}:
        return ""
    page = f"{links.task_page}#{row.phase.lower()}" if links.task_page else ""
    match row.phase:
        case Phase.CODE_IMPLEMENTATION if facts.pull and links.repository(view.task):
            return link(f"PR #{facts.pull}", links.pull(view.task))
        case Phase.STAGING_DEPLOYMENT if facts.staging is not None and facts.staging.run_url:
            return link("run", facts.staging.run_url)
        case Phase.PRODUCTION_DEPLOYMENT if facts.production and facts.production.run_url:
            return link("run", facts.production.run_url)
        case Phase.E2E_TEST_GENERATION if not page and facts.test_sha:
            return link("tests", links.commit(view.task, facts.test_sha))
        case Phase.GUARDIAN_REVIEW if not page and facts.pull:
            return link("review", links.pull(view.task))
        case _:
            return link("evidence", page) if page else ""


# ── now, and at the end ──────────────────────────────────────────────────────────────────────


def _now(view: View) -> str:
    """Why it waits, how long it may take, what it has cost."""
    return " ".join(filter(None, (_waiting(view), _left(view), _cost(view))))


def place(view: View) -> str:
    """The place in the queue, and what it waits for there; empty for who does not stand there."""
    if view.task.status is not Status.QUEUED or view.position is None:
        return ""
    eta = view.eta
    work = f", then usually {minutes_between(eta.p50_s, eta.p90_s)}" if eta is not None else ""
    return f"{ordinal(view.position)} in the queue{work}{_kept_back(view)}"


def _waiting(view: View) -> str:
    task = view.task
    if standing := place(view):
        return f"{standing}."
    if task.status is not Status.WAITING or task.wait is None or task.wait.on.needs_person:
        return ""
    return f"Waits: {_reason(task.wait)}{_time_of(task.wait, task.created_at)}."


def _time_of(wait: Wait, near: float) -> str:
    if not wait.until or wait.on is WaitFor.REVIEWERS:  # looks each minute, and none is an edit
        return ""
    word = "until" if wait.on.ends_by_time else "next look"
    return f" ({word} {clock(wait.until, near)})"


def _kept_back(view: View) -> str:
    """Why the queue does not go on here, beside there being others."""
    if view.held:
        return (
            f"; no task starts here until `/chimera unhold`: held by {cell(view.held, MAX_REASON)}"
        )
    return f"; the repository limit of {view.limit} is reached" if view.limit else ""


def _left(view: View) -> str:
    if view.eta is None or view.task.status is not Status.RUNNING:
        return ""
    return f"Usually {minutes_between(view.eta.p50_s, view.eta.p90_s, more=True)}."


def _cost(view: View) -> str:
    spend = view.task.spend
    if not spend.requests:
        return ""
    tokens = spend.input_tokens + spend.output_tokens
    if spend.cost_usd is None:
        return f"Cost unknown (the model has no known price); {tokens:,} tokens used."
    so_far = "" if view.task.status.ended else " so far"
    cost = price(spend, complete=all_priced(view.journal))
    return f"Cost{so_far} {cost} of {money(view.budget_usd)}."


def _ending(view: View) -> str:
    task = view.task
    match task.status:
        case Status.COMPLETED:
            return _success(view)
        case Status.FAILED | Status.DEAD | Status.CANCELLED:
            return _failure(view)
        case _:
            return ""


def _success(view: View) -> str:
    facts = view.task.facts
    live = facts.production if facts.production is not None else facts.staging
    where = link("live", live.url) if live is not None and live.url else ""
    pull = link(f"PR #{facts.pull}", view.links.pull(view.task)) if facts.pull else ""
    parts = [cell(view.task.summary, MAX_REASON), pull, where, _whole(view)]
    return "**Result:** " + " · ".join(part for part in parts if part)


def _failure(view: View) -> str:
    task = view.task
    lines = [f"**Why:** {why(task)}", f"**Kept:** {kept(view)}", f"**Next:** {next_step(task)}"]
    return "\n".join([*(f"{line}  " for line in lines), f"**Took:** {_whole(view)}"])


def _whole(view: View) -> str:
    """From start to end, waiting included."""
    task = view.task
    if task.finished_at is None:
        return duration(sum(line.seconds for line in view.journal))
    begun = task.started_at if task.started_at is not None else task.created_at
    return duration(task.finished_at - begun)


def _answers(view: View) -> str:
    notes = [cell(note, MAX_REASON) for note in view.notes[:MAX_ANSWERS]]
    return "\n\n".join([*view.answers[-MAX_ANSWERS:], *(f"> [!NOTE]\n> {note}" for note in notes)])


def _costs(view: View) -> str:
    table = cost_table(view.journal)
    return f"<details><summary>Cost by phase</summary>\n\n{table}\n\n</details>" if table else ""


def _timeline(view: View) -> str:
    chart = gantt(view.journal) if view.config.comment.timeline else ""
    summary = "<details><summary>Timeline</summary>"
    return f"{summary}\n\n{chart}\n\n</details>" if chart else ""
