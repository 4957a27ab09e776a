"""What is in front of the lens: light by the hour, people who move, and the lens that gets dirty. No I/O, no clock.

Source of rates: assumed, except where a constant says more.
"""

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from simulators.footfall.profile import CLOSES_HOUR, OPENS_HOUR, visitors_an_hour

DARK = 0.1
"""Light below which the camera sees by its infrared lamp; 1 is a bright day."""

DIRTY_AFTER_DAYS = {True: 120.0, False: 500.0}
"""Days until an outdoor (true) or indoor lens is so dirty that the picture is blurred."""

IMPAIRED_DIRT = 0.8
BACK_ROOM_AN_HOUR = 4.0
NIGHT_AN_HOUR = 0.2

_SUNRISE_HOUR = 6.0
_SUNSET_HOUR = 18.5
_CROSSINGS_PER_VISITOR = 2


class Position(StrEnum):
    """Where a camera hangs."""

    ENTRANCE = "entrance"
    BACK_ROOM = "back_room"
    OUTDOOR = "outdoor"


def hour_of(local: datetime) -> float:
    """Hour of the day with its fraction."""
    return local.hour + local.minute / 60 + local.second / 3600


def light(position: Position, local: datetime) -> float:
    """Light on the scene, 0 to 1: the sun outdoors, lamps from half an hour before opening to half an hour after closing."""
    hour = hour_of(local)
    if position is not Position.OUTDOOR:
        return 0.6 if OPENS_HOUR - 0.5 <= hour < CLOSES_HOUR + 0.5 else 0.02
    if not _SUNRISE_HOUR < hour < _SUNSET_HOUR:
        return 0.02
    return math.sin(math.pi * (hour - _SUNRISE_HOUR) / (_SUNSET_HOUR - _SUNRISE_HOUR))


def movements_an_hour(position: Position, local: datetime, visitors_a_day: float) -> float:
    """Mean rate of something moving in the picture at a local time."""
    if not OPENS_HOUR <= local.hour < CLOSES_HOUR:
        return NIGHT_AN_HOUR
    if position is Position.BACK_ROOM:
        return BACK_ROOM_AN_HOUR
    return max(NIGHT_AN_HOUR, visitors_an_hour(local, visitors_a_day) * _CROSSINGS_PER_VISITOR)


class Movement:
    """Somebody moves now and then; whoever moved while nobody looked is one movement.

    Args:
        position: where the camera hangs.
        visitors_a_day: of the branch, on an average weekday.
        chance: random source.
        local: local time at which it begins.
    """

    def __init__(self, position: Position, visitors_a_day: float, chance: random.Random, local: datetime) -> None:
        self._position = position
        self._visitors_a_day = visitors_a_day
        self._chance = chance
        self.next_at = self._draw(local)

    def seen(self, local: datetime) -> bool:
        """Did anything move since the last look?"""
        if local < self.next_at:
            return False
        self.next_at = self._draw(local)
        return True

    def _draw(self, local: datetime) -> datetime:
        """Draw from a Poisson process whose rate is constant from one full hour to the next."""
        at = local
        while True:
            rate = movements_an_hour(self._position, at, self._visitors_a_day)
            hour_ends = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            movement = at + timedelta(hours=self._chance.expovariate(rate))
            if movement < hour_ends:
                return movement
            at = hour_ends


@dataclass(slots=True)
class Lens:
    """The glass before the sensor.

    Attributes:
        outdoor: gets dirty faster.
        dirt: 0 clean, 1 so dirty that the picture is blurred.
        out_of_focus: knocked or tampered with.
        sprayed: covered with paint.
    """

    outdoor: bool
    dirt: float = 0.0
    out_of_focus: bool = False
    sprayed: bool = False

    def age(self, world_s: float) -> None:
        """Let dirt settle."""
        self.dirt = min(1.0, self.dirt + world_s / (DIRTY_AFTER_DAYS[self.outdoor] * 86400))

    def clean(self) -> None:
        """Wipe it."""
        self.dirt = 0.0
        self.sprayed = False

    @property
    def blurred(self) -> bool:
        """The picture is blurred."""
        return self.out_of_focus or self.dirt >= 1

    @property
    def impaired(self) -> bool:
        """Dirt is seen in the picture."""
        return self.dirt >= IMPAIRED_DIRT
