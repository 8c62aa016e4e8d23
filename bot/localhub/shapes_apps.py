"""Installations and deliveries as GitHub's JSON."""

from bot.localhub.moments import iso, stamp
from bot.localhub.shapes import user
from bot.localhub.state_apps import App, Delivery, Installation
from bot.localhub.types import Json
from bot.localhub.webhooks import hook_id
from bot.localhub.world import World


def installation(world: World, one: Installation) -> Json:
    """An installation of an App on an account."""
    url = f"{world.api}/app/installations/{one.id}"
    return {
        "id": one.id,
        "account": user(world, one.account),
        "repository_selection": "all" if one.repository_ids is None else "selected",
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{world.api}/installation/repositories",
        "html_url": f"{world.base_url}/settings/installations/{one.id}",
        "app_id": one.app.id,
        "client_id": one.app.client_id,
        "app_slug": one.app.slug,
        "target_id": one.account.id,
        "target_type": one.account.kind,
        "permissions": one.permissions,
        "events": one.events,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": user(world, one.suspended_by) if one.suspended_by else None,
        "suspended_at": iso(one.suspended_at),
    }


def delivery(world: World, one: Delivery) -> Json:
    """A line of the delivery log."""
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": stamp(one.delivered_at or one.created_at),
        "redelivery": one.redelivery,
        "duration": one.duration,
        "status": one.status,
        "status_code": one.status_code,
        "event": one.event,
        "action": one.action,
        "installation_id": one.installation_id,
        "repository_id": one.repository_id,
        "throttled_at": None,
    }


def full_delivery(world: World, one: Delivery) -> Json:
    """A line of the delivery log with request and response."""
    return delivery(world, one) | {
        "url": one.app.hook_url,
        "request": {"headers": one.request_headers or None, "payload": one.payload},
        "response": {
            "headers": one.response_headers or None,
            "payload": one.response_body or None,
        },
    }


def hook_config(one: App) -> Json:
    """Where an App's webhooks go; the secret is masked as GitHub masks it."""
    return {
        "content_type": "json",
        "insecure_ssl": "0",
        "secret": "********",
        "url": one.hook_url,
    }


def ping(world: World, one: App) -> Json:
    """The payload of an App's first delivery."""
    return {
        "zen": "Keep it logically awesome.",
        "hook_id": hook_id(one),
        "hook": {
            "type": "App",
            "id": hook_id(one),
            "name": "web",
            "active": one.hook_active,
            "events": one.events,
            "config": hook_config(one),
            "updated_at": stamp(one.created_at),
            "created_at": stamp(one.created_at),
            "app_id": one.id,
            "deliveries_url": f"{world.api}/app/hook/deliveries",
        },
    }
