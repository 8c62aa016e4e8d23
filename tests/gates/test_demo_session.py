"""The recorded sessions on the real sample application: real cage, real server, real tests."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.agents.agent import Brief, Limits, Outcome
from bot.agents.cage import Cage
from bot.agents.replay import Recording, ReplayAgent
from bot.agents.replies import Decision, Review
from bot.agents.roster import ROSTER
from bot.demo.sample import LEFT_OUT, SHOP, alterations, issue, recording
from bot.domain import Role
from bot.errors import InputError
from bot.workflow.gates import (
    Change,
    Gate,
    GateFinding,
    GateRules,
    Status,
    check_change,
    freeze,
    only_under,
)
from bot.workflow.runners import Counts, read_output, why_not_red
from bot.workflow.weakening import is_a_real_test

NEW_TEST = "tests/e2e/test_discount_codes.py"
E2E = f"{sys.executable} -m pytest -q tests/e2e"
QUICK = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
UNITS = f"{sys.executable} -m pytest -q tests --ignore tests/e2e"


class Shop:
    """A checkout of the sample application in which the recorded agents work."""

    def __init__(self, root: Path, cage: Cage, recorded: Path) -> None:
        self.root = root
        self._cage = cage
        self._agent = ReplayAgent(Recording.load(recorded))
        shutil.copytree(SHOP, root, ignore=shutil.ignore_patterns(*LEFT_OUT))
        self._base = self._files()

    async def plays(self, role: Role, run: str, protect: tuple[str, ...] = ()) -> object:
        brief = Brief(
            run_id=f"t/phase/{run}",
            role=role,
            workspace=self.root,
            cage=self._cage,
            instructions="You work here.",
            prompt="Do it.",
            reply_type=ROSTER[role].reply_type,
            limits=Limits(wall_s=90),
            protect=protect,
            read_only=ROSTER[role].read_only,
            env=QUICK,
        )
        reply = await self._agent.run(brief, lambda _: None)
        assert reply.outcome is Outcome.COMPLETED, reply.error
        return reply.output

    async def tests_written(self) -> None:
        await self.plays(Role.E2E_TESTER, "1")

    async def code_written(self) -> None:
        await self.tests_written()
        await self.plays(Role.CODER, "1", protect=(NEW_TEST,))

    def change(self) -> list[Change]:
        now = self._files()
        both = sorted({*now, *self._base})
        kinds = {True: Status.MODIFIED, False: Status.ADDED}
        return [
            Change(
                path=path,
                status=kinds[path in self._base] if path in now else Status.DELETED,
                old=self._base.get(path),
                new=now.get(path),
            )
            for path in both
            if now.get(path) != self._base.get(path)
        ]

    def findings(self) -> list[GateFinding]:
        frozen = [freeze(NEW_TEST, (self.root / NEW_TEST).read_bytes())]
        return check_change(self.change(), rules=GateRules(protected=[".github/**"], frozen=frozen))

    def e2e(self, **env: str) -> Counts:
        with served(self.root, env) as url:
            return ran(E2E, self.root, E2E_BASE_URL=url)

    def units(self) -> Counts:
        return ran(UNITS, self.root)

    def _files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and not set(LEFT_OUT) & set(path.parts)
        }


def ran(command: str, folder: Path, **env: str) -> Counts:
    done = subprocess.run(
        command.split(),
        cwd=folder,
        env=os.environ | QUICK | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return read_output(command, done.returncode, done.stdout + done.stderr)


@contextmanager
def served(root: Path, env: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "shop", "--port", str(port)]
    with subprocess.Popen(command, cwd=root, env=os.environ | env) as app:
        try:
            answer(f"{url}/version", app)
            yield url
        finally:
            app.terminate()


def answer(url: str, app: subprocess.Popen[bytes]) -> str:
    """What an address answers, as soon as somebody answers there."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            assert app.poll() is None, "the shop ended"
            assert time.monotonic() < deadline, "the shop never answered"
            time.sleep(0.05)


def told_version(root: Path, sha: str) -> str:
    with (
        served(root, {"DEPLOYED_SHA": sha}) as url,
        urllib.request.urlopen(f"{url}/version", timeout=5) as response,
    ):
        return str(response.read().decode())


@pytest.fixture
async def cage() -> Cage:
    return await Cage.open()


def is_green(counts: Counts) -> bool:
    return counts.exit_code == 0 and counts.passed > 0


def shop(tmp_path: Path, cage: Cage, alter: str = "") -> Shop:
    return Shop(tmp_path / "shop", cage, recording(alter))


async def test_the_recorded_session_is_red_on_the_base_and_green_after_it(
    tmp_path: Path, cage: Cage
) -> None:
    work = shop(tmp_path, cage)
    await work.tests_written()
    text = (work.root / NEW_TEST).read_text()
    assert only_under(work.change(), "tests/e2e") == []
    assert is_a_real_test(NEW_TEST, text) is None
    red = await asyncio.to_thread(work.e2e)
    assert why_not_red(red) is None
    assert (red.failed, red.passed) == (4, 2)

    await work.plays(Role.CODER, "1", protect=(NEW_TEST,))
    assert work.findings() == []
    assert is_green(await asyncio.to_thread(work.e2e))
    assert is_green(await asyncio.to_thread(work.units))


