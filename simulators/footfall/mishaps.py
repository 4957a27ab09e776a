"""What happens to a footfall sensor by itself: it restarts, and its clock stands still until somebody notices.

Source: rates assumed (plausible, not measured). Times are the world's.
"""

import random
from datetime import datetime, timedelta
from enum import StrEnum

RESTART_EVERY_DAYS = 45.0
FREEZE_EVERY_DAYS = 2 * 365.0
"""Mean days between two of a sensor."""

FROZEN_FOR_DAYS = 3.0
"""Mean days until a frozen clock is noticed and set."""


class Mishap(StrEnum):
    """Something that happens by itself."""

    RESTART = "restart"
    FREEZE = "freeze"
    THAW = "thaw"


class Mishaps:
    """Draws a sensor's mishaps one after the other.

    Args:
        chance: random source of this sensor.
        now: local time from which on they happen.
    """

    def __init__(self, chance: random.Random, now: datetime) -> None:
        self._chance = chance
        self._next = {
            Mishap.RESTART: now + self._days(RESTART_EVERY_DAYS),
            Mishap.FREEZE: now + self._days(FREEZE_EVERY_DAYS),
        }

    def until(self, now: datetime) -> list[Mishap]:
        """What happened since the last look, in order of time."""
        happened: list[Mishap] = []
        while True:
            mishap, at = min(self._next.items(), key=lambda one: one[1])
            if at > now:
                return happened
            del self._next[mishap]
            happened.append(mishap)
            match mishap:
                case Mishap.RESTART:
                    self._next[mishap] = at + self._days(RESTART_EVERY_DAYS)
                case Mishap.FREEZE:
                    self._next[Mishap.THAW] = at + self._days(FROZEN_FOR_DAYS)
                case Mishap.THAW:
                    self._next[Mishap.FREEZE] = at + self._days(FREEZE_EVERY_DAYS)

    def _days(self, mean: float) -> timedelta:
        return timedelta(days=self._chance.expovariate(1 / mean))
