"""Tables of every key of chimera.yml and every setting of a server."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from bot.config.environment import ALIASES, MODEL_KEYS, PATH_ALIASES, PREFIX
from bot.config.repo import AgentChoice, Agents, RepoConfig
from bot.config.safety import rule_for
from bot.config.settings import AgentSettings, Settings
from tests.docs.blocks import code, table
from tests.docs.source import attributes, says

NO_EFFECT = " **No effect in this version.**"

#: Keys whose last part other things are called, too, and what the source says where they are read.
SIGNS: Mapping[str, str] = {
    "deploy.production.order": r"DeployOrder\.",
    **{
        f"agents.{role}.{key}": r"config\.agents\b"
        for role in Agents.model_fields
        for key in AgentChoice.model_fields
    },
}
#: Settings that are read inside `Settings` itself, by its properties and validators.
INSIDE = frozenset(
    [
        *("api_auth", "webhook_secret", "webhook_secret_previous", "profile", "database_url"),
        *("max_concurrent", "min_concurrent", "phase_retries"),
    ]
)


def chimera_yml() -> str:
    """One table a section: key, default, whether it only tightens, and what it means."""
    return "\n\n".join(_sections())


def settings() -> str:
    """Every setting of a server, with its variable and its default."""
    rows = [
        [
            code(PREFIX + name.upper()),
            code(_default(field.get_default(call_default_factory=True))),
            _meaning(name, field),
        ]
        for name, field in Settings.model_fields.items()
        if name != "model_keys"  # told by the variables of the providers
    ]
    return table(["Variable", "Default", "Meaning"], rows)


def agent_settings() -> str:
    """What `agents` holds for one role."""
    rows = [
        [
            code(name),
            code(_default(field.get_default(call_default_factory=True))),
            field.description or "",
        ]
        for name, field in AgentSettings.model_fields.items()
    ]
    return table(["Key", "Default", "Meaning"], rows)


def aliases() -> str:
    """Other names of settings, and the variables of the model providers' keys."""
    rows = [
        [code(other), code(PREFIX + n.upper())] for n, many in ALIASES.items() for other in many
    ]
    rows += [
        [code(other), f"a file with {code(PREFIX + n.upper())}"]
        for other, n in PATH_ALIASES.items()
    ]
    rows += [[code("GHE_HOST"), f"{code(PREFIX + 'API_URL')}: the API of that Enterprise Server"]]
    rows += [
        [code(key), f"the key for models named {code(f'{who}:…')}"]
        for who, key in MODEL_KEYS.items()
    ]
    return table(["Also read", "Is"], rows)


def unread_keys() -> list[str]:
    """Keys of chimera.yml that are checked, and that nothing acts on in this version."""
    return [key for key, _ in keys(RepoConfig, "") if not _read(key)]


def keys(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Any]]:
    """Every leaf of a model by its dotted key, with its field."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys(kind, f"{key}.")
        else:
            yield key, field


def _sections() -> Iterator[str]:
    defaults = RepoConfig().model_dump(mode="json", by_alias=True)
    plain = [(key, field) for key, field in keys(RepoConfig, "") if "." not in key]
    yield _section("The top of the file", RepoConfig.__doc__ or "", plain, defaults)
    for name, field in RepoConfig.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            inner = list(keys(kind, f"{name}."))
            yield _section(f"`{name}`", field.description or "", inner, defaults)


def _section(title: str, says: str, fields: list[tuple[str, Any]], defaults: dict[str, Any]) -> str:
    rows = [
        [
            code(key),
            code(json.dumps(_at(defaults, key), ensure_ascii=False)),
            "tightens" if rule_for(tuple(key.split("."))) else "",
            (field.description or "") + ("" if _read(key) else NO_EFFECT),
        ]
        for key, field in fields
    ]
    return f"### {title}\n\n{says}\n\n" + table(["Key", "Default", "Safety", "Meaning"], rows)


def _read(key: str) -> bool:
    """Whether some room makes use of the key."""
    if key in SIGNS:
        return says(SIGNS[key])
    leaf = {"deploy.production.validate": "revalidate"}.get(key, key.rpartition(".")[2])
    return key == "version" or leaf in attributes()


def _meaning(name: str, field: Any) -> str:
    read = name in attributes() - {"database_url"} or name in INSIDE
    return (field.description or "") + ("" if read else NO_EFFECT)


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value in ("", (), {}):
        return ""
    return str(value)


def _at(values: dict[str, Any], key: str) -> Any:
    here: Any = values
    for part in key.split("."):
        here = here[part]
    return here
