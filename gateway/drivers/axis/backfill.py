"""What a sensor counted while nobody asked it, from its own history. Pure.

``live-sum.json`` says how much was counted in all, where it can; the history says when, and what the totals no longer say
because they began anew. Nothing of the history counts that the totals have given already: it is measured against what has
been counted of the sensor's day so far.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from gateway.drivers.axis.history import INTERVAL, Day, History

_CLOCK_STEP: Final = timedelta(hours=1, minutes=5)
"""Two clocks that disagree by more over a gap, daylight saving time allowed: one was set, the days do not follow."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The time between two answers.

    Attributes:
        from_at: the sensor's time at the earlier one.
        to_at: the sensor's time at the later one.
        elapsed_s: time between them by the gateway's clock.
    """

    from_at: datetime
    to_at: datetime
    elapsed_s: float

    @property
    def is_outage(self) -> bool:
        """Whether it was longer than a counting interval, and the sensor's clock went on as time did."""
        return self.elapsed_s > INTERVAL.total_seconds() and self.to_at - self.from_at > INTERVAL and self.follows

    @property
    def follows(self) -> bool:
        """Whether the sensor's clock went on as time did; where it was set, its history is of other days."""
        return abs(self.to_at - self.from_at - timedelta(seconds=self.elapsed_s)) <= _CLOCK_STEP

    def days(self, most: int) -> tuple[date, ...]:
        """The sensor's days the gap touches, the newest ``most`` of them before its last day, in order."""
        count = (self.to_at.date() - self.from_at.date()).days
        return tuple(self.to_at.date() - timedelta(days=back) for back in range(min(count, most), -1, -1))

    def missing(self, history: History) -> int:
        """Whole counting intervals inside the gap that the history does not have."""
        if not self.is_outage:  # wherever intervals begin, so many certainly passed
            return max(0, int(self.elapsed_s // INTERVAL.total_seconds()) - 1)
        known = sum(
            self.from_at <= interval.end_at - INTERVAL and interval.end_at <= self.to_at
            for day in history.values()
            for interval in day.intervals
        )
        begin = datetime.combine(self.from_at.date(), datetime.min.time())
        first = -((begin - self.from_at) // INTERVAL)  # rounded up
        return max(0, (self.to_at - begin) // INTERVAL - first - known)


@dataclass(frozen=True, slots=True)
class Point:
    """People counted since the earlier answer, at a moment inside the gap, in the sensor's time."""

    at: datetime
    people_in: int
    people_out: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What the gap added.

    Attributes:
        people_in: people in.
        people_out: people out.
        points: how it came about, in order of time; empty where the history does not say.
        missing_intervals: whole intervals of the gap that the history does not have.
    """

    people_in: int
    people_out: int
    points: tuple[Point, ...] = ()
    missing_intervals: int = 0


def same_day(gap: Gap, counted: tuple[int, int], more: tuple[int, int], history: History) -> Growth:
    """Spread over a gap within one day what the totals say it added.

    Args:
        gap: the gap.
        counted: people in and out counted of the day before the gap.
        more: people in and out the gap added.
        history: the day, where the sensor has it.
    """
    day = history.get(gap.to_at.date(), Day())
    if gap.is_outage:  # a restart in it may have taken people from the totals that the history still has
        over = Day(tuple(interval for interval in day.intervals if interval.end_at <= gap.to_at))
        more = (max(more[0], over.people_in - counted[0]), max(more[1], over.people_out - counted[1]))
    points = _within(gap, _running(day, -counted[0], -counted[1]), more)
    return Growth(*more, points, gap.missing(history))


def new_day(gap: Gap, counted: tuple[int, int], today: tuple[int, int], history: History) -> Growth:
    """Close the day of the earlier answer and the days between, and begin the new one.

    Args:
        gap: the gap; it has a midnight.
        counted: people in and out counted of the earlier day before the gap.
        today: people in and out since the sensor's last midnight.
        history: days of the gap, where the sensor has them.
    """
    base_in, base_out = 0, 0
    points: list[Point] = []
    for day_date in sorted(history):
        day = history[day_date]
        if day_date == gap.from_at.date():
            before_in, before_out = counted
            points += _running(day, -before_in, -before_out)
        elif day_date == gap.to_at.date():
            points += _running(day, base_in, base_out)
            break
        else:
            before_in = before_out = 0
            points += _running(day, base_in, base_out)
        base_in += max(0, day.people_in - before_in)
        base_out += max(0, day.people_out - before_out)
    more = (base_in + today[0], base_out + today[1])
    return Growth(*more, _within(gap, points, more), gap.missing(history))


def restarted(gap: Gap, counted: tuple[int, int], today: tuple[int, int], history: History) -> tuple[Growth, bool]:
    """Totals fell within a day.

    Args:
        gap: the gap.
        counted: people in and out counted of the day before.
        today: what the totals say now.
        history: the day, where the sensor has it.

    Returns:
        What was added, and whether the sensor's history survived: after ``clear-data`` it begins anew as the totals do.
    """
    day = history.get(gap.to_at.date())
    survived = day is None or (day.people_in >= counted[0] and day.people_out >= counted[1])
    if day is None or not survived:
        growth = same_day(gap, counted, today, {})
        return growth, survived
    more = (max(today[0], day.people_in - counted[0]), max(today[1], day.people_out - counted[1]))
    return same_day(gap, counted, more, history), True


def _running(day: Day, base_in: int, base_out: int) -> Iterator[Point]:
    for interval in day.intervals:
        base_in, base_out = base_in + interval.people_in, base_out + interval.people_out
        yield Point(interval.end_at, base_in, base_out)


def _within(gap: Gap, points: Iterator[Point] | list[Point], most: tuple[int, int]) -> tuple[Point, ...]:
    """Points inside an outage, never falling and never above what the gap added."""
    if not gap.is_outage:
        return ()
    inside: list[Point] = []
    high_in = high_out = 0
    for point in points:
        if gap.from_at < point.at < gap.to_at:
            high_in = min(most[0], max(high_in, point.people_in))
            high_out = min(most[1], max(high_out, point.people_out))
            inside.append(Point(point.at, high_in, high_out))
    return tuple(inside)
