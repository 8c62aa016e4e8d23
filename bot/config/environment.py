"""`load_settings`: environment, files and command line become `Settings`, or all problems."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from bot.config.marks import Marked, read_marked
from bot.config.meant import KEY, meant, members, nearest
from bot.config.settings import AgentSettings, RetrySettings, Settings
from bot.errors import ConfigError

PREFIX = "CHIMERA_"
CONFIG_VARIABLE = "CHIMERA_CONFIG"
SETTINGS_FILE = "settings.yml"  #: in the data directory; `chimera setup` writes it
MAX_VALUE_FILE = 64 * 1024  #: bytes of a file that holds one value; a key has about 2,000

ALIASES: Mapping[str, tuple[str, ...]] = {
    "app_id": ("APP_ID",),
    "private_key": ("PRIVATE_KEY",),
    "client_id": ("GITHUB_CLIENT_ID",),
    "client_secret": ("GITHUB_CLIENT_SECRET",),
    "webhook_secret": ("WEBHOOK_SECRET",),
    "api_url": ("GITHUB_API_URL",),
    "database_url": ("DATABASE_URL",),
    "host": ("HOST",),
    "port": ("PORT",),
    "log_level": ("LOG_LEVEL",),
}
"""Probot's names, https://probot.github.io/docs/configuration/, by our setting."""

PATH_ALIASES = {"PRIVATE_KEY_PATH": "private_key", "CHIMERA_PRIVATE_KEY_PATH": "private_key"}
"""Names that hold the path of a file, in Probot's spelling."""

MODEL_KEYS = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "google": "GEMINI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "groq": "GROQ_API_KEY",
}
"""The variable that each provider's own library reads its key from."""

#: Settings whose value in the environment has structure.
_AS_YAML = frozenset({"agents", "retries", "phase_retries"})
#: What stands below those.
_BELOW: Mapping[str, type[BaseModel]] = {
    "agents": AgentSettings,
    "retries": RetrySettings,
    "phase_retries": RetrySettings,
}
_OWN = frozenset({CONFIG_VARIABLE, *PATH_ALIASES})
# Set for the programs we start, for the sample programs, or for the command line as a client.
_NOT_SETTINGS = frozenset(
    {"CHIMERA_ROLE", "CHIMERA_RUN_ID", "CHIMERA_RESULT", "CHIMERA_SERVER", "CHIMERA_TOKEN"}
)


@dataclass(slots=True, kw_only=True)
class _Found:
    """What has been collected: values, where each is from, and what is wrong."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    files: dict[str, Marked] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def put(self, name: str, value: Any, source: str) -> None:
        if name not in self.values:
            self.values[name] = value
            self.sources[name] = source

    def put_all(self, file: Marked) -> None:
        for name in [name for name in file.value if name not in self.values]:
            self.files[name] = file
            self.put(name, file.value[name], file.file)

    def where(self, path: tuple[str | int, ...]) -> str:
        """The place in a file, or the variable or option and what of it."""
        name, inner = str(path[0]), ".".join(str(part) for part in path[1:])
        source = str(self.files[name].place(path)) if name in self.files else self.sources.get(name)
        return (source or "settings") + (f" ({inner})" if inner else "")


def load_settings(
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """The server's settings. `overrides` holds what the command line said (None: not said).

    Raises ConfigError with every problem found.
    """
    found = _Found()
    for name, value in (overrides or {}).items():
        if value is not None:
            found.put(name, value, f"--{name.replace('_', '-')}")
    _from_environment(found, environ)
    _refuse_unknown(found, environ)
    named = environ.get(CONFIG_VARIABLE, "")
    path = file if file is not None else Path(named) if named else None
    if path is not None:
        _from_file(found, path)
    _from_data_dir(found)
    return _checked(found)


def _from_environment(found: _Found, environ: Mapping[str, str]) -> None:
    for name in Settings.model_fields:
        for variable in (PREFIX + name.upper(), *ALIASES.get(name, ())):
            value = _value_of(found, environ, variable)
            if value:
                found.put(name, _structured(found, name, variable, value), variable)
    for variable, name in PATH_ALIASES.items():
        if environ.get(variable):
            told = len(found.problems)
            value = _read(found, variable, environ[variable])
            if len(found.problems) == told:  # a file that cannot be read is one problem, not two
                found.put(name, value, variable)
    if environ.get("GHE_HOST"):
        protocol = environ.get("GHE_PROTOCOL") or "https"
        found.put("api_url", f"{protocol}://{environ['GHE_HOST']}/api/v3", "GHE_HOST")
    keys = {p: _value_of(found, environ, v) for p, v in MODEL_KEYS.items()}
    known = {provider: SecretStr(key) for provider, key in keys.items() if key}
    if known:
        found.put("model_keys", known, "the environment")


def _value_of(found: _Found, environ: Mapping[str, str], variable: str) -> str:
    """The variable's value, or that of the file which `<variable>_FILE` names; "" if neither."""
    plain, path = environ.get(variable, ""), environ.get(f"{variable}_FILE", "")
    if plain and path:
        found.problems.append(f"{variable} and {variable}_FILE are both set: unset one of them")
    return _read(found, f"{variable}_FILE", path) if path and not plain else plain


