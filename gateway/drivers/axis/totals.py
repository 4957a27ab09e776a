"""From totals that start anew every midnight to counters that only grow. Pure.

A counter starts at 0 with the first answer seen: what was counted before is not known to have been reported or not.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.driver import Observation
from gateway.drivers.axis.live_sum import LiveSum

INTERVAL_S: Final = 900
"""Length of a sensor's counting intervals.

Source: Axis People Counter, export-json, default resolution 15m.
"""

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
        missing_intervals: counting intervals that passed without an answer.
        counted_s: when a total last grew, on the steady clock; when the first answer came, before that.
    """

    last: LiveSum
    received_s: float
    change: Change
    people_in: int
    people_out: int
    reboots: int
    missing_intervals: int
    counted_s: float


def advance(totals: Totals | None, answer: LiveSum, received_s: float) -> Totals:
    """Take the next answer."""
    if totals is None:
        return Totals(answer, received_s, Change.FIRST, 0, 0, 0, 0, received_s)
    change = classify(totals.last, answer)
    if change is Change.SWAPPED:
        # Nobody knows what either sensor counted in between; the new one starts from where it is.
        return replace(totals, last=answer, received_s=received_s, change=change)
    continues = change is Change.CONTINUED
    more_in = answer.in_today - (totals.last.in_today if continues else 0)
    more_out = answer.out_today - (totals.last.out_today if continues else 0)
    return Totals(
        last=answer,
        received_s=received_s,
        change=change,
        people_in=totals.people_in + more_in,
        people_out=totals.people_out + more_out,
        reboots=totals.reboots + (change is Change.RESTARTED),
        missing_intervals=totals.missing_intervals + _whole_intervals(totals.received_s, received_s),
        counted_s=received_s if more_in or more_out else totals.counted_s,
    )


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


def _whole_intervals(from_s: float, to_s: float) -> int:
    """Counting intervals that certainly began and ended between two answers, wherever the intervals begin."""
    return max(0, int((to_s - from_s) // INTERVAL_S) - 1)


def observe(totals: Totals, now_s: float) -> list[Observation]:
    """Observations that follow from the totals; ``now_s`` on the steady clock."""
    today = totals.last
    observations = [
        Observation("total/in", totals.people_in),
        Observation("total/out", totals.people_out),
        Observation("total/occupancy", max(0, today.in_today - today.out_today)),
        Observation("sensor/reboots", totals.reboots),
        Observation("sensor/missing_intervals", totals.missing_intervals),
        Observation("sensor/last_count_age", round(now_s - totals.counted_s, 3)),
    ]
    if today.in_today + today.out_today >= _IMBALANCE_FROM_COUNTS:
        more = max(today.in_today, today.out_today)
        observations.append(Observation("sensor/imbalance", round(abs(today.in_today - today.out_today) / more, 4)))
    return observations


def wait_to_next_s(device_time: datetime, poll_s: float) -> float:
    """Seconds to the next poll.

    A poll that would fall behind the sensor's midnight is brought forward to just before it, because what is counted after
    the last poll of a day is gone with the totals.
    """
    since_midnight = device_time - datetime.combine(device_time.date(), datetime.min.time())
    to_last_s = (timedelta(days=1) - since_midnight).total_seconds() - _BEFORE_MIDNIGHT_S
    return min(poll_s, to_last_s) if to_last_s >= 1 else poll_s
