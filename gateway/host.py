"""What the operating system tells about the computer the gateway runs on; empty where it does not tell."""

import contextlib
import ctypes
import shutil
import struct
import sys
from pathlib import Path
from typing import Final

from gateway.driver import Observation

_PROC: Final = Path("/proc")

_TIMEX_BYTES: Final = 208
"""sizeof(struct timex) on 64-bit Linux. Source: Linux include/uapi/linux/timex.h."""
_TIME_ERROR: Final = 5
_STA_UNSYNC: Final = 0x0040
_STA_NANO: Final = 0x2000


def boot_id() -> str:
    """Identity of the computer's current boot, empty where there is none."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class Host:
    """Reads the computer's figures; remembers the processor's times between two looks.

    Args:
        disk: a path on the disk that is watched as ``host/disk1``.
    """

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._cpu: tuple[int, int] | None = None

    def observations(self) -> list[Observation]:
        """Signals of the blocks ``host`` and ``clock`` that can be read here and now."""
        out: list[Observation] = [Observation("host/app/state", "running")]
        with contextlib.suppress(OSError, ValueError, IndexError):
            out.append(Observation("host/uptime", float((_PROC / "uptime").read_text().split()[0])))
        with contextlib.suppress(OSError, ValueError, IndexError):
            out.extend(self._processor())
        with contextlib.suppress(OSError, ValueError, KeyError, ZeroDivisionError):
            out.append(Observation("host/memory_used", _memory_used()))
        with contextlib.suppress(OSError, ZeroDivisionError):
            usage = shutil.disk_usage(self._disk)
            out.append(Observation("host/disk1/used", usage.used / usage.total))
        with contextlib.suppress(OSError, ValueError):
            board = Path("/sys/class/thermal/thermal_zone0/temp").read_text()
            out.append(Observation("host/temperature", int(board) / 1000))
        out.extend(_clock())
        return out

    def _processor(self) -> list[Observation]:
        times = [int(field) for field in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        total, idle = sum(times), times[3] + times[4]  # user nice system idle iowait irq softirq steal: proc(5)
        before, self._cpu = self._cpu, (total, idle)
        if before is None or total <= before[0]:
            return []
        busy = 1 - (idle - before[1]) / (total - before[0])
        return [Observation("host/cpu", min(1.0, max(0.0, busy)))]


def _memory_used() -> float:
    fields = dict(line.split(":", 1) for line in (_PROC / "meminfo").read_text().splitlines() if ":" in line)
    total, available = (int(fields[key].split()[0]) for key in ("MemTotal", "MemAvailable"))
    return 1 - available / total


def _clock() -> list[Observation]:
    """Whether the kernel's clock is kept by a time source, and its offset to that. Source: adjtimex(2)."""
    if sys.platform != "linux" or struct.calcsize("P") != 8:
        return []
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = ctypes.CDLL(None).adjtimex(timex)
    if state < 0:
        return []
    (offset,) = struct.unpack_from("q", timex, 8)
    (status,) = struct.unpack_from("i", timex, 40)
    if state == _TIME_ERROR or status & _STA_UNSYNC:
        return [Observation("clock/sync", "unsynchronised")]
    scale = 1e9 if status & _STA_NANO else 1e6
    return [Observation("clock/sync", "synchronised"), Observation("clock/skew", offset / scale)]
