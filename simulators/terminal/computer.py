"""The computer in a terminal: load, memory, disks, the customer's application, network ports, the nightly restart."""

import random
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

RESTART_AT: Final = time(22, 30)
RESTART_TAKES: Final = timedelta(minutes=4)
"""Nightly restart, local time. Source: assumed."""

MEMORY_BYTES: Final = 8 << 30
DISK_BYTES: Final = 240 << 30

_LOAD: Final = 0.15
_LOAD_SPREAD: Final = 0.1
_SESSION_LOAD: Final = 0.35
_HOT_LOAD: Final = 0.97
_MEMORY: Final = 0.45
_MEMORY_A_DAY: Final = 0.01
_DISK: Final = 0.41
_DISK_A_DAY: Final = 0.0015
_FILLING_A_DAY: Final = 0.02
_DISK_FULLEST: Final = 0.97
_LEAKED: Final = 0.52
_CARRIED_BYTES_S: Final = (2500.0, 1200.0)
_SESSION_FACTOR: Final = 12.0
_HIGHEST_PROCESS_ID: Final = 30_000


@dataclass(slots=True)
class NetworkPort:
    """A port with counters of what it carried since the computer was started.

    Attributes:
        name: as the operating system names it.
        up: it has a link.
        received_bytes: 64-bit counter.
        sent_bytes: 64-bit counter.
    """

    name: str
    up: bool = True
    received_bytes: int = 0
    sent_bytes: int = 0


class Computer:
    """A computer with one watched application.

    Uptime and traffic run in real time, as its own clock does; what people and habit do to it runs in the world's.

    Args:
        chance: random source of load and process ids.
        now_ms: real time.
        local_at: local time of the world; it was last started at the restart before.
        application: name of the watched process.
    """

    def __init__(self, chance: random.Random, now_ms: int, local_at: datetime, application: str) -> None:
        self.application = application
        self.cores = 2
        self.ports = (NetworkPort("LAN 1"), NetworkPort("LAN 2"))
        self.in_session = False
        self.hot = False
        self.app_crashed = False
        self.app_hangs = False
        self.skew_ms = round(chance.gauss(0, 1500))
        self.memory_leak = False
        self.filling_since_at: datetime | None = None
        self.down_until_at: datetime | None = None
        self._chance = chance
        self._disk_cleaned_at = local_at
        self._disk_then = _DISK + chance.uniform(0, 0.1)
        self._seen_ms = now_ms
        self._load = _LOAD
        self.next_restart_at = datetime.combine(local_at.date(), RESTART_AT, local_at.tzinfo)
        if self.next_restart_at <= local_at:
            self.next_restart_at += timedelta(days=1)
        self._started_at = self.next_restart_at - timedelta(days=1) + RESTART_TAKES
        self._started_ms = now_ms - max(0, int((local_at - self._started_at).total_seconds() * 1000))
        self.process_id = self._next_process_id()
        for port in self.ports:
            port.received_bytes = chance.randrange(1 << 34)
            port.sent_bytes = chance.randrange(1 << 33)

    @property
    def restarting(self) -> bool:
        """It is on its way down or up; nobody can reach it."""
        return self.down_until_at is not None

    @property
    def app_works(self) -> bool:
        """Customers find the application running."""
        return not (self.app_crashed or self.app_hangs or self.restarting)

    def uptime_ms(self, now_ms: int) -> int:
        """Milliseconds since it was started."""
        return max(0, now_ms - self._started_ms)

    def load(self) -> float:
        """Share of its processors in use, 0 to 1."""
        return self._load

    def memory_used(self, local_at: datetime) -> float:
        """Share of its memory in use: creeps up from start to start."""
        days = max(0.0, (local_at - self._started_at) / timedelta(days=1))
        return min(0.98, _MEMORY + _MEMORY_A_DAY * days + (_LEAKED if self.memory_leak else 0.0))

    def disk_used(self, local_at: datetime) -> float:
        """Share of its disk in use: grows day by day, faster where something fills it."""
        used = self._disk_then + _DISK_A_DAY * ((local_at - self._disk_cleaned_at) / timedelta(days=1))
        if self.filling_since_at is not None:
            used += _FILLING_A_DAY * ((local_at - self.filling_since_at) / timedelta(days=1))
        return min(_DISK_FULLEST, used)

    def advance(self, now_ms: int, local_at: datetime) -> None:
        """Let time pass."""
        elapsed_s = max(0, now_ms - self._seen_ms) / 1000
        self._seen_ms = now_ms
        if self.down_until_at is not None and local_at >= self.down_until_at:
            self._start(now_ms, local_at)
        if self.down_until_at is None and local_at >= self.next_restart_at:
            self.restart(local_at)
        usual = self._chance.gauss(_LOAD, _LOAD_SPREAD / 2) + (_SESSION_LOAD if self.in_session else 0.0)
        self._load = _HOT_LOAD if self.hot else min(1.0, max(0.02, usual))
        busy = _SESSION_FACTOR if self.in_session else 1.0
        for port in self.ports:
            if port.up:
                port.received_bytes += round(_CARRIED_BYTES_S[0] * elapsed_s * busy)
                port.sent_bytes += round(_CARRIED_BYTES_S[1] * elapsed_s * busy)

    def restart(self, local_at: datetime) -> None:
        """Go down, to be up again minutes later."""
        self.down_until_at = local_at + RESTART_TAKES
        while self.next_restart_at <= local_at:
            self.next_restart_at += timedelta(days=1)

    def clean_disk(self, local_at: datetime) -> None:
        """Delete old logs and whatever filled the disk."""
        self.filling_since_at = None
        self._disk_cleaned_at = local_at
        self._disk_then = _DISK

    def crash_app(self) -> None:
        """The application ends and stays down."""
        self.app_crashed = True

    def start_app(self) -> None:
        """Start the application anew."""
        self.app_crashed = self.app_hangs = False
        self.process_id = self._next_process_id()

    def _start(self, now_ms: int, local_at: datetime) -> None:
        self.down_until_at = None
        self._started_ms, self._started_at = now_ms, local_at
        self.memory_leak = False
        self.start_app()
        for port in self.ports:
            port.received_bytes = port.sent_bytes = 0

    def _next_process_id(self) -> int:
        return self._chance.randrange(1000, _HIGHEST_PROCESS_ID)
