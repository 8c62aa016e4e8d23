"""Which configuration keys are about safety, and which of two values is the tighter one."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.config.choices import ApprovalMode, DependencyRule, RepoRole
from bot.config.marks import Path

Rule = Callable[[Any, Any], Any]  #: (farther, nearer) → what counts


def _lower(far: Any, near: Any) -> Any:
    return min(far, near)


def _either(far: Any, near: Any) -> Any:
    return far or near


def _added(far: list[Any], near: list[Any]) -> list[Any]:
    return [*far, *(item for item in near if item not in far)]


def _shared(far: list[Any], near: list[Any]) -> list[Any]:
    return [item for item in near if item in far]


def _later(order: tuple[str, ...]) -> Rule:
    def rule(far: Any, near: Any) -> Any:
        return max(far, near, key=order.index)

    return rule


RULES: Mapping[str, Rule] = {
    "trigger.roles": _shared,
    "protect.paths": _added,
    "protect.max_files": _lower,
    "protect.max_patch_kb": _lower,
    "protect.new_dependencies": _later(tuple(DependencyRule)),
    "e2e.hosts": _shared,
    "deploy.production.approval": _later(tuple(ApprovalMode)),
    "deploy.production.prevent_self_approval": _either,
    "limits.*": _lower,
    "cage.setup_hosts": _shared,
    "cage.memory_mb": _lower,
    "cage.pids": _lower,
    "commands.*": _later(tuple(RepoRole)),
}
"""By dotted key; `*` stands for one part. All other keys are free: the nearer value counts."""


def tightened(path: Path, far: Any, near: Any) -> Any:
    """What counts when a farther file says `far` and a nearer one `near`."""
    rule = rule_for(path)
    return near if rule is None else rule(far, near)


def rule_for(path: Path) -> Rule | None:
    """The rule of a safety key; None for any other key."""
    exact = ".".join(str(part) for part in path)
    group = ".".join([*(str(part) for part in path[:-1]), "*"])
    return RULES.get(exact) or RULES.get(group)
