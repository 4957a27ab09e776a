"""What is known of every series, as columns; and the sieve that keeps readings which change nothing away from Python.

The sieve must not be seen in the results: a reading it holds back is one that, taken alone, would have had no effect.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.readings import Float64s, Int64s, ReadingBatch

_NEVER: Final = np.iinfo(np.int64).max
_TIME_BITS: Final = 42  # milliseconds until the year 2109; leaves room for two million series in a batch


@dataclass(frozen=True, slots=True)
class Sifted:
    """Accepted live readings of watched series, grouped by series, each group in order of time.

    Attributes:
        series: series numbers.
        observed_at_ms: times; within a group they grow.
        value: values.
        arrival: index in the batch.
        loud: indexes into these columns of the readings that Python must see, in order of arrival.
    """

    series: Int64s
    observed_at_ms: Int64s
    value: Float64s
    arrival: Int64s
    loud: Int64s

    def seen_ms(self, series: int, before_arrival: int) -> int:
        """Newest accepted time of a series among the readings that arrived before another one, 0 for none."""
        mine = (self.series == series) & (self.arrival < before_arrival)
        return int(self.observed_at_ms[mine].max(initial=0))


class Columns:
    """Columns with a place for each series number."""

    def __init__(self) -> None:
        self.size = 0
        self.watched: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.value: Float64s = np.zeros(0)
        self.seen_ms: Int64s = np.zeros(0, np.int64)
        self.silence_ms: Int64s = np.zeros(0, np.int64)
        self.awake: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.quiet_low: Float64s = np.zeros(0)
        self.quiet_high: Float64s = np.zeros(0)

    def grow(self, size: int) -> None:
        """Make room for series numbers below ``size``."""
        if size > len(self.value):
            more = max(size, 2 * len(self.value), 1024) - len(self.value)
            self.watched = np.append(self.watched, np.zeros(more, np.bool_))
            self.value = np.append(self.value, np.full(more, math.nan))
            self.seen_ms = np.append(self.seen_ms, np.zeros(more, np.int64))
            self.silence_ms = np.append(self.silence_ms, np.full(more, _NEVER, np.int64))
            self.awake = np.append(self.awake, np.zeros(more, np.bool_))
            self.quiet_low = np.append(self.quiet_low, np.full(more, math.inf))
            self.quiet_high = np.append(self.quiet_high, np.full(more, -math.inf))
        self.size = max(self.size, size)

    def sift(self, batch: ReadingBatch) -> Sifted:
        """Sort a batch out; nothing is remembered of it until :meth:`settle`.

        Held back are readings of series no rule watches, back-filled ones, those not newer than one already taken of
        their series, and those whose value changes no verdict.
        """
        index = np.flatnonzero(batch.live & self.watched[batch.series])
        series = batch.series[index].astype(np.int64)
        order = np.argsort(series, kind="stable")
        series, arrival = series[order], index[order].astype(np.int64)
        time, value = batch.observed_at_ms[arrival], batch.value[arrival]
        newer = self._newer(series, time)
        series, arrival, time, value = series[newer], arrival[newer], time[newer], value[newer]
        if len(series) == 0:
            return Sifted(series, time, value, arrival, np.zeros(0, np.int64))

        first = _first_of_group(series)
        previous_value = np.where(first, self.value[series], np.roll(value, 1))
        previous_ms = np.where(first, self.seen_ms[series], np.roll(time, 1))
        changed = value != previous_value
        quiet = (value >= self.quiet_low[series]) & (value <= self.quiet_high[series])
        needed = (changed & ~quiet) | self.awake[series] | (time.max() - previous_ms >= self.silence_ms[series])
        # Once one reading of a series may change a verdict, what is quiet after it is not known here.
        any_needed = np.logical_or.reduceat(needed, np.flatnonzero(first))
        needed |= changed & any_needed[np.cumsum(first) - 1]
        loud = np.flatnonzero(needed)
        return Sifted(series, time, value, arrival, loud[np.argsort(arrival[loud], kind="stable")])

    def _newer(self, series: Int64s, time: Int64s) -> npt.NDArray[np.bool_]:
        """Which readings are newer than all earlier ones of their series."""
        if len(series) == 0:
            return np.zeros(0, np.bool_)
        first = _first_of_group(series)
        offset = (np.cumsum(first) - 1) << _TIME_BITS
        known = self.seen_ms[series]
        newest = np.maximum.accumulate(np.maximum(time, known) + offset) - offset
        before = np.where(first, known, np.roll(newest, 1))
        newer: npt.NDArray[np.bool_] = time > before
        return newer

    def settle(self, sifted: Sifted) -> None:
        """Remember the newest reading of each series."""
        if len(sifted.series):
            last = np.append(_first_of_group(sifted.series)[1:], True)
            self.value[sifted.series[last]] = sifted.value[last]
            self.seen_ms[sifted.series[last]] = sifted.observed_at_ms[last]


def _first_of_group(series: Int64s) -> npt.NDArray[np.bool_]:
    first = np.ones(len(series), np.bool_)
    first[1:] = series[1:] != series[:-1]
    return first
