"""What the operating system tells about the computer the gateway runs on; empty where it does not tell."""

import contextlib
import ctypes
import shutil
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from gateway.driver import Observation
from gateway.power_supply import power_supply

_PROC: Final = Path("/proc")
_SYS: Final = Path("/sys")
_ROOT: Final = Path("/")

PORTS_MOST: Final = 16
_SWITCHED_ON: Final = 0x1
"""IFF_UP. Source: Linux include/uapi/linux/if.h."""
_PORT_WORDS: Final = {
    word.lower(): word for word in ("up", "down", "testing", "unknown", "dormant", "notPresent", "lowerLayerDown")
}
"""The kernel writes the words of IF-MIB in small letters. Source: Linux Documentation/networking/operstates.rst."""
_SENSIBLE_CEL: Final = (-20.0, 110.0)

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
    """Reads the computer's figures; remembers the processor's times and the ports' counts between two looks.

    Args:
        disk: a path on the disk that is watched as ``host/disk1``.
        sys: where the kernel shows its devices.
        steady_s: clock for rates.
    """

    def __init__(self, disk: Path, sys: Path = _SYS, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._disk = disk
        self._sys = sys
        self._steady_s = steady_s
        self._cpu: tuple[int, int] | None = None
        self._ports: dict[str, int] = {}
        self._octets: dict[str, tuple[int, float]] = {}

    def observations(self) -> list[Observation]:
        """Signals of the blocks ``host`` and ``clock`` that can be read here and now."""
        out: list[Observation] = [Observation("host/app/state", "running")]
        with contextlib.suppress(OSError, ValueError, IndexError):
            out.append(Observation("host/uptime", float((_PROC / "uptime").read_text().split()[0])))
        with contextlib.suppress(OSError, ValueError, IndexError):
            out.extend(self._processor())
        with contextlib.suppress(OSError, ValueError, KeyError, ZeroDivisionError):
            out.append(Observation("host/memory_used", _memory_used()))
        out.extend(self._disks())
        temperature = max(self._temperatures(), default=None)
        if temperature is not None:
            out.append(Observation("host/temperature", temperature))
        with contextlib.suppress(OSError):
            out.extend(self._network())
        out.extend(_clock())
        out.extend(power_supply(self._sys))
        return out

    def _disks(self) -> Iterator[Observation]:
        """The outbox's disk first, then the system's where that is another one."""
        with contextlib.suppress(OSError, ZeroDivisionError):
            disks = [self._disk] + ([_ROOT] if _ROOT.stat().st_dev != self._disk.stat().st_dev else [])
            for number, disk in enumerate(disks, 1):
                usage = shutil.disk_usage(disk)
                yield Observation(f"host/disk{number}/used", usage.used / usage.total)

    def _temperatures(self) -> Iterator[float]:
        """What the sensors say, degrees Celsius; those of the board's zones, or where there are none, all others."""
        zones = sorted((self._sys / "class/thermal").glob("thermal_zone*/temp"))
        for sensor in zones or sorted((self._sys / "class/hwmon").glob("hwmon*/temp*_input")):
            with contextlib.suppress(OSError, ValueError):
                celsius = int(sensor.read_text()) / 1000
                if _SENSIBLE_CEL[0] <= celsius <= _SENSIBLE_CEL[1]:
                    yield celsius

    def _network(self) -> list[Observation]:
        """State and rates of the ports that have hardware behind them and were switched on when first seen.

        Raises:
            OSError: the kernel does not show its ports.
        """
        out = []
        for port in sorted((self._sys / "class/net").iterdir()):
            with contextlib.suppress(OSError, ValueError):
                if port.name not in self._ports:
                    is_on = int((port / "flags").read_text(), 16) & _SWITCHED_ON
                    if not is_on or not (port / "device").exists() or len(self._ports) >= PORTS_MOST:
                        continue
                    self._ports[port.name] = len(self._ports) + 1
                out.extend(self._port(port, f"host/net{self._ports[port.name]}"))
        return out

    def _port(self, port: Path, path: str) -> list[Observation]:
        state = _PORT_WORDS.get((port / "operstate").read_text().strip(), "unknown")
        out = [Observation(f"{path}/oper_status", state)]
        for word, file in (("in_rate", "rx_bytes"), ("out_rate", "tx_bytes")):
            octets, now_s = int((port / "statistics" / file).read_text()), self._steady_s()
            before, before_s = self._octets.get(f"{path}/{word}", (octets, now_s))
            self._octets[f"{path}/{word}"] = (octets, now_s)
            if now_s > before_s and octets >= before:
                out.append(Observation(f"{path}/{word}", round((octets - before) * 8 / (now_s - before_s), 1)))
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
    """Whether the kernel's clock is kept by a time source, and how far it is from that. Source: adjtimex(2)."""
    if sys.platform != "linux" or struct.calcsize("P") != 8:
        return []
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = ctypes.CDLL(None).adjtimex(timex)
    if state < 0:
        return []
    (offset,) = struct.unpack_from("q", timex, 8)
    (status,) = struct.unpack_from("i", timex, 40)
    return clock_kept(state, offset, status)


def clock_kept(state: int, offset: int, status: int) -> list[Observation]:
    """Read what the kernel says of its clock.

    Args:
        state: what ``adjtimex`` returned.
        offset: what is still to be added to the clock, in micro- or, as ``status`` says, nanoseconds.
        status: flags of the clock.
    """
    if state == _TIME_ERROR or status & _STA_UNSYNC:
        return [Observation("clock/sync", "unsynchronised")]
    ahead_s = -offset / (1e9 if status & _STA_NANO else 1e6)
    return [Observation("clock/sync", "synchronised"), Observation("clock/skew", ahead_s or 0.0)]
