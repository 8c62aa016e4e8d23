"""`chimera serve` as it is started, in a process of its own, and a webhook for it."""

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.bench import wire

WITHIN_S = 60.0
LOOK_S = 0.05
NOTHING: Mapping[str, str] = {}


@contextlib.contextmanager
def server(
    port: int, folder: Path, more: Mapping[str, str] = NOTHING, *, within: Sequence[str] = ()
) -> Iterator["subprocess.Popen[bytes]"]:
    """A fresh server on a fresh data directory; its log is `folder/log`.

    `within` is what execs it, such as `taskset`.
    """
    env = {
        **os.environ,
        "CHIMERA_WEBHOOK_SECRET": wire.SECRET,
        "CHIMERA_DATA_DIR": str(folder / "data"),
        **more,
    }
    argv = [*within, sys.executable, "-m", "bot", "serve", "--port", str(port)]
    with (folder / "log").open("wb") as lines:
        process = subprocess.Popen(argv, env=env, stdout=lines, stderr=lines)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(WITHIN_S)


def delivered(port: int, label: str = "chimera") -> int:
    """The status of a signed delivery; 0 while nobody listens."""
    body = wire.encode(wire.labeled(1, label))
    return _status(port, "POST", "/webhook", body, wire.headers("issues", body))


def until_alive(process: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    """Return when the house behind the door answers."""
    deadline = time.monotonic() + WITHIN_S
    while _status(port, "GET", "/livez", b"", NOTHING) != 200:
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(LOOK_S)


def _status(port: int, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    except ConnectionError:
        return 0
    finally:
        connection.close()
