"""Four agents of the settings, each on a model server of its own that follows a script.

Nothing of the bot is swapped: the settings name models, the registry makes the agents, the model
library speaks the provider's own protocol, and tools and tests run in the cage.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from bot.config.settings import AgentSettings
from bot.domain import Role
from tests.agents.modelserver import Call, ModelServer, Turn
from tests.stories.actors import approve, plan, request_changes
from tests.stories.sample import code, e2e_test

KEYS = {"openai": "sk-CANARY-story-openai-93c1", "anthropic": "sk-CANARY-story-anthropic-93c1"}
CHAT, RESPONSES, MESSAGES = (
    "openai-chat:gpt-4o",
    "openai-responses:gpt-5",
    "anthropic:claude-opus-4-5",
)
RUN_TESTS = "python -m unittest discover -s tests/unit -t ."
BLOCKER = "Nobody is told where the page is."


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The servers by role, and the settings that lead to them."""

    servers: Mapping[Role, ModelServer]
    choices: Mapping[Role, str]

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "agents": {role: self.agent(role) for role in Role},
            "model_keys": {name: SecretStr(key) for name, key in KEYS.items()},
        }

    def agent(self, role: Role, **more: Any) -> AgentSettings:
        """As the settings name it."""
        model = self.choices[role]
        return AgentSettings(model=model, base_url=self.address(role), **more)

    def address(self, role: Role) -> str:
        home = self.servers[role].url
        return home if self.choices[role].startswith("anthropic") else f"{home}/v1"

    @property
    def answered(self) -> int:
        """Requests that a provider would bill."""
        return sum(server.answered for server in self.servers.values())

    def heard(self, role: Role) -> str:
        """Everything that the role's model was told."""
        return "\n".join(str(one.body) for one in self.servers[role].heard)


@contextlib.asynccontextmanager
async def models_on(
    choices: Mapping[Role, str], script: Mapping[Role, Sequence[Turn]]
) -> AsyncIterator[Models]:
    """One server a role."""
    async with contextlib.AsyncExitStack() as stack:
        servers = {
            role: await stack.enter_async_context(ModelServer(turns).running())
            for role, turns in script.items()
        }
        yield Models(servers=servers, choices=choices)


def script(**changes: Sequence[Turn]) -> dict[Role, Sequence[Turn]]:
    """The tester, the coder, a guardian who sends the work back once, and the deployment agent."""
    usual: dict[str, Sequence[Turn]] = {
        "e2e_tester": written_tests(),
        "coder": [*writes(code("goodbye", "Goodbye")), *writes(code("farewell", "Farewell"))],
        "guardian": [
            Call(tool="read_file", arguments={"path": "pages/goodbye.txt"}),
            says(request_changes(BLOCKER)),
            says(request_changes(BLOCKER)),  # the second look at one's own remarks
            says(approve()),
        ],
        "deployment": [says(plan())],
    }
    return {Role(name.replace("_", "-")): turns for name, turns in (usual | changes).items()}


def written_tests() -> list[Turn]:
    """Looks, writes the test, tries it, answers."""
    looking = Call(tool="list_files", arguments={"path": "tests"})
    return [looking, *writes(e2e_test("goodbye", "Goodbye"), "cat tests/e2e/test_goodbye.py")]


def writes(files: Mapping[str, str | None], command: str = RUN_TESTS) -> list[Turn]:
    """Writes files, runs a command, answers."""
    calls = [
        Call(tool="write_file", arguments={"path": path, "content": text})
        for path, text in files.items()
    ]
    run = Call(tool="run_command", arguments={"command": command})
    return [*calls, run, Call(tool="final_result", arguments={"summary": "Written and tried."})]


def says(answer: Any) -> Call:
    """The final answer of a role."""
    return Call(tool="final_result", arguments=answer.model_dump(mode="json"))
