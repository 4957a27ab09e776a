"""Loopback ports for simulated devices."""

import random
import socket
from typing import Final

LOWEST, HIGHEST = 10_240, 32_000
"""Ports are taken from here: below those that systems give to outgoing connections, so that none of these is in the way
when a device that was off the net listens again.
"""

_TRIES: Final = 200


def free_ports(count: int) -> list[int]:
    """Loopback ports nobody uses over TCP or UDP, one after the other.

    They are drawn anew each time, so that two runs at the same time hardly choose the same ones.

    Raises:
        OSError: no ``count`` free ports in a row were found.
    """
    chance = random.SystemRandom()
    for _ in range(_TRIES):
        first = chance.randrange(LOWEST, HIGHEST - count)
        ports = list(range(first, first + count))
        if all(_is_free(port) for port in ports):
            return ports
    raise OSError(f"no {count} free ports in a row between {LOWEST} and {HIGHEST}")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
