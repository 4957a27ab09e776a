"""What a camera is built of: housing with fan, disk with its recording job, and clock. No I/O.

World time (ageing, warmth) and real time (clock, recording) are kept apart: what a camera stamps is real.
"""

import math
import random
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from simulators.camera.scene import Position, hour_of

CRITICAL_C = 70.0
CRITICAL_OVER_C = 65.0
"""Temperatures at which the alarm comes and goes. Source: assumed."""

_WARMS_IN_S = 600.0
_OWN_HEAT_K = 16.0
_WITHOUT_FAN_K = 14.0
_SEALED_K = 45.0

DRIFT_S_A_DAY = 1.5
"""Standard deviation of the drift of a clock without time source. Source: assumed."""

WITHOUT_TIME_SOURCE_SHARE = 0.05
_SYNCHRONISED_EVERY_MS = 3_600_000
_DAY_MS = 86_400_000

RETENTION_DAYS = 30.0
DISK_OLDEST_YEARS = 4.0
DISK_FAILURES_A_YEAR = 0.035
"""Source: surveys of surveillance disks, 2 to 5 % a year."""

_DISK_WEARS_FROM_YEARS = 4.0
_YEAR_S = 365.25 * 86400


@dataclass(slots=True)
class Housing:
    """Warmth inside.

    Attributes:
        position: where it hangs.
        temperature_c: inside, degrees Celsius.
        fan_failed: its fan stands.
        sealed: heat does not get out.
        critical: too hot, with hysteresis.
    """

    position: Position
    temperature_c: float = 40.0
    fan_failed: bool = False
    sealed: bool = False
    critical: bool = False

    def pass_time(self, world_s: float, local: datetime) -> None:
        """Warm up or cool down towards what the surroundings allow."""
        target_c = _ambient_c(self.position, local) + _OWN_HEAT_K
        target_c += _WITHOUT_FAN_K * self.fan_failed + _SEALED_K * self.sealed
        self.temperature_c += (target_c - self.temperature_c) * -math.expm1(-world_s / _WARMS_IN_S)
        self._judge()

    def seal(self) -> None:
        """The heat has had no way out for some time."""
        self.sealed = True
        self.temperature_c = max(self.temperature_c, CRITICAL_C + 2)
        self._judge()

    def unseal(self) -> None:
        """Aired until it is cool enough."""
        self.sealed = False
        self.temperature_c = min(self.temperature_c, CRITICAL_OVER_C - 5)
        self._judge()

    def _judge(self) -> None:
        if self.critical:
            self.critical = self.temperature_c > CRITICAL_OVER_C
        else:
            self.critical = self.temperature_c >= CRITICAL_C


def _ambient_c(position: Position, local: datetime) -> float:
    swing = math.sin(math.pi * (hour_of(local) - 9) / 12)
    return 15 + 8 * swing if position is Position.OUTDOOR else 24 + 2 * swing


class JobState(StrEnum):
    """State of a recording job, in ONVIF's words."""

    IDLE = "Idle"
    ACTIVE = "Active"
    ERROR = "Error"


@dataclass(slots=True)
class Recorder:
    """The disk and the job that writes to it. Times are the camera's own clock, milliseconds since 1970.

    Attributes:
        retention_ms: how long recordings are kept.
        disk_age_years: of the disk.
        disk_failed: the disk is dead.
        stopped: the job was stopped and nobody started it again.
        written_until_ms: newest recording, ``None`` while it is now.
    """

    retention_ms: int
    disk_age_years: float
    disk_failed: bool = False
    stopped: bool = False
    written_until_ms: int | None = None

    @property
    def state(self) -> JobState:
        """What the job says of itself."""
        if self.disk_failed:
            return JobState.ERROR
        return JobState.IDLE if self.stopped else JobState.ACTIVE

    @property
    def failures_a_year(self) -> float:
        """Hazard of a disk of this age: it rises from the fourth year on."""
        return DISK_FAILURES_A_YEAR * (1 + max(0.0, self.disk_age_years - _DISK_WEARS_FROM_YEARS))

    def age(self, world_s: float) -> None:
        """Let the disk get older."""
        self.disk_age_years += world_s / _YEAR_S

    def follow(self, camera_ms: int) -> None:
        """Note when the job stopped writing."""
        if self.state is JobState.ACTIVE:
            self.written_until_ms = None
        elif self.written_until_ms is None:
            self.written_until_ms = camera_ms

    def replace_disk(self) -> None:
        """A new disk; the job is started again."""
        self.disk_failed = False
        self.disk_age_years = 0.0
        self.stopped = False

    def span_ms(self, camera_ms: int) -> tuple[int, int]:
        """Oldest and newest recording."""
        until_ms = camera_ms if self.written_until_ms is None else self.written_until_ms
        return until_ms - self.retention_ms, until_ms


@dataclass(slots=True)
class CameraClock:
    """The clock inside, read in milliseconds since 1970.

    Attributes:
        began_ms: real time at which it is looked at first.
        offset_ms: how far it was ahead then.
        drift: seconds it gains a second; 0 with a time source.
        has_time_source: set right every hour.
        wrong_by_ms: set wrong by so much.
    """

    began_ms: int
    offset_ms: int
    drift: float
    has_time_source: bool
    wrong_by_ms: int = field(default=0)

    @classmethod
    def drawn(cls, chance: random.Random, now_ms: int) -> "CameraClock":
        """A clock of one camera of many."""
        if chance.random() >= WITHOUT_TIME_SOURCE_SHARE:
            return cls(now_ms, int(chance.gauss(0, 100)), 0.0, has_time_source=True)
        drift_s_a_day = chance.gauss(0, DRIFT_S_A_DAY)
        days = chance.uniform(10, 200)
        return cls(now_ms, int(drift_s_a_day * days * 1000), drift_s_a_day / 86400, has_time_source=False)

    def read_ms(self, now_ms: int) -> int:
        """Time it shows at a real time."""
        return now_ms + self.offset_ms + int((now_ms - self.began_ms) * self.drift) + self.wrong_by_ms

    def set_right(self, now_ms: int) -> None:
        """Somebody sets it, and it drifts from there."""
        self.wrong_by_ms = 0
        self.offset_ms = 0
        self.began_ms = now_ms

    def synchronised_ms(self, now_ms: int) -> int:
        """When it was last set by its time source; 0, which is 1970, for never."""
        if not self.has_time_source:
            return 0
        shown_ms = self.read_ms(now_ms)
        return shown_ms - shown_ms % _SYNCHRONISED_EVERY_MS
