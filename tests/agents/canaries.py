"""Things that no caged program may see, reach or leave; and whether one did.

A canary is a word that stands where secrets stand: in our environment, in files of the host, behind
listeners on its loopback and its unix sockets. After an attack it must be in no byte that came out
(I7), nobody may have knocked, and nothing of the run may be left on the machine (I9).
"""

import asyncio
import contextlib
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from bot.agents.cage import Cage
from bot.agents.cage_cgroup import left_groups
from bot.agents.cage_policy import CageLimits
from bot.agents.cage_proxy import Reach
from bot.agents.cage_run import Ran

CANARY = "CANARY-5f1d0c7e93"
GONE_S = 10.0
TRIED = "the attack was tried"  #: printed at its end, so that none passes by not running


@dataclass(kw_only=True)
class Planted:
    """Where the canaries are, and everything that has come out of the cage so far."""

    cage: Cage
    checkout: Path
    secret: Path  #: a file of the host
    port: int  #: a listener on the host's loopback
    socket: Path  #: a listener at a path of the host
    abstract: str  #: the name of a listener in the abstract space
    out: list[bytes] = field(default_factory=list)
    knocks: list[str] = field(default_factory=list)

    async def attack(
        self,
        script: str,
        *,
        limits: CageLimits | None = None,
        out: Reach | None = None,
        argv: tuple[str, ...] = ("python", "-c"),
    ) -> Ran:
        """Runs a program in the cage; what it knows of the host is in its environment."""
        ran = await self.cage.run(
            [*argv, script],
            workspace=self.checkout,
            env={
                "SECRET": str(self.secret),
                "PORT": str(self.port),
                "SOCKET": str(self.socket),
                "ABSTRACT": self.abstract,
                "OURS": str(os.getpid()),
                **(out.env if out is not None else {}),
            },
            limits=limits or CageLimits(wall_s=60),
            network=out.ways if out is not None else (),
            on_output=self.out.append,
        )
        self.out += [ran.output, ran.stdout, ran.stderr]
        return ran

    def leaks(self) -> list[str]:
        """Where the canary came out: the output, and every file and name of the checkout."""
        found = ["output"] if CANARY.encode() in b"".join(self.out) else []
        for folder, _, names in os.walk(self.checkout):
            files = [os.path.join(folder, name) for name in names]
            found += [f for f in files if not os.path.islink(f) and CANARY in _text(f)]
        return found


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a machine has of us at one moment."""

    children: frozenset[int]
    descriptors: int
    groups: frozenset[Path]
    temporary: frozenset[str]

    @classmethod
    def now(cls) -> "Left":
        own = f"-{os.getpid()}-"
        return cls(
            children=frozenset(_children()),
            descriptors=len(os.listdir("/proc/self/fd")),
            groups=frozenset(g for g in left_groups(before=time.time() + 1) if own in g.name),
            temporary=frozenset(os.listdir(tempfile.gettempdir())),
        )

    def more_than(self, before: "Left") -> list[str]:
        """What is there now and was not."""
        more = [f"process {pid}" for pid in self.children - before.children]
        more += [f"group {path}" for path in self.groups - before.groups]
        more += [f"file {name}" for name in self.temporary - before.temporary]
        extra = self.descriptors - before.descriptors
        return [*more, f"{extra} descriptors"] if extra > 0 else more


@contextlib.asynccontextmanager
async def planted(cage: Cage, checkout: Path, folder: Path) -> AsyncIterator[Planted]:
    """Plants in `folder`, and at the end of the block asserts I7 and I9."""
    secret = folder / "secret"
    secret.write_text(CANARY)
    at = Planted(
        cage=cage,
        checkout=checkout,
        secret=secret,
        port=0,
        socket=folder / "s",
        abstract=f"chimera-canary-{os.getpid()}",
    )

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at.knocks.append(str(writer.get_extra_info("sockname")))
        writer.write(CANARY.encode())
        writer.close()

    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0" + at.abstract)
    async with (
        await asyncio.start_server(answer, "127.0.0.1", 0) as tcp,
        await asyncio.start_unix_server(answer, at.socket),
        await asyncio.start_unix_server(answer, sock=abstract),
    ):
        at.port = tcp.sockets[0].getsockname()[1]
        before = Left.now()
        yield at
        assert at.leaks() == [], "I7: no canary in any byte that came out"
        assert at.knocks == [], "nobody outside was reached"
        assert at.secret.read_text() == CANARY, "what is outside is as it was"
        await _gone(before)


async def _gone(before: Left) -> None:
    """I9, with a deadline: other processes of this machine may come and go meanwhile."""
    deadline = time.monotonic() + GONE_S
    while left := Left.now().more_than(before):
        assert time.monotonic() < deadline, f"I9: left behind: {left}"
        await asyncio.sleep(0.05)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _children() -> set[int]:
    """Every process that has come from this one and still runs."""
    found: set[int] = set()
    waiting = list(Path("/proc/self/task").glob("*/children"))
    while waiting:
        try:
            pids = waiting.pop().read_text().split()
        except OSError:
            continue
        found |= {int(pid) for pid in pids}
        for pid in pids:
            waiting += Path(f"/proc/{pid}/task").glob("*/children")
    return found
