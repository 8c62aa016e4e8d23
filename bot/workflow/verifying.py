"""Checks an evidence bundle against a repository: the chain, then red and green run once more."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.agents.cage import Cage
from bot.config.layers import load_repo_config
from bot.errors import InputError, SetupFailed
from bot.facts import Proof
from bot.github.git import Git
from bot.workflow.evidence import faults_in, text_sha256
from bot.workflow.gates import freeze
from bot.workflow.local import local_origin
from bot.workflow.repoconfig import MAX_BYTES, PATH
from bot.workflow.trial import Bench, Trial
from bot.workflow.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


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
    _trigger(document["sections"]["trigger"], note)
    with tempfile.TemporaryDirectory(prefix="chimera-verify-") as scratch:
        await _Rerun(document["sections"], Path(scratch), note, config).run(repository)
    return done


def _trigger(said: Mapping[str, Any], note: Callable[[str, bool, str], None]) -> None:
    """The text is the one whose hash was taken when the task was made."""
    real = text_sha256(str(said["text"]))
    told = f"the text's hash is {real[:7]}"
    same = real == said["text_sha256"]
    note("trigger", same, told if same else f"{told}; the bundle says {said['text_sha256'][:7]}")


class _Rerun:
    """Red on the base with the tests, green on the head, as the bundle says."""

    def __init__(
        self,
        sections: Mapping[str, Any],
        scratch: Path,
        note: Callable[[str, bool, str], None],
        config: tuple[str, bytes] | None,
    ) -> None:
        self._sections = sections
        self._scratch = scratch
        self._note = note
        self._config = config

    async def run(self, repository: Path) -> None:
        origin = await local_origin(repository)
        workspace = Workspace(Git(self._scratch / "git"), origin, self._scratch / "work")
        await workspace.refresh()
        commits = self._sections["commits"]
        missing = [
            f"{name} {commits[name][:7]}"
            for name in ("base", "tests", "head", "validated")
            if commits[name] and not await workspace.known(commits[name])
        ]
        self._note("commits", not missing, _missing(missing))
        if missing:
            return
        await self._trees(workspace, commits)
        await self._accepted(workspace, commits["head"])
        bench = await self._bench(workspace, commits["base"])
        await self._proofs(workspace, bench, commits)

    async def _trees(self, workspace: Workspace, commits: Mapping[str, str]) -> None:
        said = {name: commits[f"{name}_tree"] for name in ("head", "validated") if commits[name]}
        real = {name: await workspace.tree(commits[name]) for name in said}
        trees = ", ".join(f"the {name}'s tree is {tree[:7]}" for name, tree in real.items())
        self._note("tree", real == said, trees)

    async def _accepted(self, workspace: Workspace, head: str) -> None:
        """The tests that were accepted are the ones in the head, to the byte."""
        tests = self._sections["tests"]
        changed = []
        for test in tests:
            content = await workspace.read(head, test["path"])
            if content is None or freeze(test["path"], content).sha256 != test["sha256"]:
                changed.append(test["path"])
        detail = f"not as accepted: {', '.join(changed)}" if changed else f"{len(tests)} unchanged"
        self._note("accepted tests", not changed, detail)

    async def _proofs(self, workspace: Workspace, bench: Bench, commits: Mapping[str, str]) -> None:
        red = await bench.e2e(await _laid(workspace, bench, commits["tests"]), commits["tests"])
        self._compare("red", red, self._sections["red"])
        head = commits["head"]
        checkout = await _laid(workspace, bench, head)
        runs = (("green: end to end", bench.e2e), ("green: the others", bench.checks))
        for (name, run), said in zip(runs, self._sections["green"], strict=False):
            self._compare(name, await run(checkout, head), said)

    def _compare(self, name: str, trial: Trial, said: Mapping[str, Any] | None) -> None:
        if said is None:
            self._note(name, False, "the bundle has no such proof")
            return
        now, then = _counts(trial.proof), {key: said[key] for key in _counts(trial.proof)}
        detail = _told(now) if now == then else f"{_told(now)}; the bundle says {_told(then)}"
        self._note(name, now == then, detail)

    async def _bench(self, workspace: Workspace, base: str) -> Bench:
        own = await workspace.read(base, PATH, MAX_BYTES)
        layers = [(PATH, own)] if own is not None else []
        if self._config is not None:
            layers.append(self._config)
        config = load_repo_config(layers).config
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
