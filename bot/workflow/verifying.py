"""Checks an evidence bundle against a repository: the chain, then red and green run once more."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bot.agents.cage import Cage
from bot.agents.misfit import misfit
from bot.config.layers import load_repo_config
from bot.domain import Status
from bot.errors import InputError, SetupFailed
from bot.facts import FrozenFile, Proof
from bot.github.git import Git
from bot.workflow.evidence import faults_in, text_sha256
from bot.workflow.gates import freeze
from bot.workflow.local import local_origin
from bot.workflow.repoconfig import MAX_BYTES, PATH
from bot.workflow.setup_steps import with_setup_steps
from bot.workflow.trial import Bench, Trial
from bot.workflow.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trigger:
    text: str
    text_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Commits:
    """SHAs, each empty where the task has not come so far."""

    base: str
    tests: str
    head: str
    head_tree: str
    validated: str
    validated_tree: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sections:
    """What is held against the repository; the others are what the chain is for."""

    trigger: _Trigger
    commits: _Commits
    tests: tuple[FrozenFile, ...]
    red: Proof | None
    green: tuple[Proof, ...]
    result: _Result


_SECTIONS = TypeAdapter(_Sections)


async def verify(
    document: Mapping[str, Any],
    repository: Path,
    *,
    config: tuple[str, bytes] | None = None,
    say: Callable[[Check], None] = lambda _check: None,
) -> list[Check]:
    """Every check in turn; a broken chain ends it. Raises InputError, CageMissing."""
    done: list[Check] = []

    def note(name: str, ok: bool, detail: str) -> None:
        done.append(Check(name=name, ok=ok, detail=detail))
        say(done[-1])

    faults = faults_in(document)
    note("chain", not faults, "; ".join(faults) or "every section is the one that was written")
    if faults:
        return done
    try:
        said = _SECTIONS.validate_python(document["sections"])
    except ValidationError as problem:
        note("sections", False, f"not as a task's are: {misfit(problem)}")
        return done
    _trigger(said.trigger, note)
    with tempfile.TemporaryDirectory(prefix="chimera-verify-") as scratch:
        await _Rerun(said, Path(scratch), note, config).run(repository)
    return done


def _trigger(said: _Trigger, note: Callable[[str, bool, str], None]) -> None:
    """The text is the one whose hash was taken when the task was made."""
    real = text_sha256(said.text)
    told = f"the text's hash is {real[:7]}"
    same = real == said.text_sha256
    note("trigger", same, told if same else f"{told}; the bundle says {said.text_sha256[:7]}")


NO_PROOF = "the bundle has no such proof"


class _Rerun:
    """Red on the base with the tests, green on the head, as the bundle says."""

    def __init__(
        self,
        said: _Sections,
        scratch: Path,
        note: Callable[[str, bool, str], None],
        config: tuple[str, bytes] | None,
    ) -> None:
        self._said = said
        self._scratch = scratch
        self._note = note
        self._config = config

    async def run(self, repository: Path) -> None:
        origin = await local_origin(repository)
        workspace = Workspace(Git(self._scratch / "git"), origin, self._scratch / "work")
        await workspace.refresh()
        commits = self._said.commits
        named = {name: getattr(commits, name) for name in ("base", "tests", "head", "validated")}
        missing = [
            f"{name} {sha[:7]}"
            for name, sha in named.items()
            if sha and not await workspace.fetched(sha)
        ]
        self._note("commits", not missing, _missing(missing))
        if missing or not self._tested() or not await self._history(workspace, commits):
            return
        await self._trees(workspace, commits)
        await self._accepted(workspace, commits.head)
        bench = await self._bench(workspace, commits.base)
        await self._proofs(workspace, bench, commits)

    @property
    def _completed(self) -> bool:
        return self._said.result.status is Status.COMPLETED

    def _tested(self) -> bool:
        """Whether there are tests to run again; a task that ended before has none."""
        tests = bool(self._said.commits.tests)
        if self._completed and not tests:
            self._note("red", False, NO_PROOF)
        return tests

    async def _history(self, workspace: Workspace, commits: _Commits) -> bool:
        """Whether the head was made from the base, and the base is older than the tests."""
        older = not await workspace.contains(commits.base, commits.tests)
        grown = older and await workspace.contains(commits.head, commits.base)
        detail = "the head comes from the base" if grown else "the base is not where this began"
        self._note("history", grown, detail)
        return grown

    async def _trees(self, workspace: Workspace, commits: _Commits) -> None:
        """Of a change that never was green no tree is said."""
        pairs = {
            "head": (commits.head, commits.head_tree),
            "validated": (commits.validated, commits.validated_tree),
        }
        said = {name: tree for name, (_, tree) in pairs.items() if tree}
        real = {name: await workspace.tree(pairs[name][0]) for name in said}
        trees = ", ".join(f"the {name}'s tree is {tree[:7]}" for name, tree in real.items())
        whole = bool(said) or not self._completed
        self._note("tree", whole and real == said, trees or "the bundle names none")

    async def _accepted(self, workspace: Workspace, head: str) -> None:
        """The tests that were accepted are the ones in the head, to the byte."""
        tests = self._said.tests
        changed = []
        for test in tests:
            content = await workspace.read(head, test.path)
            if content is None or freeze(test.path, content) != test:
                changed.append(test.path)
        detail = f"not as accepted: {', '.join(changed)}" if changed else f"{len(tests)} unchanged"
        self._note("accepted tests", bool(tests) and not changed, detail)

    async def _proofs(self, workspace: Workspace, bench: Bench, commits: _Commits) -> None:
        red = await bench.e2e(await _laid(workspace, bench, commits.tests), commits.tests)
        self._compare("red", red, self._said.red)
        green: list[Proof | None] = [*self._said.green]
        if not green and not self._completed:
            return
        checkout = await _laid(workspace, bench, commits.head)
        runs = (("green: end to end", bench.e2e), ("green: the others", bench.checks))
        for (name, run), said in zip(runs, [*green, None, None], strict=False):
            self._compare(name, await run(checkout, commits.head), said)

    def _compare(self, name: str, trial: Trial, said: Proof | None) -> None:
        if said is None:
            self._note(name, False, NO_PROOF)
            return
        now, then = _counts(trial.proof), _counts(said)
        detail = _told(now) if now == then else f"{_told(now)}; the bundle says {_told(then)}"
        if (ran := trial.proof.command) != said.command:
            detail = f"{detail}; `{ran}` was run, and the bundle says `{said.command}`"
        self._note(name, now == then and ran == said.command, detail)

    async def _bench(self, workspace: Workspace, base: str) -> Bench:
        own = await workspace.read(base, PATH, MAX_BYTES)
        layers = [(PATH, own)] if own is not None else []
        if self._config is not None:
            layers.append(self._config)
        config = await with_setup_steps(load_repo_config(layers).config, workspace, base)
        return Bench(await Cage.open(), config, time.time, config.limits.phase_minutes * 60)


async def _laid(workspace: Workspace, bench: Bench, sha: str) -> Path:
    checkout = await workspace.lay("trial", sha)
    trouble = await bench.setup(checkout)
    if trouble is not None:
        raise SetupFailed(f"The set-up steps fail on {sha[:7]}:\n{trouble[-1500:]}")
    return checkout


def _counts(proof: Proof) -> dict[str, int]:
    """What a run has to come to again; logs and times differ from run to run."""
    return {
        "exit_code": proof.exit_code,
        "passed": proof.passed,
        "failed": proof.failed,
        "errors": proof.errors,
    }


def _told(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in counts.items())


def _missing(missing: list[str]) -> str:
    if not missing:
        return "the commits are here"
    return f"not in this clone: {', '.join(missing)}; fetch the branch, or the pull request's ref"


def read_bundle(data: bytes) -> Mapping[str, Any]:
    """A bundle from a file. Raises InputError for anything else."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not an evidence bundle: {error}") from error
    if not isinstance(found, dict):
        raise InputError("not an evidence bundle: it is no JSON object")
    return found
