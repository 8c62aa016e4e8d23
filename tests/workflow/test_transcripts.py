"""Transcripts: bounded, without secrets, and enough to play a run again."""

import json
from collections.abc import Sequence

import pytest

from bot.agents.agent import AgentEvent, EventKind, Outcome, Reply, Usage, UsageSource
from bot.agents.replies import WrittenCode
from bot.domain import Phase, Role
from bot.errors import InputError
from bot.github.changes import Changes
from bot.log import mask
from bot.workflow.gates import Change, Status
from bot.workflow.transcripts import (
    MAX_EVENTS,
    MAX_SESSION,
    AgentRun,
    Transcript,
    packed,
    recording_of,
    session_of,
    unpacked,
)
from bot.workflow.workspace import NOTHING, Taken

KEY = "CANARY-93c1-transcript"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{'A1b2' * 16}\n-----END RSA PRIVATE KEY-----"
USED = Usage(requests=1, input_tokens=9, output_tokens=1, source=UsageSource.LIBRARY)
SESSION = [
    [{"say": "Hm."}, {"call": "write_file", "with": {"path": "a", "content": "x"}}],
    [{"reply": {"summary": "Done."}}],
]


def kept(
    *events: AgentEvent, session: object = SESSION, run: str = "coder#1", **reply: object
) -> Transcript:
    role, _, which = run.partition("#")
    given = {"outcome": Outcome.COMPLETED, "usage": USED, "session": json.dumps(session)}
    made = AgentRun(
        run_id=f"chimera-1/CODE_IMPLEMENTATION/{which}",
        role=Role(role),
        agent="llm (x)",
        events=events,
        reply=Reply(**(given | reply)),  # type: ignore[arg-type]  # any of its members
    )
    return unpacked(packed(made))


def said(text: str, kind: EventKind = EventKind.MESSAGE, **more: object) -> AgentEvent:
    return AgentEvent(at_ms=1, kind=kind, text=text, **more)  # type: ignore[arg-type]  # any of its members


def test_a_run_is_kept_with_its_calls_exit_codes_and_cost() -> None:
    run = kept(
        said("{}", EventKind.TOOL_CALL, tool="run_command"),
        said("exit code 3\nno", EventKind.TOOL_RESULT, tool="run_command", data={"exit_code": 3}),
        said("", EventKind.USAGE, used=USED),
    )
    assert (run.phase, run.which, run.role) == (Phase.CODE_IMPLEMENTATION, "1", Role.CODER)
    assert [line.exit_code for line in run.lines] == [None, 3, None]
    assert run.lines[2].used == run.usage == USED
    assert run.tool_calls == 1


def test_what_passed_through_the_gateway_is_told() -> None:
    data = {"path": "/v1/messages", "status": 200, "request": "Do it.", "answer": "Done."}
    [line] = kept(said("", EventKind.USAGE, tool="gateway", data=data)).lines
    assert line.text == "/v1/messages 200\nDo it.\nDone."


def test_no_secret_is_kept_in_any_part_of_it() -> None:
    mask.learn(KEY)
    turns = [[{"say": PEM}, {"call": "write_file", "with": {"content": f"{KEY} {PEM}"}}]]
    run = kept(said(f"{KEY} and {PEM}"), session=turns, error=f"refused: {KEY}")
    assert KEY not in repr(run)
    assert "A1b2" not in repr(run)
    assert "[secret]" in repr(run)


def test_of_a_long_run_the_beginning_and_the_end_are_kept() -> None:
    run = kept(*(said(f"{n} " + "x" * 3000) for n in range(1000)))
    assert run.lines[0].text.startswith("0 ")
    assert run.lines[-1].text.startswith("999 ")
    assert run.left_out == 1000 - len(run.lines)
    assert sum(len(line.text) for line in run.lines) <= MAX_EVENTS


def test_the_newest_complete_go_at_each_run_is_what_a_replay_plays() -> None:
    broken = kept(outcome=Outcome.FAILED, session=[])
    again = [[{"reply": {"summary": "Better."}}]]
    recording = recording_of([kept(), broken, kept(session=again), kept(run="coder#2")], "t")
    assert sorted(recording.runs) == ["coder#1", "coder#2"]
    assert recording.runs["coder#1"][0][0].reply == {"summary": "Better."}
    assert recording.runs["coder#2"][0][1].arguments == {"path": "a", "content": "x"}


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        ([], "no agent's run of t is kept"),
        ([kept(session=[[{"say": "x" * MAX_SESSION}]])], "coder#1: nothing to play"),
    ],
)
def test_what_cannot_be_played_says_why(runs: Sequence[Transcript], why: str) -> None:
    with pytest.raises(InputError, match=why):
        recording_of(runs, "t")


DONE = WrittenCode(summary="Done.")


def test_what_a_program_left_is_a_session_that_makes_the_same_files() -> None:
    changed = Taken(
        files=(
            Change(path="run me.sh", status=Status.ADDED, mode=0o100755, new="é\n".encode()),
            Change(path="old.txt", status=Status.DELETED, old=b"x"),
        ),
        odd=(),
        raw=Changes(),
    )
    assert json.loads(session_of(changed, DONE)) == [
        [
            {"call": "write_file", "with": {"path": "run me.sh", "content": "é\n"}},
            {"call": "run_command", "with": {"command": "chmod a+x -- 'run me.sh'"}},
            {"call": "run_command", "with": {"command": "rm -- old.txt"}},
        ],
        [{"reply": {"summary": "Done.", "answers": []}}],
    ]
    assert json.loads(session_of(NOTHING, DONE)) == [
        [{"reply": {"summary": "Done.", "answers": []}}]
    ]


@pytest.mark.parametrize(
    "taken",
    [
        Taken(
            files=(Change(path="a.png", status=Status.ADDED, new=b"\x89PNG\xff"),),
            odd=(),
            raw=Changes(),
        ),
        Taken(files=(), odd=("link: a symbolic link",), raw=Changes()),
    ],
    ids=["no text", "no commit may have it"],
)
def test_what_a_replay_could_not_write_is_no_session(taken: Taken) -> None:
    assert session_of(taken, DONE) == ""