async def test_the_guardian_approves_with_a_remark_on_a_line_of_the_change(
    tmp_path: Path, cage: Cage
) -> None:
    work = shop(tmp_path, cage)
    await work.code_written()
    review = await work.plays(Role.GUARDIAN, "1")
    assert isinstance(review, Review)
    assert review.decision is Decision.APPROVE
    (remark,) = review.comments
    assert "50" in (work.root / remark.path).read_text().splitlines()[remark.line - 1]


async def test_what_the_guardian_asks_for_is_mended_in_the_second_round(
    tmp_path: Path, cage: Cage
) -> None:
    work = shop(tmp_path, cage, "changes-requested")
    await work.code_written()
    review = await work.plays(Role.GUARDIAN, "1")
    assert isinstance(review, Review)
    assert review.decision is Decision.REQUEST_CHANGES
    asked = review.comments[0]
    assert "{code!r}" in (work.root / asked.path).read_text().splitlines()[asked.line - 1]
    await work.plays(Role.CODER, "2", protect=(NEW_TEST,))
    assert work.findings() == []
    assert is_green(await asyncio.to_thread(work.units))
    assert is_green(await asyncio.to_thread(work.e2e))


@pytest.mark.parametrize("where", ["staging", "production"])
@pytest.mark.parametrize("round_", [1, 2])
async def test_there_is_a_plan_for_each_environment_and_round(
    tmp_path: Path, cage: Cage, where: str, round_: int
) -> None:
    plan = await shop(tmp_path, cage).plays(Role.DEPLOYMENT, f"{where}-{round_}")
    assert getattr(plan, "where", "") == where


async def test_a_recorded_test_that_cannot_fail_is_refused(tmp_path: Path, cage: Cage) -> None:
    work = shop(tmp_path, cage, "test-that-cannot-fail")
    await work.tests_written()
    assert "could be false" in str(is_a_real_test(NEW_TEST, (work.root / NEW_TEST).read_text()))


async def test_recorded_wrong_code_stays_red_though_its_own_tests_pass(
    tmp_path: Path, cage: Cage
) -> None:
    work = shop(tmp_path, cage, "wrong-code")
    await work.code_written()
    assert is_green(await asyncio.to_thread(work.units))
    assert (await asyncio.to_thread(work.e2e)).failed == 3


async def test_a_recorded_weakening_is_stopped_by_the_cage_and_by_the_gate(
    tmp_path: Path, cage: Cage
) -> None:
    work = shop(tmp_path, cage, "weakened-test")
    await work.tests_written()
    accepted = (work.root / NEW_TEST).read_bytes()
    await work.plays(Role.CODER, "1", protect=(NEW_TEST,))
    assert (work.root / NEW_TEST).read_bytes() == accepted
    assert [f.gate for f in work.findings() if f.blocker] == [Gate.WEAKENING]


async def test_a_recorded_weakening_without_the_cage_is_stopped_by_the_freeze(
    tmp_path: Path, cage: Cage
) -> None:
    work = shop(tmp_path, cage, "weakened-test")
    await work.tests_written()
    rules = GateRules(frozen=[freeze(NEW_TEST, (work.root / NEW_TEST).read_bytes())])
    await work.plays(Role.CODER, "1")
    assert Gate.FREEZE in {f.gate for f in check_change(work.change(), rules=rules)}


async def test_a_recorded_secret_is_stopped_by_the_gate(tmp_path: Path, cage: Cage) -> None:
    work = shop(tmp_path, cage, "planted-secret")
    await work.code_written()
    assert [f.gate for f in work.findings() if f.blocker] == [Gate.SECRETS]


async def test_recorded_code_that_cannot_prove_its_version_passes_everything_before_it(
    tmp_path: Path, cage: Cage
) -> None:
    work = shop(tmp_path, cage, "failing-deploy")
    await work.code_written()
    assert work.findings() == []
    sha = "0123456789abcdef0123456789abcdef01234567"
    assert is_green(await asyncio.to_thread(work.e2e, DEPLOYED_SHA=sha))
    assert await asyncio.to_thread(told_version, work.root, sha) == sha[:7]


async def test_recorded_code_behind_a_switch_is_red_only_where_it_is_deployed(
    tmp_path: Path, cage: Cage
) -> None:
    work = shop(tmp_path, cage, "red-on-staging")
    await work.code_written()
    assert work.findings() == []
    assert is_green(await asyncio.to_thread(work.e2e))
    assert (await asyncio.to_thread(work.e2e, DEPLOYED_SHA="0" * 40)).failed == 3


@pytest.mark.parametrize("name", alterations())
def test_an_altered_recording_differs_in_exactly_one_answer_and_says_where_it_is_caught(
    name: str,
) -> None:
    straight = json.loads(recording().read_text())
    altered = json.loads(recording(name).read_text())
    differ = [key for key, run in altered["runs"].items() if run != straight["runs"][key]]
    assert len([key for key in differ if "confirm" not in key]) == 1, "and the second look at it"
    assert altered["runs"].keys() == straight["runs"].keys()
    assert altered["about"] != straight["about"]


def test_an_unknown_alteration_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match="wrong-code"):
        recording("wrong-cod")


def test_the_issue_has_a_title_and_a_body() -> None:
    title, body = issue()
    assert title == "Discount codes at checkout"
    assert "WELCOME10" in body
