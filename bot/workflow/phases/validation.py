"""E2E_VALIDATION: the frozen tests against what was deployed."""

from dataclasses import replace
from urllib.parse import urlsplit

from bot.agents.cage_proxy import reach
from bot.domain import Cause, StepResult, Task
from bot.errors import SetupFailed
from bot.facts import Facts, Proof
from bot.workflow.phases.step import Ctx, back, passed, skipped, tail, trial_at


async def validate(task: Task, ctx: Ctx) -> StepResult:
    """Red sends the work back; green makes the change ready to merge."""
    facts = task.facts
    url = staging_url(task, ctx)
    if not url and not ctx.config.e2e.serve:
        return skipped(task, _validated(facts, None), "nothing is served that could be validated")
    proof = await run_at(task, ctx, url) if url else await _in_the_cage(facts, ctx)
    where = url or "ephemeral staging"
    if not proof.green:
        why = f"The end-to-end tests {how_red(proof)} on {where}"
        feedback = f"{why}:\n\n{tail(proof.log)}"
        return back(replace(facts, validation=proof), why, Cause.VALIDATION, feedback)
    passing = "passes" if proof.passed == 1 else "pass"
    return passed(_validated(facts, proof), f"{proof.passed or 'All'} {passing} on {where}")


def staging_url(task: Task, ctx: Ctx) -> str:
    """Where to validate: what was deployed, then the task, then the configuration.

    Raises SetupFailed as `check_target_url` does.
    """
    facts = task.facts
    deployed = facts.staging.url if facts.staging is not None else ""
    if deployed or not task.target_url:
        return deployed or ctx.config.e2e.target_url
    check_target_url(task, ctx)
    return task.target_url


def check_target_url(task: Task, ctx: Ctx) -> None:
    """Raises SetupFailed for a task's address that is none, or on a host that nobody has allowed.

    A local run's is the word of whoever runs it.
    """
    if not task.target_url or ctx.repo is None:
        return
    place = _place(task.target_url)
    if not place:
        raise SetupFailed(
            f"The target URL {task.target_url!r} is not a web address such as "
            "https://preview.example.com; take the label off, mend the issue, and put it on again"
        )
    allowed = {host.lower() for host in (*ctx.config.e2e.hosts, *ctx.allowed_hosts)}
    if not {place, place.partition(":")[0]} & allowed:
        raise SetupFailed(
            f"The target URL's host {place!r} is not allowed; add it to `e2e.hosts` in "
            "chimera.yml, or to CHIMERA_ALLOWED_HOSTS"
        )


def _place(url: str) -> str:
    """`host` or `host:port` of a web address, in lower case; empty where it is none."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return ""
    return f"{parts.hostname or ''}{port}" if parts.scheme in ("http", "https") else ""


def how_red(proof: Proof) -> str:
    """What the tests do that are not green: `fail`, unless none was run."""
    return "fail" if proof.exit_code != 0 else "are all skipped"


async def run_at(task: Task, ctx: Ctx, url: str) -> Proof:
    """The frozen tests, in a cage whose only way out leads to `url`'s host and port."""
    facts = task.facts
    checkout = await trial_at(ctx, facts.head_sha)
    async with reach(url, caged=ctx.cage.program is not None) as way:
        trial = await ctx.bench.e2e_against(checkout, facts.head_sha, url, way.ways, way.env)
    return trial.proof


async def _in_the_cage(facts: Facts, ctx: Ctx) -> Proof:
    checkout = await trial_at(ctx, facts.head_sha)
    return (await ctx.bench.e2e(checkout, facts.head_sha)).proof


def _validated(facts: Facts, proof: Proof | None) -> Facts:
    return replace(
        facts, validation=proof, validated_sha=facts.head_sha, validated_tree=facts.head_tree
    )
