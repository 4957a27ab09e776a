"""People who pass the door: visitors come by the profile and stay a while, staff come before opening and leave after it.

No I/O, no clock of its own; all times are local times of the world.
"""

import heapq
import math
import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from simulators.footfall.profile import CLOSES_HOUR, OPENS_HOUR, Profile, visitors_an_hour

STAY_MEDIAN_S = 14 * 60.0
STAY_MEAN_S = 20 * 60.0
"""Lognormal stay of a visitor. Source: assumed."""

STAFF = 6
"""Members of staff: one crossing in before opening and one out after closing, 12 a day. Source: assumed."""

_STAY_SIGMA = math.sqrt(2 * math.log(STAY_MEAN_S / STAY_MEDIAN_S))
_SHOWN_OUT = timedelta(minutes=20)
"""Nobody but staff is inside so long after closing."""


class Direction(StrEnum):
    """Through the door."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True, order=True)
class Crossing:
    """Somebody passes the door at a local time."""

    at: datetime
    direction: Direction


class Crowd:
    """Everybody who uses one entrance.

    Args:
        visitors_a_day: mean on an average weekday.
        chance: random source of this entrance.
        now: local time at which it begins; no visitors are inside.
        profile: when they come.
    """

    def __init__(self, visitors_a_day: float, chance: random.Random, now: datetime, profile: Profile = "cn") -> None:
        self.inside = 0
        self._profile: Profile = profile
        self._visitors_a_day = visitors_a_day
        self._chance = chance
        self._now = now
        self._arrival = self._next_arrival(now)
        self._staff_planned = now.date()
        self._to_come: list[Crossing] = [crossing for crossing in self._staff(now.date()) if crossing.at > now]
        heapq.heapify(self._to_come)
        present = sum(crossing.direction is Direction.OUT for crossing in self._to_come)
        self.inside = present - sum(crossing.direction is Direction.IN for crossing in self._to_come)

    @property
    def local_now(self) -> datetime:
        """Local time up to which it has lived."""
        return self._now

    def advance(self, to: datetime) -> list[Crossing]:
        """Live until a local time and return who crossed, in order; an earlier time than the last changes nothing."""
        crossings: list[Crossing] = []
        while self._now < to:
            midnight = datetime.combine(self._staff_planned + timedelta(days=1), time(), to.tzinfo)
            self._now = min(to, midnight)
            while True:
                crossing = self._next_until(self._now)
                if crossing is None:
                    break
                self.inside += 1 if crossing.direction is Direction.IN else -1
                crossings.append(crossing)
            if self._now >= midnight:
                self._staff_planned = midnight.date()
                for planned in self._staff(midnight.date()):
                    heapq.heappush(self._to_come, planned)
        return crossings

    def _next_until(self, to: datetime) -> Crossing | None:
        planned = self._to_come[0] if self._to_come else None
        if self._arrival <= to and (planned is None or self._arrival <= planned.at):
            return self._arrive()
        if planned is not None and planned.at <= to:
            return heapq.heappop(self._to_come)
        return None

    def _arrive(self) -> Crossing:
        came = self._arrival
        stays_s = self._chance.lognormvariate(math.log(STAY_MEDIAN_S), _STAY_SIGMA)
        shown_out = datetime.combine(came.date(), time(CLOSES_HOUR), came.tzinfo) + _SHOWN_OUT * self._chance.random()
        leaves = max(came + timedelta(seconds=1), min(came + timedelta(seconds=stays_s), shown_out))
        heapq.heappush(self._to_come, Crossing(leaves, Direction.OUT))
        self._arrival = self._next_arrival(came)
        return Crossing(came, Direction.IN)

    def _next_arrival(self, after: datetime) -> datetime:
        """Draw from a Poisson process whose rate is constant from one full hour to the next."""
        at = after
        while True:
            rate = visitors_an_hour(at, self._visitors_a_day, self._profile)
            hour_ends = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            if rate > 0:
                arrival = at + timedelta(hours=self._chance.expovariate(rate))
                if arrival < hour_ends:
                    return arrival
            at = hour_ends

    def _staff(self, day: date) -> list[Crossing]:
        opens = datetime.combine(day, time(OPENS_HOUR), self._now.tzinfo)
        closes = datetime.combine(day, time(CLOSES_HOUR), self._now.tzinfo)
        comings = [Crossing(opens - timedelta(minutes=self._chance.uniform(5, 40)), Direction.IN) for _ in range(STAFF)]
        goings = [
            Crossing(closes + timedelta(minutes=self._chance.uniform(20, 60)), Direction.OUT) for _ in range(STAFF)
        ]
        return comings + goings
