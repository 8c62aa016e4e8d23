"""The server's own chimera.yml, which lies under every repository's."""

from bot.config.layers import load_repo_config
from bot.config.settings import Settings
from bot.errors import ConfigError

VARIABLE = "CHIMERA_REPO_DEFAULTS"


def server_layer(settings: Settings) -> tuple[str, bytes] | None:
    """The layer that it is, or None where the server has none; it reads the disk.

    Raises ConfigError where it cannot count: every task would wait because of it, everywhere.
    """
    path = settings.repo_defaults
    if path is None:
        return None
    try:
        layer = str(path), path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{VARIABLE}: cannot read {path}: {error.strerror}") from error
    load_repo_config([layer])
    return layer
