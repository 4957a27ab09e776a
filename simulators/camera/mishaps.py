"""What breaks by itself over the months: how often, and how long it lasts where it cures itself. No I/O.

Source of rates: assumed, except the disks' (see ``hardware``).
"""

import heapq
import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from simulators.camera.hardware import Recorder
from simulators.camera.scene import Position

_YEAR_DAYS = 365.25
_SIGMA = 0.5
_LOOK_AT_DISK_DAYS = 1.0


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something that happens to cameras.

    Attributes:
        failure: name of the failure.
        every_days: mean time between two.
        median_s: median time after which it is over by itself, world seconds; ``None`` where somebody has to come.
        outdoor_only: only to cameras outdoors.
    """

    failure: str
    every_days: float
    median_s: float | None = None
    outdoor_only: bool = False


MISHAPS: Final = (
    Mishap("signal_loss", 6 * _YEAR_DAYS),
    Mishap("signal_loss", 90, 40.0),
    Mishap("unreachable", 480),
    Mishap("unreachable", 480, 120.0),
    Mishap("moved", 500),
    Mishap("moved", 60, 120.0),
    Mishap("fan_failure", 5 * _YEAR_DAYS),
    Mishap("overheated", 30, 3 * 3600.0, outdoor_only=True),
    Mishap("pull_point_lost", 20, 0.0),
)
"""A false scene change at a change of light looks like a real one and is over after two minutes."""


@dataclass(frozen=True, slots=True)
class Happening:
    """A failure begins or ends."""

    failure: str
    begins: bool


class Fate:
    """Draws when what happens to one camera.

    Args:
        position: where it hangs.
        chance: random source.
        local: local time at which it begins.
        recorder: its disk, ``None`` where it has none.
    """

    def __init__(self, position: Position, chance: random.Random, local: datetime, recorder: Recorder | None) -> None:
        self._chance = chance
        self._recorder = recorder
        self._disk_seen_at = local
        self._order = 0
        self._due: list[tuple[datetime, int, Mishap | str]] = []
        for mishap in MISHAPS:
            if position is Position.OUTDOOR or not mishap.outdoor_only:
                self._plan(local + self._until_next(mishap), mishap)

    def happened(self, local: datetime) -> list[Happening]:
        """What began or ended until a local time, in order."""
        happened: list[Happening] = []
        while self._due and self._due[0][0] <= local:
            at, _, due = heapq.heappop(self._due)
            if isinstance(due, str):
                happened.append(Happening(due, begins=False))
                continue
            happened.append(Happening(due.failure, begins=True))
            if due.median_s is not None:
                lasts_s = due.median_s and self._chance.lognormvariate(math.log(due.median_s), _SIGMA)
                self._plan(at + timedelta(seconds=lasts_s), due.failure)
            self._plan(at + self._until_next(due), due)
        if self._disk_dies(local):
            happened.append(Happening("disk_dying", begins=True))
        return happened

    def _plan(self, at: datetime, what: Mishap | str) -> None:
        self._order += 1
        heapq.heappush(self._due, (at, self._order, what))

    def _until_next(self, mishap: Mishap) -> timedelta:
        return timedelta(days=self._chance.expovariate(1 / mishap.every_days))

    def _disk_dies(self, local: datetime) -> bool:
        days = (local - self._disk_seen_at).total_seconds() / 86400
        if self._recorder is None or self._recorder.disk_failed or days < _LOOK_AT_DISK_DAYS:
            return False
        self._disk_seen_at = local
        return self._chance.random() < -math.expm1(-self._recorder.failures_a_year * days / _YEAR_DAYS)
