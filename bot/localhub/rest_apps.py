"""Apps: who am I, installations, tokens, the delivery log, the manifest conversion, people."""

from bot.localhub import shapes, shapes_apps
from bot.localhub.auth import new_installation_token
from bot.localhub.errors import Refused, forbidden, not_found, unprocessable
from bot.localhub.moments import stamp
from bot.localhub.state_apps import App, Delivery, Installation
from bot.localhub.types import Json
from bot.localhub.wire import EMPTY, MAX_PER_PAGE, Answer, Call, created

#: GitHub's limits for a token with 5,000 requests an hour.
RATE: Json = {"limit": 5000, "remaining": 4999, "used": 1, "reset": 0}


def _app(call: Call) -> App:
    if call.actor.app is None:
        raise Refused(401, "A JSON web token could not be decoded")
    return call.actor.app


async def meta(call: Call) -> Answer:
    return Answer(json={"verifiable_password_authentication": True})


async def rate_limit(call: Call) -> Answer:
    rate = RATE | {"reset": int(call.world.now()) + 3600}
    names = ("core", "search", "graphql", "integration_manifest")
    return Answer(json={"resources": dict.fromkeys(names, rate), "rate": rate})


async def this_app(call: Call) -> Answer:
    one = _app(call)
    count = sum(each.app is one for each in call.world.installations.values())
    return Answer(json=shapes.app(call.world, one) | {"installations_count": count})


async def app_by_slug(call: Call) -> Answer:
    for one in call.world.apps.values():
        if one.slug == call.params["app_slug"]:
            return Answer(json=shapes.app(call.world, one))
    raise not_found()


async def installations(call: Call) -> Answer:
    rows = [one for one in call.world.installations.values() if one.app is _app(call)]
    return call.page(rows, lambda one: shapes_apps.installation(call.world, one))


def _installation(call: Call) -> Installation:
    one = call.world.installations.get(call.number("installation_id"))
    if one is None or one.app is not _app(call):
        raise not_found()
    return one


async def installation(call: Call) -> Answer:
    return Answer(json=shapes_apps.installation(call.world, _installation(call)))


async def repository_installation(call: Call) -> Answer:
    rows = call.world.covering(call.repo, _app(call))
    if not rows:
        raise not_found()
    return Answer(json=shapes_apps.installation(call.world, rows[0]))


async def account_installation(call: Call) -> Answer:
    account = call.world.account(call.params["account"])
    for one in call.world.installations.values():
        if one.app is _app(call) and one.account is account:
            return Answer(json=shapes_apps.installation(call.world, one))
    raise not_found()


async def access_token(call: Call) -> Answer:
    """A token of the installation, narrowed to repositories and permissions where asked."""
    one = _installation(call)
    if one.suspended_at is not None:
        raise forbidden("This installation has been suspended")
    permissions = dict(call.body.get("permissions") or one.permissions)
    _check_held(one, permissions)
    chosen = _chosen(call, one)
    grant = new_installation_token(call.world, one, permissions, chosen)
    body: Json = {
        "token": grant.token,
        "expires_at": stamp(grant.expires_at),
        "permissions": grant.permissions,
        "repository_selection": "all" if chosen is None else "selected",
    }
    if call.body.get("repositories") or call.body.get("repository_ids"):
        repos = [call.world.repositories[number] for number in sorted(chosen or ())]
        body["repositories"] = [shapes.repository(call.world, repo) for repo in repos]
    return created(body)


def _check_held(one: Installation, asked: dict[str, str]) -> None:
    levels = {"read": 1, "write": 2, "admin": 3}
    for name, level in asked.items():
        held = levels.get({"metadata": "read", **one.permissions}.get(name, ""), 0)
        if levels.get(level, 9) > held:
            raise unprocessable("The permissions requested are not granted to this installation.")


def _chosen(call: Call, one: Installation) -> set[int] | None:
    """The repositories the token is for; None for all that the installation has."""
    names = {str(name).lower() for name in call.body.get("repositories") or ()}
    ids = set(call.body.get("repository_ids") or ())
    if not names and not ids:
        return one.repository_ids
    found = [
        repo
        for repo in call.world.installed_on(one)
        if repo.name.lower() in names or repo.id in ids
    ]
    if len(found) < len(names) + len(ids):
        raise unprocessable(
            "There is at least one repository that does not exist or is not accessible to the "
            "parent installation."
        )
    return {repo.id for repo in found}


async def installation_repositories(call: Call) -> Answer:
    one = call.actor.installation
    if one is None:
        raise forbidden("You must authenticate with an installation access token")
    rows = [repo for repo in call.world.installed_on(one) if call.actor.reaches(repo)]
    return call.page_in("repositories", rows, lambda repo: shapes.repository(call.world, repo))


async def revoke_token(call: Call) -> Answer:
    if call.actor.grant is not None:
        call.world.grants.pop(call.actor.grant.token, None)
    return EMPTY


async def hook_config(call: Call) -> Answer:
    return Answer(json=shapes_apps.hook_config(_app(call)))


async def set_hook_config(call: Call) -> Answer:
    one = _app(call)
    one.hook_url = call.optional("url", "Hook") or one.hook_url
    one.webhook_secret = call.optional("secret", "Hook") or one.webhook_secret
    return Answer(json=shapes_apps.hook_config(one))


async def deliveries(call: Call) -> Answer:
    """The delivery log, newest first, by cursor as on GitHub."""
    mine = _app(call)
    rows = [one for one in reversed(call.world.hooks.log) if one.app is mine and _is_over(one)]
    if "cursor" in call.query:
        before = call.whole("cursor", 0)
        rows = [one for one in rows if one.id < before]
    size = min(max(call.whole("per_page", 30), 1), MAX_PER_PAGE)
    headers = {}
    if len(rows) > size:
        url = f"{call.world.api}/app/hook/deliveries?per_page={size}&cursor={rows[size - 1].id}"
        headers = {"Link": f'<{url}>; rel="next"'}
    page = [shapes_apps.delivery(call.world, one) for one in rows[:size]]
    return Answer(json=page, headers=headers)


def _is_over(one: Delivery) -> bool:
    return one.status != "pending"


def _delivery(call: Call) -> Delivery:
    wanted = call.number("delivery_id")
    for one in call.world.hooks.log:
        if one.id == wanted and one.app is _app(call):
            return one
    raise not_found()


async def delivery(call: Call) -> Answer:
    return Answer(json=shapes_apps.full_delivery(call.world, _delivery(call)))


async def redeliver(call: Call) -> Answer:
    call.world.redeliver(_delivery(call))
    return Answer(status=202, json={})


async def convert_manifest(call: Call) -> Answer:
    """The one time that an App's key and secrets are told."""
    code = call.world.manifest_codes.pop(call.params["code"], None)
    if code is None or code[1] < call.world.now():
        raise not_found()
    one = code[0]
    secrets = {
        "client_id": one.client_id,
        "client_secret": one.client_secret,
        "webhook_secret": one.webhook_secret or None,
        "pem": one.pem,
    }
    return created(shapes.app(call.world, one) | secrets)


async def this_user(call: Call) -> Answer:
    if call.actor.via != "user":
        raise forbidden()
    return Answer(json=shapes.public_user(call.world, call.who))


async def user(call: Call) -> Answer:
    return Answer(json=shapes.public_user(call.world, call.world.account(call.params["username"])))
