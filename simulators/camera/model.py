"""What a camera is and goes through. No I/O, no clock of its own.

Two times flow in: the world's local time, by which people move, light changes and things age, and the real one, by which
the camera stamps what it says.
"""

import random
from datetime import datetime

from simulators.camera.hardware import (
    DISK_OLDEST_YEARS,
    RETENTION_DAYS,
    CameraClock,
    Housing,
    Recorder,
)
from simulators.camera.scene import DARK, Lens, Movement, Position, light

MOTION_HOLD_MS = 3000
"""Real time a motion alarm stays after the last movement. Source: assumed."""

RECORDING_LOST_SHARE = 0.04
"""Share of restarts after which nobody starts the recording job. Source: assumed."""

DAY_BPS = (2e6, 4e6)
NIGHT_BPS = (1e6, 2e6)
"""Stream by day and by night, bits a second; a camera lies somewhere between. Source: assumed."""

_DAY_MS = 86_400_000
_RETENTION_LOST_PER_CAMERA = 0.01

__all__ = ["Camera", "Position"]


class Camera:
    """One camera.

    Args:
        position: where it hangs.
        chance: random source of everything about it.
        local: local time at which it is looked at first.
        now_ms: real time then.
        visitors_a_day: of its branch, on an average weekday.
        recording: has a disk and a recording job.
        cameras_added: cameras that joined the recorder after it was sized; each costs 1 % of the retention.
    """

    def __init__(
        self,
        position: Position,
        chance: random.Random,
        local: datetime,
        now_ms: int,
        *,
        visitors_a_day: float,
        recording: bool = True,
        cameras_added: int = 0,
    ) -> None:
        self.position = position
        self.clock = CameraClock.drawn(chance, now_ms)
        self.lens = Lens(outdoor=position is Position.OUTDOOR, dirt=chance.uniform(0, 0.4))
        self.housing = Housing(position)
        retention_days = RETENTION_DAYS * (1 - _RETENTION_LOST_PER_CAMERA) ** cameras_added
        disk_age_years = chance.uniform(0, DISK_OLDEST_YEARS)
        self.recorder = Recorder(int(retention_days * _DAY_MS), disk_age_years) if recording else None
        self.signal_lost = False
        self.moved = False
        self.blinded = False
        self.cover_open = False
        self.supply_failed = False
        self.encoder_hung = False
        self.motion = False
        self.streams = 0
        self.reboots = 0
        self.booted_ms = self.clock.read_ms(now_ms) - int(chance.uniform(1, 60) * _DAY_MS)
        self._day_bps = chance.uniform(*DAY_BPS)
        self._night_bps = chance.uniform(*NIGHT_BPS)
        self._idle_load = chance.uniform(0.22, 0.34)
        self._chance = chance
        self._movement = Movement(position, visitors_a_day, chance, local)
        self._motion_ends_ms = now_ms
        self._local = local
        self._now_ms = now_ms
        for _ in range(3):  # it has hung there for a while
            self.housing.pass_time(3600, local)

    @property
    def camera_ms(self) -> int:
        """Time by its clock, milliseconds since 1970, at the last look."""
        return self.clock.read_ms(self._now_ms)

    @property
    def synchronised_ms(self) -> int:
        """When its clock was last set by a time source, by itself; 0 for never."""
        return self.clock.synchronised_ms(self._now_ms)

    @property
    def dark(self) -> bool:
        """Too dark to see by the light there is: the infrared lamp is on."""
        return light(self.position, self._local) < DARK

    @property
    def sees_too_dark(self) -> bool:
        """The picture is dark, lamp or not."""
        return self.lens.sprayed

    @property
    def tampered(self) -> bool:
        """Its tamper detector is sure that somebody covers it."""
        return self.lens.sprayed

    @property
    def load(self) -> float:
        """Processor load, 0 to 1."""
        return min(1.0, self._idle_load + 0.1 * self.motion + 0.04 * self.streams + 0.6 * self.encoder_hung)

    @property
    def bitrate_bps(self) -> float:
        """What its encoder makes of the picture, bits a second."""
        if self.signal_lost:
            return 0.05 * self._night_bps
        rate_bps = self._night_bps if self.dark else self._day_bps
        if self.lens.sprayed:
            return 0.2 * rate_bps
        return rate_bps * (0.7 if self.lens.blurred else 1.0) * (1.0 if self.motion else 0.85)

    def advance(self, local: datetime, now_ms: int) -> None:
        """Live until now; times earlier than the last change nothing but the clock."""
        world_s = (local - self._local).total_seconds()
        self._now_ms = now_ms
        if world_s > 0:
            self._local = local
            self.lens.age(world_s)
            self.housing.pass_time(world_s, local)
            if self.recorder is not None:
                self.recorder.age(world_s)
        self._look_for_motion(local, now_ms)
        if self.recorder is not None:
            self.recorder.follow(self.camera_ms)

    def reboot(self) -> None:
        """It starts anew; sometimes nobody tells it to record again."""
        self.reboots += 1
        self.booted_ms = self.camera_ms
        self.motion = False
        if self.recorder is not None and self._chance.random() < RECORDING_LOST_SHARE:
            self.recorder.stopped = True

    def _look_for_motion(self, local: datetime, now_ms: int) -> None:
        moved = self._movement.seen(local)
        blind = self.signal_lost or self.lens.sprayed
        if moved and not blind:
            self._motion_ends_ms = now_ms + MOTION_HOLD_MS
        self.motion = not blind and now_ms < self._motion_ends_ms
