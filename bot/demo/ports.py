"""Ports for servers that are started, stopped and started again.

They lie below the range from which the system picks the near end of a connection. In that range,
a port that its server has left for a second may be taken by any process that connects somewhere,
even to that very port.
"""

import random
import socket
from pathlib import Path

_PICKED = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_240


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    found: list[int] = []
    below = int(_PICKED.read_text().split()[0]) if _PICKED.exists() else 32_768
    chance = random.SystemRandom()
    while len(found) < count:
        port = chance.randrange(_LOWEST, below)
        if port not in found and _is_free(port):
            found.append(port)
    return found


def free_port() -> int:
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
