"""The four agents: who they are, what they are asked, what they answer and what they may touch."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

from bot.agents.fitting import fitted
from bot.agents.replies import DeployPlan, Review, WrittenCode, WrittenTests
from bot.domain import Role
from bot.errors import ConfigError

MAX_PROMPT = 400_000  #: characters; a larger one leaves a model no room to work
MAX_FILLING = 390_000  #: of them for what a template is filled with; the rest is ours


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCard:
    """What holds for every brief of a role."""

    reply_type: type[BaseModel]
    read_only: bool  #: it looks and answers; nothing in the checkout can change


ROSTER: Mapping[Role, RoleCard] = {
    Role.E2E_TESTER: RoleCard(reply_type=WrittenTests, read_only=False),
    Role.CODER: RoleCard(reply_type=WrittenCode, read_only=False),
    Role.GUARDIAN: RoleCard(reply_type=Review, read_only=True),
    Role.DEPLOYMENT: RoleCard(reply_type=DeployPlan, read_only=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What one brief says."""

    instructions: str
    prompt: str


class Prompts:
    """The prompt templates of a folder: `<role>.md` says who it is, `<role>.task.md` what to do.

    A template that names what it is not given, or is given what it does not name, is an error:
    a prompt with a hole in it costs money before anybody sees it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or default_folder()
        # no escaping: these are prompts, not pages
        self._jinja = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._jinja.filters["fenced"] = fenced
        self._read: dict[str, tuple[Template, frozenset[str]]] = {}  #: by text: files may change

    def words(self, role: Role, variables: Mapping[str, object], *, task: str = "task") -> Words:
        """Instructions and task of `role`; `task` names another task than the usual one.

        What is too much is cut, the longest texts first. Raises ConfigError, with the file's
        name, for a template that cannot be filled in.
        """
        prompt = self._filled(f"{role}.{task}.md", fitted(variables, MAX_FILLING))
        if len(prompt) > MAX_PROMPT:
            raise ConfigError(f"{role}.{task}.md: {len(prompt)} characters of {MAX_PROMPT}")
        return Words(instructions=self._filled(f"{role}.md", {}), prompt=prompt)

    def variables(self, role: Role, *, task: str = "task") -> frozenset[str]:
        """What the task's template has to be given."""
        return self._template(f"{role}.{task}.md")[1]

    def _filled(self, name: str, variables: Mapping[str, object]) -> str:
        try:
            template, wanted = self._template(name)
            if wanted != variables.keys():
                missing, extra = sorted(wanted - variables.keys()), variables.keys() - wanted
                raise ConfigError(
                    f"{self._folder / name}: missing {missing}, not used {sorted(extra)}"
                )
            return template.render(variables).strip() + "\n"
        except TemplateError as problem:
            raise ConfigError(f"{self._folder / name}: {problem}") from problem

    def _template(self, name: str) -> tuple[Template, frozenset[str]]:
        """A template, compiled, and what it has to be given."""
        source = self._source(name)
        if source not in self._read:
            wanted = meta.find_undeclared_variables(self._jinja.parse(source))
            self._read[source] = self._jinja.from_string(source), frozenset(wanted)
        return self._read[source]

    def _source(self, name: str) -> str:
        try:
            return (self._folder / name).read_text(encoding="utf-8")
        except OSError as problem:
            raise ConfigError(f"{self._folder / name}: {problem.strerror}") from problem


def default_folder() -> Path:
    """The prompts we ship: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "_config" / "prompts"
    return installed if installed.is_dir() else package.parent / "config" / "prompts"


def fenced(text: object, label: str) -> str:
    """`text` of a stranger between two lines that it cannot contain, named as data.

    The mark is a hash of the text itself, so no text can hold its own closing line.
    """
    body = str(text)
    mark = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"<<< data: {label} {mark}\n{body}\n>>> end of data: {label} {mark}"
