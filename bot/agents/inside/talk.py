"""Runs a program whose standard input and output are a unix socket that leads outside.

    talk.py SOCKET HOME -- COMMAND ARG ...

The cage gives a program its input all at once; one that is talked with needs a line open. The
first connection to SOCKET is that line. The second carries nothing: when its other end closes,
the program is asked to end (SIGTERM), which it may use to put its affairs in order.
"""

import os
import select
import signal
import socket
import subprocess
import sys


def main(words: list[str]) -> int:
    path, home, dashes, *command = words
    assert dashes == "--", words
    os.makedirs(home, exist_ok=True)
    line, leash = connected(path), connected(path)
    program = subprocess.Popen(
        command,
        stdin=line.fileno(),
        stdout=line.fileno(),
        env={**os.environ, "HOME": home},
        start_new_session=True,
    )
    line.close()
    return outlive(program, leash)


def connected(path: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.connect(path)
    return line


def outlive(program: "subprocess.Popen[bytes]", leash: socket.socket) -> int:
    """Waits for the program's end, or for the leash to be let go."""
    ended = os.pidfd_open(program.pid)
    ready, _, _ = select.select([ended, leash.fileno()], [], [])
    if leash.fileno() in ready:
        os.killpg(program.pid, signal.SIGTERM)
    code = program.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
