"""What a process of ours tells the kernel and the interpreter about itself."""

import ctypes
import signal
import sys
from typing import Final

SWITCH_INTERVAL_S: Final = 0.0002
"""How long a thread that computes may keep the interpreter from one that came back from the kernel, a 25th of the default."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Ask the Linux kernel to end this process with its parent, even where that one is killed."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def hand_over_soon() -> None:
    """Let threads that move bytes have the interpreter soon, for the whole process and without a way back.

    A thread that reads from a socket asks for the interpreter after every call of the kernel. While another computes it would
    wait 5 ms each time, which for the intake under load is a third of its throughput.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
