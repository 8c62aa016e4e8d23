"""What the pages tell people to type and to write works: commands, files, code."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from bot.cli.main import cli
from bot.config.environment import MODEL_KEYS, PREFIX, load_settings
from bot.config.layers import load_repo_config
from bot.config.repo import RepoConfig
from bot.demo.sample import alterations
from bot.workflow.command_grammar import parse_commands
from bot.workflow.commands import Command, Misspelt
from tests.docs.blocks import DOCS, ROOT
from tests.docs.from_commands import helps
from tests.docs.from_config import keys
from tests.docs.pages import code_of, fences, pages, spans, text_of
from tests.docs.test_links import name_of

CHIMERA = re.compile(r"(?<![/\w.\-])chimera(?P<rest>(?: [^\s`;&|)#]+)+)")
SLASH = re.compile(r"/chimera [a-z]")
PLACEHOLDERS = ("]", " n", " usd")  #: how the table writes what follows a verb
VARIABLE = re.compile(r"\bCHIMERA_[A-Z_]+\b")
KEY = re.compile(r"^(?:" + "|".join(RepoConfig.model_fields) + r")(?:\.[a-z_0-9]+)+$")
TEST_COMMAND = "python -m pytest"
ELSEWHERE = {
    "CHIMERA_ROLE",
    "CHIMERA_RUN_ID",
    "CHIMERA_RESULT",
    "CHIMERA_SERVER",
    "CHIMERA_TOKEN",
    "REQUIRE_ALL",  # the test suite's
    "INSTALL_PROGRAMS",
}
FILES = {"deploy.yml"}  #: named like keys
OF_THE_SERVER = {
    "how-to/models-and-agents.md",
    "reference/agents.md",
}  #: pages whose YAML is the server's


def test_the_readme_has_two_commands_that_set_everything_up() -> None:
    said = [line for line in _bash(ROOT / "README.md") if "python3 -m venv" in line]
    assert len(said) == 2
    demo, tests = said
    assert demo.endswith(".venv/bin/chimera demo")
    assert tests.endswith(f".venv/bin/{TEST_COMMAND}")


def test_ci_runs_the_readmes_test_command() -> None:
    tests = [line for line in _bash(ROOT / "README.md") if line.endswith(TEST_COMMAND)]
    wanted = [_bare(step) for step in tests[0].split(" && ")[1:]]
    ran = [_bare(line) for line in text_of(ROOT / ".ci" / "run").splitlines()]
    places = [next(i for i, line in enumerate(ran) if step in line) for step in wanted]
    assert places == sorted(places)
    assert "REQUIRE_ALL=1" in text_of(ROOT / ".ci" / "run").splitlines()[-1]


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_chimera_command_on_a_page_exists_with_its_options(page: Path) -> None:
    for line in code_of(page):
        for match in CHIMERA.finditer(line.replace(".venv/bin/chimera", "chimera")):
            words = match["rest"].rstrip("'").split()  # it may end what `sh -c '…'` is given
            assert _problem(words) is None, match[0]


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_option_that_a_page_speaks_of_is_one_of_some_command(page: Path) -> None:
    known = set(re.findall(r"--[a-z-]+", "\n".join(text for _, text in helps())))
    said = {code.split()[0].partition("=")[0] for code in spans(page) if code.startswith("--")}
    assert said <= known


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_comment_command_on_a_page_is_understood(page: Path) -> None:
    for line in code_of(page):
        if SLASH.match(line) and not line.endswith(PLACEHOLDERS):
            assert any(_understood(line, said) for said in parse_commands(line)), line


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_variable_on_a_page_is_read(page: Path) -> None:
    for name in VARIABLE.findall(text_of(page)):
        if name not in ELSEWHERE and name.rstrip("_") != PREFIX.rstrip("_"):
            load_settings({name: ""})  # an unknown one is refused, an empty one is not set


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_key_on_a_page_is_one_of_chimera_yml(page: Path) -> None:
    known = {key for key, _ in keys(RepoConfig, "")}
    groups = {key.rsplit(".", n)[0] for key in known for n in range(1, key.count(".") + 1)}
    said = {code for code in code_of(page) if KEY.match(code)}
    assert said - known - groups - FILES == set()


def test_every_example_of_chimera_yml_is_accepted() -> None:
    for page in set(pages()) - {DOCS / name for name in OF_THE_SERVER}:
        for fence in fences(page, "yaml"):
            if "workflow_dispatch" not in fence.code:
                load_repo_config([(name_of(page), fence.code.encode())])


def test_every_example_of_the_servers_file_is_accepted(tmp_path: Path) -> None:
    for name in OF_THE_SERVER:
        for fence in fences(DOCS / name, "yaml"):
            file = tmp_path / "chimera.yml"
            file.write_text(fence.code)
            load_settings({}, file=file)


def test_the_providers_key_that_the_readme_names_is_one_that_is_read() -> None:
    named = re.findall(r"\b([A-Z]+_API_KEY)(?:_FILE)?\b", text_of(ROOT / "README.md"))
    assert named
    assert set(named) <= set(MODEL_KEYS.values())


def test_every_altered_demo_on_a_page_exists() -> None:
    said = {m for page in pages() for m in re.findall(r"--alter ([a-z-]+)", text_of(page))}
    assert said - {"list"} <= set(alterations())


def test_the_python_on_the_pages_is_python_with_names_that_exist() -> None:
    for page in pages():
        for fence in fences(page, "python"):
            for node in ast.walk(ast.parse(fence.code)):
                if isinstance(node, ast.ImportFrom) and node.module:
                    there = __import__(node.module, fromlist=["_"])
                    assert [a.name for a in node.names if not hasattr(there, a.name)] == []


def test_the_json_on_the_pages_is_json() -> None:
    for page in pages():
        for fence in fences(page, "json"):
            json.loads(fence.code)


def test_the_deploy_workflow_on_the_page_refuses_other_commits_and_cuts_nothing_off() -> None:
    [shown] = fences(DOCS / "how-to" / "deploy-workflow.md", "yaml")[:1]
    template = (ROOT / "config" / "templates" / "deploy.yml").read_text(encoding="utf-8")
    assert shown.code == template
    workflow = yaml.safe_load(template)
    inputs = workflow[True]["workflow_dispatch"]["inputs"]  # YAML reads `on` as true
    assert {"environment", "sha", "key"} <= set(inputs)
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert "inputs.key" in workflow["run-name"]
    assert "!= " in template or '== "$SHA" ]] ||' in template
    assert "chimera-deployed" in template


def test_every_workflow_and_form_of_ours_parses_and_puts_no_label_on() -> None:
    forms = sorted((ROOT / ".github").rglob("*.yml"))
    assert len(forms) >= 4
    for form in forms:
        assert "labels" not in yaml.safe_load(form.read_text(encoding="utf-8")), form.name


def test_our_own_ci_calls_the_one_command() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step][-1] == ".ci/run"


def _understood(line: str, said: Command | Misspelt) -> bool:
    """Whether it is a command, or the bare name of one that needs an argument."""
    return isinstance(said, Command) or line.split()[1:] == [said.nearest]


def _bash(page: Path) -> Iterator[str]:
    for fence in fences(page, "bash"):
        yield from fence.code.splitlines()


def _bare(step: str) -> str:
    """A step without the place of its environment, and with options in their short form."""
    return step.replace(".venv/bin/", "").replace("--quiet", "-q").replace("python -m pip", "pip")


def _problem(words: list[str]) -> str | None:
    """What is wrong with a command line, or None."""
    if words[0] == "/":
        return None  # a check's name
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0] in ("…", "[OPTIONS]"):
            return None  # a group is spoken of, or its usage is shown
        if words[0] not in command.commands:
            return f"no command {words[0]!r}"
        command = command.commands[words.pop(0)]
    known = {option for param in command.params for option in param.opts} | {"--help", "-h"}
    given = {word.partition("=")[0] for word in _split(words) if word.startswith("--")}
    return f"no option {given - known}" if given - known else None


def _split(words: list[str]) -> list[str]:
    try:
        return shlex.split(" ".join(words))
    except ValueError:
        return words  # a quotation that goes on where the pattern ended
