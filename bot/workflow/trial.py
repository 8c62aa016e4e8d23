"""Runs a repository's own commands in the cage, and says what really happened.

An exit code is the truth; what the output says is read only to tell an honest failure from a
broken test, and to count.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.agents.cage import Cage
from bot.agents.cage_policy import Bind, CageLimits, WayOut
from bot.agents.cage_proxy import Reach, proxied
from bot.agents.cage_run import Ran
from bot.config.repo import RepoConfig
from bot.facts import Proof
from bot.log import mask
from bot.workflow import inside
from bot.workflow.runners import Counts, read_output

LOG_KEPT = 20_000  #: characters of a log that are kept as evidence, from its end
READY_S = 30.0
NOWHERE = Reach(ways=(), env={})
_NO_HOSTS = "\nThese steps had no network, for `cage.setup_hosts` in chimera.yml lists no host."
_SCRIPT = "/run/chimera/serve_and_test.py"
_OUT = "/run/chimera/out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One command that ran: the proof, what its output says, and what the application did."""

    proof: Proof
    counts: Counts
    ready: bool | None = None  #: None where nothing was served
    connections: int | None = None  #: how often the tests asked the application

    def short_of_green(self, before: Proof | None = None) -> str:
        """What keeps the tests from being green, in words that follow theirs; empty: nothing does.

        `before` is the same tests' run on the base: what ran there may not be skipped now, or gone.
        Whoever ends the runner's process, or takes tests away from it, has not made them pass.
        """
        proof = self.proof
        if proof.exit_code != 0:
            return f"fail (exit code {proof.exit_code})"
        if not proof.green:
            return "end well, but every one was skipped"
        if before is not None and before.passed + before.failed > 0:  # they were all counted there
            more = proof.skipped - before.skipped
            if more > 0:
                said = "1 is" if more == 1 else f"{more} are"
                return f"pass, but {said} skipped that ran on the base"
        if before is not None and before.counted:
            if not proof.counted:
                return "end with exit code 0 before their runner could say what it ran"
            least = before.passed + bool(before.failed or before.errors)
            if proof.passed < least:
                return f"pass, but they are {proof.passed}, and on the base {before.passed} passed"
        return "pass without asking the application anything" if self.connections == 0 else ""


class Bench:
    """Where trials are run for one task."""

    def __init__(
        self, cage: Cage, config: RepoConfig, now: Callable[[], float], wall_s: float
    ) -> None:
        self._cage = cage
        self._config = config
        self._now = now
        self._limits = CageLimits(
            wall_s=wall_s, memory_mb=config.cage.memory_mb, pids=config.cage.pids
        )

    async def setup(self, checkout: Path) -> str | None:
        """Runs the repository's `setup` lines; the failing line's log, or None.

        Their only way out is a proxy that opens the listed hosts.
        """
        places = frozenset(_place(host) for host in self._config.cage.setup_hosts)
        async with proxied(places) if places else contextlib.nullcontext(NOWHERE) as way:
            for line in self._config.setup:
                ran = await self._cage.run(
                    line,
                    workspace=checkout,
                    limits=self._limits,
                    network=way.ways,
                    env=way.env,
                )
                if not ran.ok:
                    return f"$ {line}\n{_log(ran)}{'' if places else _NO_HOSTS}"
        return None

    async def checks(self, checkout: Path, sha: str) -> Trial:
        """The repository's own tests."""
        return await self._served(checkout, sha, self._config.checks_command, "")

    async def e2e(self, checkout: Path, sha: str) -> Trial:
        """The end-to-end tests; the application is served beside them where it can be."""
        config = self._config.e2e
        return await self._served(checkout, sha, config.test_command, config.serve)

    async def probe(self, checkout: Path, sha: str) -> Trial:
        """Whether the application can be served: it is started, asked once, and ended."""
        return await self._served(checkout, sha, "true", self._config.e2e.serve)

    async def e2e_against(
        self,
        checkout: Path,
        sha: str,
        url: str,
        network: Sequence[WayOut],
        env: Mapping[str, str],
    ) -> Trial:
        """The end-to-end tests against something that runs elsewhere."""
        command = self._config.e2e.test_command
        ran = await self._cage.run(
            command,
            workspace=checkout,
            limits=self._limits,
            network=network,
            env={"E2E_BASE_URL": url, **env},
        )
        return self._trial(command, sha, ran, {})

    async def _served(self, checkout: Path, sha: str, test: str, serve: str) -> Trial:
        with tempfile.TemporaryDirectory(prefix="chimera-trial-", dir=checkout.parent) as out:
            script = Path(inside.__file__).parent / "serve_and_test.py"
            binds = [
                Bind(host=script, inside=_SCRIPT),
                Bind(host=Path(out), inside=_OUT, writable=True),
            ]
            caged = self._cage.program is not None  # else nothing is shown under another name
            argv = [sys.executable, "-I", _SCRIPT if caged else str(script)]
            argv += [f"{_OUT if caged else out}/report.json", test]
            if serve:
                argv += [serve, self._config.e2e.ready, str(READY_S)]
            ran = await self._cage.run(argv, workspace=checkout, limits=self._limits, binds=binds)
            return self._trial(test, sha, ran, _told(Path(out) / "report.json"))

    def _trial(self, command: str, sha: str, ran: Ran, told: Mapping[str, object]) -> Trial:
        code = ran.exit_code if ran.exit_code is not None else 124
        log = _log(ran)
        if told.get("ready") is False:
            log = f"{log}\nThe application did not become ready. Its output:\n{told.get('log')}"
        counts = read_output(command, code, ran.text)
        proof = Proof(
            command=command,
            sha=sha,
            exit_code=code,
            passed=counts.passed,
            failed=counts.failed,
            errors=counts.errors,
            skipped=counts.skipped,
            counted=counts.whole,
            log=mask(log[-LOG_KEPT:]),
            at=self._now(),
        )
        ready, connections = told.get("ready"), told.get("connections")
        return Trial(
            proof=proof,
            counts=counts,
            ready=ready if isinstance(ready, bool) else None,
            connections=connections if isinstance(connections, int) else None,
        )


def _place(host: str) -> tuple[str, int]:
    """What the proxy compares: `name` is the name on HTTPS's port."""
    name, _, port = host.partition(":")
    return name.lower(), int(port or 443)


def _log(ran: Ran) -> str:
    text = ran.text
    if ran.exit_code is None:
        text += f"\nEnded by its limits: {ran.outcome.value} after {ran.duration_ms / 1000:.0f} s"
    return text


def _told(report: Path) -> Mapping[str, object]:
    """What the script inside reported; the tests can write there too, so nothing is trusted."""
    try:
        with report.open("rb") as file:
            told = json.loads(file.read(100_000))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
