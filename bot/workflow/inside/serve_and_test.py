"""Serve an application, run tests against it, and report; runs inside the cage.

    python serve_and_test.py REPORT.json TEST [SERVE READY_PATH SECONDS]

The tests get `E2E_BASE_URL`, which leads to the application through a forwarder that counts
connections: tests that never asked the application anything prove nothing about it. The exit
code is the tests'. 97 says that the application never became ready.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from typing import IO

NOT_READY = 97
TAIL = 8_000


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Forwarder:
    """Listens on a port of its own and passes every connection on to the application."""

    def __init__(self, to_port: int) -> None:
        self.connections = 0
        self._to = to_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            self.connections += 1
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._to), timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        threading.Thread(target=pump, args=(server, client), daemon=True).start()
        pump(client, server)


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()


def ready(url: str, app: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the application answers below 500 before the deadline, and is still alive."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and app.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own loopback
                return True
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500:
                return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def serve(command: str, log: IO[bytes]) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    line = command.replace("{port}", str(port))
    env = os.environ | {"PORT": str(port)}
    app = subprocess.Popen(  # noqa: S602 - the repository's own line, in the cage
        line, shell=True, stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True
    )
    return app, port


def run_tests(command: str, base_url: str) -> int:
    env = os.environ | ({"E2E_BASE_URL": base_url} if base_url else {})
    # The repository's own line, in the cage.
    return subprocess.run(command, shell=True, env=env, check=False).returncode  # noqa: S602 - as above


def tail(log: IO[bytes]) -> str:
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - TAIL))
    return log.read().decode("utf-8", "replace")


def main(report: str, test: str, command: str = "", path: str = "/", seconds: str = "30") -> int:
    told: dict[str, object] = {"served": bool(command), "ready": None, "connections": None}
    if not command:
        code = run_tests(test, "")
    else:
        with tempfile.TemporaryFile() as log:
            app, port = serve(command, log)
            forwarder = Forwarder(port)
            told["ready"] = ready(f"http://127.0.0.1:{port}{path}", app, float(seconds))
            base_url = f"http://127.0.0.1:{forwarder.port}"
            code = run_tests(test, base_url) if told["ready"] else NOT_READY
            told |= {"connections": forwarder.connections, "exited": app.poll()}
            if app.poll() is None:
                os.killpg(app.pid, signal.SIGKILL)
            app.wait()
            told["log"] = tail(log)
    with open(report, "w", encoding="utf-8") as out:
        json.dump(told | {"exit": code}, out)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
