"""Deliveries as GitHub sends them: a documented payload, signed."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from tests.web.house import SECRET

GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def labeled(**changes: Any) -> dict[str, Any]:
    """The payload of `issues.labeled`, cut to what matters here."""
    user = {"login": "octocat", "id": 1, "type": "User"}
    return {
        "action": "labeled",
        "label": {"name": "chimera"},
        "issue": {
            "number": 3,
            "title": "Add logout",
            "body": "A button.",
            "user": user,
            "state": "open",
            "labels": [{"name": "chimera"}],
            "html_url": "https://github.com/octo/shop/issues/3",
        },
        "repository": {
            "id": 7,
            "name": "shop",
            "full_name": "octo/shop",
            "default_branch": "main",
            "owner": {"login": "octo", "id": 2, "type": "User"},
        },
        "sender": user,
        "installation": {"id": 99},
        **changes,
    }


def body_of(payload: Any) -> bytes:
    return json.dumps(payload).encode()


def raw(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    """Headers as a server hands them on."""
    return {
        name.lower().encode(): value.encode("utf-8", "surrogateescape")
        for name, value in headers.items()
    }


def headers_for(body: bytes, **changes: str | None) -> dict[str, str]:
    """The headers of a delivery; None takes one away."""
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers: dict[str, str | None] = {
        "x-github-delivery": GUID,
        "x-github-event": "issues",
        "x-hub-signature-256": f"sha256={signature}",
        "content-type": "application/json",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return {name: value for name, value in headers.items() if value is not None}