def _read(found: _Found, variable: str, name: str) -> str:
    try:
        path = Path(name).expanduser()
        if path.stat().st_size > MAX_VALUE_FILE:
            found.problems.append(f"{variable}: {name} is larger than 64 KiB: name another file")
            return ""
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "not readable as UTF-8 text"
        found.problems.append(f"{variable}: cannot read {name}: {reason}")
        return ""


def _structured(found: _Found, name: str, variable: str, value: str) -> Any:
    if name not in _AS_YAML:
        return value
    try:
        return yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):
        found.problems.append(f"{variable}: not readable as YAML or JSON: check its brackets")
        return {}


def _refuse_unknown(found: _Found, environ: Mapping[str, str]) -> None:
    """A misspelt variable would be a setting that is silently not set."""
    names = [name.upper() for name in Settings.model_fields]
    known = {PREFIX + name for name in names}
    for variable in sorted(environ):
        bare = variable.removesuffix("_FILE")
        if not variable.startswith(PREFIX) or bare in known or variable in _OWN | _NOT_SETTINGS:
            continue
        # Without the prefix, which all have in common and which makes everything look alike.
        near = nearest(bare.removeprefix(PREFIX), names)
        hint = f" Did you mean {PREFIX}{near}?" if near else " Unset it."
        found.problems.append(f"{variable}: no such setting.{hint}")


def _from_file(found: _Found, path: Path) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        found.problems.append(f"{path}: cannot read the configuration file: {error.strerror}")
        return
    try:
        found.put_all(read_marked(str(path), data))
    except ConfigError as error:
        found.problems.extend(error.problems)


def _from_data_dir(found: _Found) -> None:
    """What `chimera setup` has written, under everything that was said otherwise."""
    named = found.values.get("data_dir") or Settings.model_fields["data_dir"].default
    try:
        path = Path(named).expanduser() / SETTINGS_FILE
        is_there = path.is_file()
    except (OSError, RuntimeError, TypeError, ValueError):
        return  # a data directory that cannot be one is told by its own check
    if is_there:
        _from_file(found, path)


def _checked(found: _Found) -> Settings:
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(found.values)
    except ValidationError as error:
        found.problems.extend(_told(found, problem) for problem in error.errors())
    if settings is None or found.problems:
        raise ConfigError(found.problems)
    return settings


def _told(found: _Found, problem: ErrorDetails) -> str:
    """One problem in words; never the value, for it may be a secret."""
    path = tuple(part for part in problem["loc"] if part != KEY) or ("",)
    name, last, where = str(path[0]), str(path[-1]), found.where(path)
    if problem["type"] == "extra_forbidden":
        if len(path) == 1:
            return f"{where}: no such setting {last!r}.{meant(last, Settings.model_fields)}"
        return f"{where}: no such key {last!r}.{meant(last, _BELOW[name].model_fields)}"
    if problem["loc"][-1:] == (KEY,):
        return f"{where}: no such key {last!r}.{meant(last, members(problem))}"
    text = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    what = (Settings.model_fields[name].description or "").rstrip(".") if len(path) == 1 else ""
    return f"{where}: {text}." + (f" It is: {what}." if what else "")
