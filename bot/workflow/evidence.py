"""The evidence bundle: one JSON document that says what was asked, run, found and done.

Its sections are chained by hashes, so that a change to any of them shows, and shows where:
`link(n) = SHA-256(link(n - 1) + name + canonical JSON of the section)`. Whoever has the last link
from somewhere else (the status comment) can tell that the whole document is the one that was
written then. Pure.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bot.domain import JournalLine, Task
from bot.effects import Effect
from bot.facts import Deployment, Facts, Proof, Spend
from bot.workflow.report.costs import all_priced, costs

VERSION = 1
FIRST = "0" * 64  #: what the first link is chained to


def bundle(
    task: Task, journal: Sequence[JournalLine], effects: Sequence[Effect], *, cage: str
) -> dict[str, Any]:
    """The bundle of a task as it stands."""
    facts = task.facts
    sections: dict[str, Any] = {
        "trigger": {
            "task": task.id,
            "repository": task.repo.full_name if task.repo is not None else "",
            "issue": task.issue,
            "requester": task.requester,
            "text": task.feature,
            "text_sha256": task.text_sha256,
        },
        "commits": _commits(facts),
        "tests": [asdict(test) for test in facts.tests],
        "red": _proof(facts.red),
        "green": [_proof(proof) for proof in facts.green],
        "review": {
            "summary": facts.review_summary,
            "findings": [asdict(finding) for finding in facts.findings],
            "tests_compared": facts.tests_compared,
            "weaker_tests_allowed_by": facts.weaker_tests_by,
        },
        "staging": _deployment(facts.staging),
        "validation": _proof(facts.validation),
        "approval": asdict(facts.approval) if facts.approval is not None else None,
        "production": _deployment(facts.production),
        "production_validation": _proof(facts.production_validation),
        "rollback": {"target": facts.rollback_sha, "deployment": _deployment(facts.rollback)},
        "skipped": list(facts.skipped),
        "cost": _cost(task.spend, journal),
        "result": {"status": task.status.value, "summary": task.summary},
        "journal": [_line(line) for line in journal],
        "effects": [_effect(effect) for effect in effects],
        "cage": cage,
    }
    return {"version": VERSION, "sections": sections, "chain": _chain(sections)}


def text_sha256(text: str) -> str:
    """The hash that is taken of a task's text together with the snapshot."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def faults_in(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a bundle's chain, each with its place; empty where it is whole."""
    if document.get("version") != VERSION:
        return [f"version {document.get('version')!r}: this program reads version {VERSION}"]
    sections, chain = document.get("sections"), document.get("chain")
    if not isinstance(sections, dict) or not isinstance(chain, dict):
        return ["not an evidence bundle: sections and chain are missing"]
    expected = _chain(sections)
    missing = [f"{name}: the section is missing" for name in chain if name not in sections]
    added = [f"{name}: the section was added later" for name in sections if name not in chain]
    if missing or added:
        return missing + added
    for name, link in expected.items():
        if chain[name] != link:
            return [f"{name}: the section is not the one that was written"]
    return [] if list(chain) == list(sections) else ["the order of the sections was changed"]


def last_link(document: Mapping[str, Any]) -> str:
    """The hash that stands for the whole bundle."""
    chain: Mapping[str, str] = document["chain"]
    return list(chain.values())[-1]


def _chain(sections: Mapping[str, Any]) -> dict[str, str]:
    links, link = {}, FIRST
    for name, section in sections.items():
        text = json.dumps(section, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        link = hashlib.sha256(f"{link}{name}{text}".encode()).hexdigest()
        links[name] = link
    return links


def _commits(facts: Facts) -> dict[str, str]:
    return {
        "base_ref": facts.base_ref,
        "base": facts.base_sha,
        "branch": facts.branch,
        "tests": facts.test_sha,
        "head": facts.head_sha,
        "head_tree": facts.head_tree,
        "validated": facts.validated_sha,
        "validated_tree": facts.validated_tree,
        "merge": facts.merge_sha,
    }


def _cost(spend: Spend, journal: Sequence[JournalLine]) -> dict[str, Any]:
    """`complete`: every answer has a price, so that the sum is all that was paid."""
    phases = [
        {"phase": cost.phase.value, **asdict(cost.spend), "complete": cost.complete}
        for cost in costs(journal)
    ]
    return {**asdict(spend), "complete": all_priced(journal), "phases": phases}


def _proof(proof: Proof | None) -> dict[str, Any] | None:
    return asdict(proof) if proof is not None else None


def _deployment(made: Deployment | None) -> dict[str, Any] | None:
    return asdict(made) if made is not None else None


def _line(line: JournalLine) -> dict[str, Any]:
    return {
        "n": line.n,
        "phase": line.phase.value,
        "round": line.cursor.round,
        "turn": line.cursor.turn,
        "attempt": line.cursor.attempt,
        "verdict": line.outcome.value,
        "summary": line.summary,
        "cause": line.cause.value if line.cause is not None else None,
        "started_at": line.started_at,
        "seconds": line.seconds,
        "by": line.by,
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "key": effect.key,
        "kind": effect.kind.value,
        "state": effect.state.value,
        "request_sha256": effect.request_hash,
        "remote_id": effect.remote_id,
        "remote_url": effect.remote_url,
        "error": effect.error,
    }
