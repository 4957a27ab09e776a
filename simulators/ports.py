"""Loopback ports for simulated devices."""

import random
import socket
import sys
from typing import Final

LOWEST, HIGHEST = 10_240, 32_000
"""Ports are taken from here: below those that systems give to outgoing connections, so that none of these is in the way
when a device that was off the net listens again.
"""

_BLOCK: Final = 256
"""Ports that one process takes for itself at a time, so that another does not choose them before they are listened on."""

_TRIES: Final = 200

_held: Final[dict[int, socket.socket]] = {}
"""Bound names that stand for this process's blocks, by number of the block; the system lets go of them."""


def free_ports(count: int) -> list[int]:
    """Loopback ports nobody uses over TCP or UDP and no other simulation chose, one after the other.

    Raises:
        OSError: no ``count`` free ports in a row were found.
    """
    chance = random.SystemRandom()
    for _ in range(_TRIES):
        first = chance.randrange(LOWEST, HIGHEST - count)
        ports = range(first, first + count)
        blocks = {port // _BLOCK for port in ports}
        if all(_take(block) for block in sorted(blocks)) and all(_is_free(port) for port in ports):
            return list(ports)
    raise OSError(f"no {count} free ports in a row between {LOWEST} and {HIGHEST}")


def _take(block: int) -> bool:
    """Whether a block is this process's: whoever binds its name has it, until it ends."""
    if block in _held or sys.platform != "linux":  # elsewhere such names would be files
        return True
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0branchwatch-ports-{block}")
    except OSError:
        name.close()
        return False
    _held[block] = name
    return True


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
