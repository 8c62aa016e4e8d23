"""Any program that edits a checkout, as an agent: a codemod, a dependency bump, a script.

It runs in the cage at the root of the checkout. The task is on stdin; the environment says who
it is (`CHIMERA_ROLE`, `CHIMERA_RUN_ID`) and where a reply may be written as JSON
(`CHIMERA_RESULT`). Without one, a role whose reply needs no more than a summary gets what the
program printed; a review or a plan that was not written is a failure.
"""

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from bot.agents.agent import Brief, Emit, EventKind, Outcome, Reply
from bot.agents.cage_policy import PARTS, Bind
from bot.agents.cage_run import Ending, Ran
from bot.agents.misfit import misfit
from bot.agents.telling import Teller

MAX_RESULT = 1_000_000  #: bytes of the result file
_SUMMARY = 2000  #: characters of the output that stand for a summary
_RESULT = "reply.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAgent:
    """Runs one command line per brief."""

    command: str  #: for `sh -c`
    shows: Sequence[Path] = ()  #: what the program needs, shown read-only at the same path

    @property
    def name(self) -> str:
        return f"command ({self.command.split(maxsplit=1)[0] if self.command.strip() else ''})"

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        """See `Agent.run`."""
        # beside the checkout, so that whoever removes that removes both
        beside = brief.workspace.parent
        outbox = Path(await asyncio.to_thread(tempfile.mkdtemp, None, "chimera-reply-", beside))
        teller = Teller(emit)
        teller.tell(EventKind.STARTED, self.command)
        try:
            ran = await self._caged(brief, outbox, teller)
            reply = _reply(brief.reply_type, ran, outbox / _RESULT)
        finally:
            await asyncio.to_thread(shutil.rmtree, outbox, ignore_errors=True)
        teller.tell(EventKind.FINISHED, reply.error or reply.outcome)
        return reply

    async def _caged(self, brief: Brief, outbox: Path, teller: Teller) -> Ran:
        inside = str(outbox) if brief.cage.program is None else f"{PARTS}/result"
        shown = [Bind(host=path, inside=str(path)) for path in self.shows]
        return await brief.cage.run(
            self.command,
            workspace=brief.workspace,
            writable=not brief.read_only,
            read_only=brief.protect,
            env={
                **brief.env,
                "CHIMERA_ROLE": brief.role,
                "CHIMERA_RUN_ID": brief.run_id,
                "CHIMERA_RESULT": f"{inside}/{_RESULT}",
            },
            limits=brief.limits.for_cage(wall_s=brief.limits.wall_s, idle_s=brief.limits.idle_s),
            stdin=f"{brief.instructions}\n\n{brief.prompt}".strip().encode("utf-8", "replace"),
            binds=[*shown, Bind(host=outbox, inside=inside, writable=True)],
            network=brief.network,
            on_output=lambda data: teller.tell(EventKind.MESSAGE, data.decode("utf-8", "replace")),
        )


def _reply(reply_type: type[BaseModel], ran: Ran, result: Path) -> Reply:
    if not ran.ok:
        return _failed(ran, ran.after(f"the command ended with {_ending(ran)}"))
    try:
        written = read_result(result)
        if written is not None:
            output = reply_type.model_validate_json(written)
        else:
            summary = ran.stdout.decode("utf-8", "replace").strip()[-_SUMMARY:]
            output = reply_type.model_validate({"summary": summary or "done"})
    except ValidationError as problem:
        return _failed(ran, f"no usable {reply_type.__name__} was written: {misfit(problem)}")
    except OSError as problem:
        return _failed(ran, f"the result cannot be read: {problem.strerror}")
    return Reply(outcome=Outcome.COMPLETED, output=output, duration_ms=ran.duration_ms)


def read_result(path: Path) -> bytes | None:
    """What a stranger left at `path`; None where nothing is. Raises OSError for anything odd.

    It may have left a link to a file of ours or a pipe that never ends, so neither is opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_RESULT:
            raise OSError(0, f"not a file of at most {MAX_RESULT} bytes")
        return file.read(MAX_RESULT)


def _failed(ran: Ran, error: str) -> Reply:
    match ran.outcome:
        case Ending.EXITED | Ending.KILLED:
            outcome = Outcome.FAILED if ran.ok else Outcome.CRASHED
        case Ending.TIMEOUT | Ending.IDLE:
            outcome = Outcome.TIMEOUT
        case _:
            outcome = Outcome.LIMIT
    return Reply(outcome=outcome, error=error, duration_ms=ran.duration_ms)


def _ending(ran: Ran) -> str:
    return f"exit code {ran.exit_code}" if ran.outcome is Ending.EXITED else ran.outcome
