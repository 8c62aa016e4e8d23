"""`chimera doctor` on this machine: files, directories, agents; no hub is asked."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.config.environment import load_settings
from bot.errors import ConfigError
from bot.setup.doctor import Wanted, examine
from bot.setup.finding import Mark

MODEL = {"CHIMERA_MODEL": "anthropic:claude-x", "ANTHROPIC_API_KEY": "sk-canary"}


async def told(environ: Mapping[str, str], mark: Mark = Mark.BAD) -> str:
    """What is wrong with a server that is set up like this."""
    settings = load_settings(environ)
    found = [one async for one in examine(settings, environ, Wanted(offline=True))]
    return "\n".join(f"{one.area}: {one.text} → {one.fix}" for one in found if one.mark is mark)


@pytest.mark.parametrize(
    "variable",
    [
        "CHIMERA_CLIENT_SECRET_FILE",
        "WEBHOOK_SECRET_FILE",
        "DATABASE_URL_FILE",
        "PRIVATE_KEY_PATH",
        "ANTHROPIC_API_KEY_FILE",
    ],
)
async def test_every_file_that_holds_a_secret_is_its_owners(tmp_path: Path, variable: str) -> None:
    file = tmp_path / "secret"
    file.write_text("-----BEGIN PRIVATE KEY-----\n" if "PATH" in variable else "postgresql://h/d")
    file.chmod(0o644)
    environ = {"CHIMERA_DATA_DIR": str(tmp_path / "data"), variable: str(file)}
    assert f"{file} can be used by others (0644) → chmod 600 {file}" in await told(environ)
    file.chmod(0o600)
    assert str(file) not in await told(environ)


async def test_a_file_of_settings_is_looked_at_when_there_is_a_secret_in_it(tmp_path: Path) -> None:
    file = tmp_path / "server.yml"
    file.touch(0o644)
    file.write_text("port: 8001\n")
    environ = {"CHIMERA_DATA_DIR": str(tmp_path / "data"), "CHIMERA_CONFIG": str(file)}
    assert str(file) not in await told(environ)
    file.write_text("webhook_secret: thirty-two characters, or more of it\n")
    assert f"chmod 600 {file}" in await told(environ)


async def test_a_secret_that_is_empty_is_none(tmp_path: Path) -> None:
    (tmp_path / "settings.yml").write_text('webhook_secret: ""\n')
    assert "no webhook secret" in await told({"CHIMERA_DATA_DIR": str(tmp_path)})


async def test_a_variable_that_is_set_to_nothing_names_no_file(tmp_path: Path) -> None:
    environ = {"CHIMERA_DATA_DIR": str(tmp_path), "CHIMERA_WEBHOOK_SECRET_FILE": ""}
    assert "files:" not in await told(environ)


async def test_a_proxys_header_that_nobody_believes_is_told(tmp_path: Path) -> None:
    environ = {"CHIMERA_DATA_DIR": str(tmp_path), "CHIMERA_PROXY_HEADER": "X-User"}
    assert "dashboard: the header X-User is not believed, for no App" in await told(environ)
    app = {"CHIMERA_APP_ID": "7", "CHIMERA_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----"}
    assert "X-User" not in await told(environ | app)
    everybody = environ | app | {"CHIMERA_PROXIES": "10.0.0.1,::/0"}
    assert "can name anybody in X-User → Name your proxies'" in await told(everybody, Mark.WARNING)


async def test_a_sign_in_that_is_half_set_up_is_told(tmp_path: Path) -> None:
    environ = {"CHIMERA_DATA_DIR": str(tmp_path), "CHIMERA_CLIENT_SECRET": "a-secret"}
    assert "Set CHIMERA_CLIENT_ID and CHIMERA_PUBLIC_URL" in await told(environ, Mark.WARNING)
    environ |= {"CHIMERA_CLIENT_ID": "Iv1", "CHIMERA_PUBLIC_URL": "http://chimera.test"}
    assert "sign in with GitHub" in await told(environ, Mark.GOOD)
    found = await told(environ, Mark.WARNING)
    assert "http://chimera.test has no TLS" in found
    assert "sign in" not in found
    environ["CHIMERA_PUBLIC_URL"] = "http://127.0.0.1:8000"
    assert "dashboard" not in await told(environ, Mark.WARNING)


async def test_a_data_directory_that_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "below"):
        found = await told({"CHIMERA_DATA_DIR": str(path)})
        assert f"{file} is a file, and the data directory is {path}" in found
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chmod(shared, 0o707)
    assert f"chmod go-w {shared}" in await told({"CHIMERA_DATA_DIR": str(shared)})


async def test_the_servers_own_chimera_yml_is_read(tmp_path: Path) -> None:
    file = tmp_path / "defaults.yml"
    environ = {"CHIMERA_DATA_DIR": str(tmp_path), "CHIMERA_REPO_DEFAULTS": str(file)}
    assert f"CHIMERA_REPO_DEFAULTS: cannot read {file}: No such file" in await told(environ)
    file.write_text("limits: {roundz: 3}\n")
    assert f"{file}:1:10: unknown key 'roundz'. Did you mean 'rounds'?" in await told(environ)
    file.write_text("limits: {rounds: 3}\n")
    assert "roundz" not in await told(environ)
    assert f"{file} is valid" in await told(environ, Mark.GOOD)


@pytest.mark.parametrize(
    ("agents", "problem", "fix"),
    [
        ({"model": "antropic:claude-x"}, "no provider is called 'antropic'", "anthropic:claude-x?"),
        ({"model": "claude-x"}, "'claude-x' names no provider", "such as anthropic:claude-x"),
        ({"model": "openai-chat:gpt"}, "no key for openai", "Set OPENAI_API_KEY, or"),
        ({"fallback": "openai:gpt"}, "no key for openai", "Set OPENAI_API_KEY"),
        ({"fallback_agent": {"model": "groq:x"}}, "no key for groq", "Set GROQ_API_KEY"),
        ({"use": "acp", "command": ["no-such-agent"]}, "no-such-agent was not found", "Install it"),
        ({"use": "command", "command": ["/no/such"]}, "/no/such was not found", "its whole path"),
        ({"use": "command", "command": ["no-such", "-x"]}, "no-such was not found", "Install it"),
    ],
)
async def test_what_an_agent_lacks_is_named(
    tmp_path: Path, agents: dict[str, Any], problem: str, fix: str
) -> None:
    environ = {"CHIMERA_DATA_DIR": str(tmp_path), **MODEL}
    assert "agents:" not in await told(environ)
    found = await told(environ | {"CHIMERA_AGENTS": str({"coder": agents})})
    [line] = [line for line in found.splitlines() if line.startswith("agents:")]
    assert problem in line
    assert fix in line


@pytest.mark.parametrize("line", ["true", "cd web && npm run agent", "FOO=1 agent"])
async def test_a_line_for_the_shell_is_left_to_the_shell(tmp_path: Path, line: str) -> None:
    agents = str({"coder": {"use": "command", "command": [line]}})
    environ = {"CHIMERA_DATA_DIR": str(tmp_path), **MODEL, "CHIMERA_AGENTS": agents}
    assert "agents:" not in await told(environ)


async def test_a_provider_that_is_not_known_here_is_no_mistake(tmp_path: Path) -> None:
    environ = {"CHIMERA_DATA_DIR": str(tmp_path), "CHIMERA_MODEL": "deepseek:deepseek-chat"}
    assert "agents:" not in await told(environ)
    assert "deepseek is a provider whose key is not known" in await told(environ, Mark.WARNING)


def test_an_address_of_a_model_that_is_none_is_refused_at_once() -> None:
    agents = str({"coder": {"model": "openai:gpt", "base_url": "nonsense"}})
    with pytest.raises(ConfigError, match=r"CHIMERA_AGENTS \(coder.base_url\): must be a whole"):
        load_settings({"CHIMERA_AGENTS": agents})
