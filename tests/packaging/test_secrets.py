"""A webhook secret is changed without losing a delivery: docs/how-to/change-a-secret.md."""

import hashlib
import hmac
import uuid
from pathlib import Path

import httpx

from bot.demo.ports import free_port
from tests.bench import spawned

OLD, NEW = "the secret until today", "the secret from today on"
BODY = b'{"zen":"Keep it logically awesome."}'


def answered(port: int, secret: str) -> int:
    """The status of a ping that is signed with this secret."""
    signature = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "x-github-event": "ping",
        "x-github-delivery": str(uuid.uuid4()),
        "x-hub-signature-256": f"sha256={signature}",
    }
    with httpx.Client(trust_env=False, timeout=60) as client:
        url = f"http://127.0.0.1:{port}/webhook"
        return client.post(url, content=BODY, headers=headers).status_code


def served(folder: Path, given: dict[str, str]) -> list[int]:
    """What a server with these settings answers to the old secret and to the new one."""
    folder.mkdir()
    port = free_port()
    with spawned.server(port, folder, {"CHIMERA_WEBHOOK_SECRET": "", **given}) as server:
        spawned.until_alive(server, port, folder)
        return [answered(port, OLD), answered(port, NEW)]


def test_both_secrets_count_while_it_is_changed_and_one_afterwards(tmp_path: Path) -> None:
    for name, secret in (("now", NEW), ("previous", OLD)):
        (tmp_path / name).write_text(f"{secret}\n")
    now = {"CHIMERA_WEBHOOK_SECRET_FILE": str(tmp_path / "now")}
    previous = {"CHIMERA_WEBHOOK_SECRET_PREVIOUS_FILE": str(tmp_path / "previous")}
    assert served(tmp_path / "meanwhile", now | previous) == [202, 202]
    assert served(tmp_path / "afterwards", now) == [401, 202]
