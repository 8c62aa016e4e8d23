"""Programs as agents."""

from pathlib import Path

import pytest

from bot.agents.agent import AgentEvent, EventKind, Limits, Outcome
from bot.agents.command import CommandAgent
from bot.agents.replies import Decision, Review, WrittenCode
from bot.domain import Role

from .conftest import MakeBrief


async def test_a_script_edits_the_checkout_and_its_output_is_the_summary(
    brief: MakeBrief, checkout: Path, events: list[AgentEvent]
) -> None:
    agent = CommandAgent(command="sed -i s/Hello/Dear/ greet.py && echo Politer now.")
    reply = await agent.run(brief(), events.append)
    assert reply.output == WrittenCode(summary="Politer now.")
    assert "Dear" in (checkout / "greet.py").read_text()
    assert "Politer now.\n" in [e.text for e in events if e.kind is EventKind.MESSAGE]


async def test_a_program_learns_its_task_and_writes_a_reply(brief: MakeBrief) -> None:
    answer = '{"decision": "request_changes", "summary": "%s"}'
    agent = CommandAgent(
        command=f"""read line; printf '{answer}' "$CHIMERA_ROLE $CHIMERA_RUN_ID $line" """
        '> "$CHIMERA_RESULT"'
    )
    reply = await agent.run(brief(Role.GUARDIAN, run_id="t/GUARDIAN_REVIEW/1"), lambda _: None)
    assert reply.output == Review(
        decision=Decision.REQUEST_CHANGES,
        summary="guardian t/GUARDIAN_REVIEW/1 You work here.",
    )


async def test_what_it_needs_is_shown_read_only(brief: MakeBrief, tmp_path: Path) -> None:
    source = tmp_path / "next-version"
    source.mkdir()
    (source / "greet.py").write_text("VERSION = 2\n")
    agent = CommandAgent(
        command=f"cp {source}/greet.py . ; touch {source}/x && echo wrote", shows=[source]
    )
    await agent.run(brief(), lambda _: None)
    assert (tmp_path / "checkout" / "greet.py").read_text() == "VERSION = 2\n"
    assert not (source / "x").exists()


@pytest.mark.parametrize(
    ("role", "command", "outcome", "said"),
    [
        (Role.CODER, "echo boom >&2; exit 3", Outcome.CRASHED, "exit code 3: boom"),
        (Role.CODER, "no-such-program", Outcome.CRASHED, "exit code 127"),
        (Role.CODER, "kill -KILL $$", Outcome.CRASHED, "killed"),
        (Role.GUARDIAN, "echo fine", Outcome.FAILED, "Review"),
        (Role.CODER, 'echo "{" > $CHIMERA_RESULT', Outcome.FAILED, "WrittenCode"),
        (Role.CODER, "ln -s /etc/hostname $CHIMERA_RESULT", Outcome.FAILED, "cannot be read"),
        (Role.CODER, "mkfifo $CHIMERA_RESULT", Outcome.FAILED, "cannot be read"),
        (Role.CODER, "mkdir $CHIMERA_RESULT", Outcome.FAILED, "cannot be read"),
        (Role.CODER, "truncate -s 5M $CHIMERA_RESULT", Outcome.FAILED, "cannot be read"),
        (Role.CODER, "yes", Outcome.LIMIT, "output_limit"),
    ],
)
async def test_every_bad_end_has_its_name(
    brief: MakeBrief, role: Role, command: str, outcome: Outcome, said: str
) -> None:
    reply = await CommandAgent(command=command).run(brief(role), lambda _: None)
    assert reply.outcome is outcome
    assert said in reply.error
    assert reply.output is None


@pytest.mark.parametrize(
    ("limits", "said"),
    [(Limits(wall_s=60, idle_s=0.5), "idle"), (Limits(wall_s=0.5, idle_s=60), "timeout")],
)
async def test_a_program_that_takes_too_long_is_told_by_which_clock(
    brief: MakeBrief, limits: Limits, said: str
) -> None:
    reply = await CommandAgent(command="sleep 90").run(brief(limits=limits), lambda _: None)
    assert reply.outcome is Outcome.TIMEOUT
    assert said in reply.error
    assert reply.output is None


async def test_a_read_only_role_cannot_change_the_checkout(
    brief: MakeBrief, checkout: Path
) -> None:
    await CommandAgent(command="echo > greet.py").run(brief(Role.GUARDIAN), lambda _: None)
    assert "Hello" in (checkout / "greet.py").read_text()
