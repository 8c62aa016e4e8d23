"""Writes the generated parts of the pages: `python -m tests.docs.generate`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.docs import from_commands, from_config, from_domain, from_flow, from_metrics, from_pages
from tests.docs.blocks import DOCS, ROOT, fenced, filled, names

BLOCKS: Mapping[str, Callable[[], str]] = {
    "chimera-yml": from_config.chimera_yml,
    "settings": from_config.settings,
    "agent-settings": from_config.agent_settings,
    "aliases": from_config.aliases,
    "commands": from_commands.commands,
    "buttons": from_commands.buttons,
    "phase-words": from_commands.phase_words,
    "command-line": from_commands.command_line,
    "routes": from_commands.routes,
    "phases": from_domain.phases,
    "statuses": from_domain.statuses,
    "outcomes": from_domain.outcomes,
    "roles": from_domain.roles,
    "effect-states": from_domain.effect_states,
    "causes": from_domain.causes,
    "waits": from_domain.waits,
    "deliveries": from_domain.deliveries,
    "metrics": from_metrics.metrics,
    "more-pages": from_pages.more_pages,
    "states": from_flow.states,
    "deploy-workflow": lambda: fenced(
        (ROOT / "config" / "templates" / "deploy.yml").read_text(encoding="utf-8"), "yaml"
    ),
}


def pages() -> list[Path]:
    """Every page of the documentation, the README first."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def wanted(page: Path) -> str:
    """The page with its generated parts as they should be."""
    text = page.read_text(encoding="utf-8")
    return filled(text, {name: BLOCKS[name]() for name in names(text)})


def main() -> None:
    """Write what has changed, and say so."""
    for page in pages():
        text = wanted(page)
        if text != page.read_text(encoding="utf-8"):
            page.write_text(text, encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: written")


if __name__ == "__main__":
    main()
