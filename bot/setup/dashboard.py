"""What the doctor sees of the ways into the dashboard: sign-in with GitHub, a proxy's header."""

from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

from bot.config.settings import Settings
from bot.setup.finding import Finding, bad, good, warning
from bot.setup.wish import LOOPBACK
from bot.web.parts import PROXY_FIX

AREA = "dashboard"


def dashboard(settings: Settings) -> Iterator[Finding]:
    """Ways in that are half set up, and those that are too wide."""
    yield from _sign_in(settings)
    if settings.proxy_header:
        yield from _proxy(settings)
    public = urlsplit(settings.public_url)
    if public.scheme == "http" and public.hostname not in LOOPBACK:
        fix = "Put a proxy with TLS in front, and name its https:// address."
        yield warning(AREA, f"{settings.public_url} has no TLS: sessions can be overheard", fix)


def _sign_in(settings: Settings) -> Iterator[Finding]:
    if settings.client_secret is None:
        return
    needed = {"CHIMERA_CLIENT_ID": settings.client_id, "CHIMERA_PUBLIC_URL": settings.public_url}
    missing = [variable for variable, value in needed.items() if not value]
    if missing:
        fix = f"Set {' and '.join(missing)}, or `chimera setup` with the server's address."
        yield warning(AREA, "people cannot sign in with GitHub", fix)
    else:
        yield good(AREA, f"people sign in with GitHub at {settings.public_url}")


def _proxy(settings: Settings) -> Iterator[Finding]:
    header = settings.proxy_header
    if settings.app_id is None or settings.private_key is None:
        yield bad(AREA, f"the header {header} is not believed, for no App is connected", PROXY_FIX)
    if any(ip_network(one).prefixlen == 0 for one in settings.proxies):
        fix = "Name your proxies' addresses in CHIMERA_PROXIES."
        yield warning(AREA, f"whoever reaches this server can name anybody in {header}", fix)
