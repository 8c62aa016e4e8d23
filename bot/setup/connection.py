"""What the doctor asks as the App: is GitHub there, does the key work, does it reach us."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime

import httpx

from bot.config.settings import Settings
from bot.errors import AuthFailed, Refused, StepError
from bot.github.app import App
from bot.github.app_jwt import BACKDATE_S, LIFE_S
from bot.github.app_types import AppInfo, HookConfig, HookDelivery, Installation
from bot.setup.finding import Finding, Mark, bad, good, warning
from bot.setup.registration import manifest_of
from bot.setup.wish import HOOK_PATH, Permit

AREA = "github"
ASK_S = 10.0
BEARABLE_SKEW_S = 30.0
LOOKED_AT = 50  #: deliveries, the newest
LOW_SHARE = 0.1  #: of the hour's requests
_LEVELS = {"": 0, "read": 1, "write": 2, "admin": 3}


async def clock(settings: Settings, *, now: Callable[[], float] = time.time) -> Finding:
    """Whether GitHub answers, and how far its clock is from ours; needs no credential."""
    url = f"{settings.api_url}/meta"
    try:
        async with httpx.AsyncClient(timeout=ASK_S) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        return Finding(
            area=AREA,
            mark=Mark.BAD,
            text=f"{settings.api_url} does not answer ({type(error).__name__})",
            fix="Check the network, the proxy (HTTPS_PROXY) and CHIMERA_API_URL.",
            unreachable=True,
        )
    return skew(answer.headers.get("date", ""), now())


def skew(date: str, now: float) -> Finding:
    """What a `Date` header says about our clock; `now` in Unix seconds."""
    try:
        ahead_s = now - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return warning(AREA, "it answers without a date, so the clock is not compared", "")
    fix = "Have the clock set by NTP: `timedatectl set-ntp true`."
    text = f"our clock is {abs(ahead_s):.0f} s {'ahead' if ahead_s > 0 else 'behind'}"
    if ahead_s > BACKDATE_S or ahead_s < -LIFE_S:
        return bad(AREA, f"{text}, and GitHub refuses what we sign", fix)
    if abs(ahead_s) > BEARABLE_SKEW_S:
        return warning(AREA, text, fix)
    return good(AREA, "it answers, and the clocks agree")


async def the_app(app: App, settings: Settings) -> tuple[AppInfo | None, list[Finding]]:
    """The App, if its key works, and what it was given."""
    try:
        info = await app.info()
    except Refused as error:
        text = f"{settings.api_url} knows no App {settings.app_id}: {error}"
        fix = "Set CHIMERA_APP_ID to the number on the App's page, CHIMERA_API_URL to its GitHub."
        return None, [bad(AREA, text, fix)]
    except AuthFailed as error:
        fix = f"Make a new key on the App's page of {settings.hub_url}, or run `chimera setup`."
        return None, [bad(AREA, f"the key of App {settings.app_id} is not accepted: {error}", fix)]
    asked = dict(info.permissions)
    told = [good(AREA, f"the key works: {info.name} ({info.html_url})")]
    page = settings_page(info, settings.hub_url)
    told += _permissions(asked, page)
    told += _events(info, page)
    return info, told


async def hook(app: App, settings: Settings) -> list[Finding]:
    """Where deliveries go, and what became of the last ones."""
    try:
        config = await app.hook()
        delivered = await app.deliveries(limit=LOOKED_AT)
    except Refused as error:
        return [warning("webhook", f"GitHub does not say: {error}", "Switch the App's webhook on.")]
    return [*_hook_config(config, settings), _deliveries(delivered)]


def settings_page(info: AppInfo, hub: str) -> str:
    """Where the App's permissions and events are changed."""
    owner = f"/organizations/{info.owner}" if info.of_organisation else ""
    return f"{hub}{owner}/settings/apps/{info.slug}/permissions"


def granted(installation: Installation, info: AppInfo) -> Iterator[Finding]:
    """What an account has granted, against what the App asks for now."""
    area = f"installation on {installation.account}"
    if installation.suspended:
        yield warning(area, "is suspended: nothing happens there", "Its owner can unsuspend it.")
        return
    held = dict(installation.permissions)
    short = _short(dict(info.permissions), held)
    if short:
        text = f"has not granted {', '.join(short)}"
        yield bad(area, text, "Its owner accepts the new permissions in the App's installation.")
    else:
        yield good(area, "has granted all that the App asks for")


async def allowance(app: App, installation: Installation) -> Finding:
    """What is left of the hour's requests."""
    area = f"installation on {installation.account}"
    try:
        left = await app.allowance(installation.id)
    except Refused:
        return good(area, "has no rate limit")  # Enterprise Server: off unless switched on
    text = f"{left.remaining} of {left.limit} requests are left this hour"
    if left.remaining > left.limit * LOW_SHARE:
        return good(area, text)
    minutes = max(0, round((left.resets_at - time.time()) / 60))
    return warning(area, text, f"Work goes on by itself in {minutes} minutes.")


