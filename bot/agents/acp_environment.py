"""How coding agents learn that their model is behind the gateway: by their environment alone.

Every program gets all of these; it reads its own and ignores the others. The value of a key only
has to be there: the gateway throws it away.
"""

import json
from collections.abc import Mapping

from bot.agents.gateway import PORT
from bot.agents.gateway_dialects import Family

HOME = "/run/home"  #: a private tmpfs; codex refuses to work with a home under /tmp
NO_KEY = "the-gateway-has-the-key"
_GATEWAY = f"http://127.0.0.1:{PORT}"


def environment(family: Family, model: str) -> dict[str, str]:
    """Variables for a program that is to use `model` of a provider of `family`."""
    return _OF[family](model)


def _openai(model: str) -> dict[str, str]:
    base = f"{_GATEWAY}/v1"
    return {
        "OPENAI_API_KEY": NO_KEY,
        "OPENAI_BASE_URL": base,
        "OPENAI_MODEL": model,  # Qwen Code
        "CODEX_API_KEY": NO_KEY,
        "CODEX_CONFIG": json.dumps(_codex(model, base)),
        "MODEL_PROVIDER": "chimera",
        "INITIAL_AGENT_MODE": "agent-full-access",  # codex's own sandbox cannot nest in ours
        "NO_BROWSER": "1",
        **_opencode("@ai-sdk/openai-compatible", model, base),
    }


def _codex(model: str, base: str) -> Mapping[str, object]:
    provider = {
        "name": "chimera",
        "base_url": base,
        "wire_api": "responses",
        "env_key": "OPENAI_API_KEY",
        "requires_openai_auth": False,
        "request_max_retries": 1,
        "stream_max_retries": 1,
    }
    return {
        "model": model,
        "model_provider": "chimera",
        "model_providers": {"chimera": provider},
        "sandbox_mode": "danger-full-access",
        "approval_policy": "never",
        "shell_environment_policy": {"inherit": "core"},
        "check_for_update_on_startup": False,
        "analytics": {"enabled": False},
    }


def _anthropic(model: str) -> dict[str, str]:
    return {
        "ANTHROPIC_API_KEY": NO_KEY,
        "ANTHROPIC_BASE_URL": _GATEWAY,
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_SMALL_FAST_MODEL": model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": model,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "API_TIMEOUT_MS": "600000",
        **_opencode("@ai-sdk/anthropic", model, f"{_GATEWAY}/v1"),
    }


def _google(model: str) -> dict[str, str]:
    return {
        "GEMINI_API_KEY": NO_KEY,
        "GOOGLE_GEMINI_BASE_URL": _GATEWAY,
        "GEMINI_MODEL": model,
        "GEMINI_DEFAULT_AUTH_TYPE": "gemini-api-key",
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }


def _opencode(package: str, model: str, base: str) -> dict[str, str]:
    """OpenCode carries these two client packages; any other it would fetch from npm."""
    known = {"name": model, "tool_call": True, "limit": {"context": 200_000, "output": 32_000}}
    provider = {
        "npm": package,
        "options": {"baseURL": base, "apiKey": NO_KEY},
        "models": {model: known},
    }
    config = {
        "model": f"chimera/{model}",
        "small_model": f"chimera/{model}",
        "provider": {"chimera": provider},
        "enabled_providers": ["chimera"],
        "autoupdate": False,
        "share": "disabled",
        "permission": {"edit": "allow", "bash": "allow", "webfetch": "deny"},
        "lsp": False,
        "formatter": False,
    }
    return {"OPENCODE_CONFIG_CONTENT": json.dumps(config), "OPENCODE_DISABLE_MODELS_FETCH": "1"}


_OF = {Family.OPENAI: _openai, Family.ANTHROPIC: _anthropic, Family.GOOGLE: _google}
