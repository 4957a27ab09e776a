"""From totals that start anew every midnight to counters that only grow. Pure.

A counter starts at 0 with the first answer seen: what was counted before is not known to have been reported or not.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.driver import Observation
from gateway.drivers.axis import backfill
from gateway.drivers.axis.backfill import Gap, Point
from gateway.drivers.axis.history import Day, History
from gateway.drivers.axis.live_sum import LiveSum

_IMBALANCE_FROM_COUNTS: Final = 50
_BEFORE_MIDNIGHT_S: Final = 2.0


class Change(StrEnum):
    """What an answer was in relation to the one before it."""

    FIRST = "first"
    CONTINUED = "continued"
    NEW_DAY = "new_day"
    RESTARTED = "restarted"  # totals fell although the day is the same
    SWAPPED = "swapped"  # another sensor answers


@dataclass(frozen=True, slots=True)
class Totals:
    """What is known after an answer.

    Attributes:
        last: the answer.
        received_s: when it came, on a steady clock.
        change: what it was in relation to the one before it.
        people_in: people in since the first answer.
        people_out: people out since the first answer.
        reboots: restarts seen.
        missing_intervals: counting intervals of which nobody knows what was counted in them.
        counted_s: when a total last grew, on the steady clock; when the first answer came, before that.
        day_in: people in counted of the sensor's day so far, as its history has them; more than its total after a restart.
        day_out: people out, likewise.
        points: how the counters got here from the answer before, where that was long ago.
    """

    last: LiveSum
    received_s: float
    change: Change
    people_in: int
    people_out: int
    reboots: int
    missing_intervals: int
    counted_s: float
    day_in: int
    day_out: int
    points: tuple[Point, ...] = field(default=(), compare=False)


def days_to_ask(totals: Totals | None, answer: LiveSum, received_s: float, most: int) -> tuple[date, ...]:
    """The sensor's days whose history is needed to go on from ``totals`` to ``answer``; at most ``most`` past ones."""
    if most == 0:
        return ()
    if totals is None or classify(totals.last, answer) is Change.SWAPPED:
        return (
            answer.timestamp.date(),
        )  # so that what it counted before a restart of today is not taken for new later
    gap, change = _gap(totals, answer, received_s), classify(totals.last, answer)
    if not gap.follows:
        return ()
    if change is Change.NEW_DAY:
        days = gap.days(most)
        return days if gap.is_outage else days[:-1]
    restarted = change is Change.RESTARTED and answer.timestamp.date() == totals.last.timestamp.date()
    return gap.days(0) if gap.is_outage or restarted else ()


def advance(totals: Totals | None, answer: LiveSum, received_s: float, history: History | None = None) -> Totals:
    """Take the next answer.

    Args:
        totals: what was known before; ``None`` where nothing was.
        answer: the answer.
        received_s: when it came, on the steady clock.
        history: of the days asked for, those the sensor has.
    """
    known = history or {}
    begun = known.get(answer.timestamp.date(), Day()).until(answer.timestamp)
    begun_in, begun_out = max(answer.in_today, begun.people_in), max(answer.out_today, begun.people_out)
    if totals is None:
        return Totals(answer, received_s, Change.FIRST, 0, 0, 0, 0, received_s, day_in=begun_in, day_out=begun_out)
    change = classify(totals.last, answer)
    if change is Change.SWAPPED:
        # Nobody knows what either sensor counted in between; the new one starts from where it is.
        return replace(
            totals, last=answer, received_s=received_s, change=change, points=(),
            day_in=begun_in, day_out=begun_out,
        )  # fmt: skip
    gap = _gap(totals, answer, received_s)
    counted, today = (totals.day_in, totals.day_out), (answer.in_today, answer.out_today)
    goes_on = True
    if change is Change.NEW_DAY:
        growth, goes_on = backfill.new_day(gap, counted, today, known), False
    elif change is Change.RESTARTED:
        growth, goes_on = backfill.restarted(gap, counted, today, known)
    else:
        more = (today[0] - totals.last.in_today, today[1] - totals.last.out_today)
        growth = backfill.same_day(gap, counted, more, known)
    return Totals(
        last=answer,
        received_s=received_s,
        change=change,
        people_in=totals.people_in + growth.people_in,
        people_out=totals.people_out + growth.people_out,
        reboots=totals.reboots + (change is Change.RESTARTED),
        missing_intervals=totals.missing_intervals + growth.missing_intervals,
        counted_s=received_s if growth.people_in or growth.people_out else totals.counted_s,
        day_in=counted[0] + growth.people_in if goes_on else today[0],
        day_out=counted[1] + growth.people_out if goes_on else today[1],
        points=growth.points,
    )


def _gap(totals: Totals, answer: LiveSum, received_s: float) -> Gap:
    return Gap(totals.last.timestamp, answer.timestamp, received_s - totals.received_s)


def classify(last: LiveSum, answer: LiveSum) -> Change:
    """Tell what an answer is in relation to the last one.

    The sensor's date decides, for it is the sensor's midnight that sets the totals to 0: after a missed midnight the totals
    may well have passed yesterday's. A clock that was set back a day without a fall of the totals changes nothing.
    """
    if answer.serial != last.serial:
        return Change.SWAPPED
    if answer.timestamp.date() > last.timestamp.date():
        return Change.NEW_DAY
    if answer.in_today < last.in_today or answer.out_today < last.out_today:
        return Change.RESTARTED
    return Change.CONTINUED


def observe(totals: Totals, now_s: float) -> list[Observation]:
    """Observations that follow from the totals; ``now_s`` on the steady clock."""
    observations = [
        Observation("total/in", totals.people_in),
        Observation("total/out", totals.people_out),
        Observation("total/occupancy", max(0, totals.day_in - totals.day_out)),
        Observation("sensor/reboots", totals.reboots),
        Observation("sensor/missing_intervals", totals.missing_intervals),
        Observation("sensor/last_count_age", round(now_s - totals.counted_s, 3)),
    ]
    if totals.day_in + totals.day_out >= _IMBALANCE_FROM_COUNTS:
        more = max(totals.day_in, totals.day_out)
        observations.append(Observation("sensor/imbalance", round(abs(totals.day_in - totals.day_out) / more, 4)))
    return observations


def wait_to_next_s(device_time: datetime, poll_s: float) -> float:
    """Seconds to the next poll.

    A poll that would fall behind the sensor's midnight is brought forward to just before it, because what is counted after
    the last poll of a day is gone with the totals.
    """
    since_midnight = device_time - datetime.combine(device_time.date(), datetime.min.time())
    to_last_s = (timedelta(days=1) - since_midnight).total_seconds() - _BEFORE_MIDNIGHT_S
    return min(poll_s, to_last_s) if to_last_s >= 1 else poll_s