def unanswered(error: StepError) -> Finding:
    """GitHub stopped answering in the middle."""
    fix = "Try again; https://www.githubstatus.com tells about outages."
    return Finding(area=AREA, mark=Mark.BAD, text=str(error), fix=fix, unreachable=True)


def _permissions(asked: Mapping[str, str], page: str) -> Iterator[Finding]:
    least = _short(manifest_of(Permit.LEAST)["default_permissions"], asked)
    standard = _short(manifest_of(Permit.STANDARD)["default_permissions"], asked)
    if least:
        fix = f"Add {', '.join(least)}: {page}"
        yield bad(AREA, "the App asks for too little to work", fix)
    elif standard:
        fix = f"For deployments by workflows add {', '.join(standard)}: {page}"
        yield warning(AREA, "the App cannot deploy by Actions workflows", fix)
    else:
        yield good(AREA, "the App asks for the permissions that it needs")
    too_much = sorted({"administration", "secrets", "workflows"} & set(asked))
    if too_much:
        fix = f"Take it away, for Chimera never needs it: {page}"
        yield warning(AREA, f"the App has {', '.join(too_much)}", fix)


def _short(needed: Mapping[str, str], held: Mapping[str, str]) -> list[str]:
    """`name: level` of what is needed and not held."""
    return [
        f"{name}: {level}"
        for name, level in sorted(needed.items())
        if _LEVELS.get(held.get(name, ""), 0) < _LEVELS.get(level, 0)
    ]


def _events(info: AppInfo, page: str) -> Iterator[Finding]:
    least = _missing(manifest_of(Permit.LEAST)["default_events"], info.events)
    standard = _missing(manifest_of(Permit.STANDARD)["default_events"], info.events)
    if least:
        fix = f"Subscribe to them: {page}"
        yield bad(AREA, f"the App does not hear of {', '.join(least)}", fix)
    elif standard:
        fix = f"If workflows deploy or merges queue, subscribe to them: {page}"
        yield warning(AREA, f"the App does not hear of {', '.join(standard)}", fix)
    else:
        yield good(AREA, "the App hears of the events that it needs")


def _missing(wanted: Iterable[str], held: Iterable[str]) -> list[str]:
    return sorted(set(wanted) - set(held))


def _hook_config(config: HookConfig, settings: Settings) -> Iterator[Finding]:
    area = "webhook"
    if not config.url or "//example.com/" in config.url:
        fix = "Set its address in the App's settings; until then labels are found by looking."
        yield warning(area, "it leads nowhere", fix)
        return
    ours = f"{settings.public_url}{HOOK_PATH}" if settings.public_url else ""
    if ours and config.url != ours:
        fix = "Make CHIMERA_PUBLIC_URL and the App's webhook address agree."
        yield warning(area, f"goes to {config.url}, and this server is {ours}", fix)
    else:
        yield good(area, f"goes to {config.url}")
    if not config.has_secret:
        yield bad(area, "is not signed", "Set the same secret there and in CHIMERA_WEBHOOK_SECRET.")
    if config.content_type != "json":
        fix = "Set its content type to application/json."
        yield bad(area, f"sends {config.content_type}, which is refused", fix)
    if config.insecure_ssl:
        yield bad(area, "does not verify certificates", "Switch SSL verification on.")


def _deliveries(delivered: Iterable[HookDelivery]) -> Finding:
    """By GUID, so that a redelivery that went well has mended the first attempt."""
    newest: dict[str, HookDelivery] = {}
    for one in delivered:
        newest.setdefault(one.guid, one)
    failed = [one for one in newest.values() if not 200 <= one.status_code < 300]
    if not newest:
        return warning("webhook", "nothing was delivered in three days", "Label an issue.")
    if not failed:
        return good("webhook", f"the last {len(newest)} deliveries arrived")
    said = ", ".join(sorted({str(one.status_code or "no answer") for one in failed}))
    text = f"{len(failed)} of the last {len(newest)} deliveries failed ({said})"
    fix = f"{_HINTS.get(failed[0].status_code, _HINT)} Then `chimera deliveries sweep`."
    make = bad if len(failed) == len(newest) else warning
    return make("webhook", text, fix)


_HINT = "Is the server up, and does its public address lead to it?"
_HINTS = {
    401: "The secrets of GitHub and CHIMERA_WEBHOOK_SECRET differ.",
    404: f"The address must end in {HOOK_PATH}.",
    415: "Set the webhook's content type to application/json.",
}
