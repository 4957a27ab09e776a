"""The counter over the door: what it sees of the crossings, its totals since midnight and its history.

It lives by its own clock. No I/O.
"""

import random
from array import array
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from simulators.footfall.visitors import Direction

SEEN = {Direction.IN: 0.98, Direction.OUT: 0.97}
"""Share of crossings it sees. Source: vendors claim 0.98 to 0.99; the split is assumed."""

SEEN_TWICE = 0.005
"""Share of seen crossings it counts twice. Source: assumed."""

KNOCKED = 0.75
"""Share of the people going out that it still sees after a knock. Source: assumed."""

BIN_MINUTES = 15
BINS_A_DAY = 24 * 60 // BIN_MINUTES
HISTORY_DAYS = 90
"""Days it remembers. Source: assumed."""

_OTHER = {Direction.IN: Direction.OUT, Direction.OUT: Direction.IN}


@dataclass(slots=True)
class Bin:
    """Counts of a quarter of an hour."""

    people_in: int = 0
    people_out: int = 0

    def add(self, other: "Bin") -> None:
        """Add the counts of another."""
        self.people_in += other.people_in
        self.people_out += other.people_out


@dataclass(slots=True)
class Counter:
    """One counter.

    Attributes:
        serial: its serial number.
        today: the day by its own clock to which the totals belong.
        total: counts since that day's local midnight, or since its restart if that was later.
        lifetime: counts since it was made; they never go back.
        history: counts of each quarter of an hour of a day, by its own clock: in, out, in, out …
        keeps_history: whether it remembers anything but the totals.
        covered: sees nobody.
        swapped: takes in for out.
        knocked: misses a quarter of those who go out.
    """

    serial: str
    today: date
    chance: random.Random
    total: Bin = field(default_factory=Bin)
    lifetime: Bin = field(default_factory=Bin)
    history: "dict[date, array[int]]" = field(default_factory=dict)
    keeps_history: bool = True
    covered: bool = False
    swapped: bool = False
    knocked: bool = False

    def tick(self, now: datetime) -> None:
        """Take notice of its clock: a new day begins with totals of 0."""
        if now.date() == self.today:
            return
        self.today = now.date()
        self.total = Bin()
        oldest = self.today - timedelta(days=HISTORY_DAYS)
        self.history = {day: bins for day, bins in self.history.items() if day >= oldest}

    def see(self, direction: Direction, now: datetime) -> None:
        """Somebody crosses; counted never, once or twice.

        Args:
            direction: where the person really goes.
            now: time by the counter's clock.
        """
        self.tick(now)
        # Chance is drawn for the blind counter as well, so that covering it changes nothing afterwards.
        seen = SEEN[direction] * (KNOCKED if self.knocked and direction is Direction.OUT else 1.0)
        times = int(self.chance.random() < seen) * (1 + int(self.chance.random() < SEEN_TWICE))
        if self.covered or times == 0:
            return
        taken_for = _OTHER[direction] if self.swapped else direction
        counts = Bin(times, 0) if taken_for is Direction.IN else Bin(0, times)
        self.total.add(counts)
        self.lifetime.add(counts)
        if self.keeps_history:
            bins = self.history.setdefault(now.date(), array("I", bytes(8 * BINS_A_DAY)))
            first = 2 * ((now.hour * 60 + now.minute) // BIN_MINUTES)
            bins[first] += counts.people_in
            bins[first + 1] += counts.people_out

    def restart(self) -> None:
        """Its totals are gone; the history is kept on its card."""
        self.total = Bin()

    def clear(self) -> None:
        """Forget everything that was counted."""
        self.total = Bin()
        self.history.clear()

    @property
    def occupancy(self) -> int:
        """People inside as it counts them, at least 0."""
        return max(0, self.total.people_in - self.total.people_out)

    def days(self) -> list[date]:
        """Days with data, oldest first; today is always one."""
        return sorted({*self.history, self.today})

    def binned(self, day: date, width_minutes: int, until: datetime) -> dict[datetime, Bin]:
        """Counts of one day by the beginning of each bin, from midnight to the bin of ``until``, empty ones included.

        Args:
            day: day by the counter's clock.
            width_minutes: 15 or a multiple of it that divides the day.
            until: time by the counter's clock after which there is nothing yet.
        """
        quarters = self.history.get(day, array("I"))
        begin = datetime.combine(day, time(), until.tzinfo)
        bins: dict[datetime, Bin] = {}
        for first in range(0, BINS_A_DAY, width_minutes // BIN_MINUTES):
            at = begin + timedelta(minutes=first * BIN_MINUTES)
            if at > until:
                break
            counts = quarters[2 * first : 2 * (first + width_minutes // BIN_MINUTES)]
            bins[at] = Bin(sum(counts[::2]), sum(counts[1::2]))
        return bins
