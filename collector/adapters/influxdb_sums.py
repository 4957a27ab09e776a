"""Sums over stretches of time: of readings, of roll-ups, and of both together.

A reading is the roll-up of itself alone, so there is one way to put things together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.store import Buckets
from contracts.readings import Float64s, Int64s


@dataclass(frozen=True, slots=True)
class Sums:
    """Roll-ups of several series, ordered by series and then by time, all columns of shape (n,).

    Attributes:
        series: which series; whatever numbers tell them apart.
        begins_at_ms: begin of each stretch; of a reading its own time.
        first: value of the oldest reading.
        inner: what a counter rose by from the oldest to the newest reading.
    """

    series: Int64s
    begins_at_ms: Int64s
    count: Int64s
    minimum: Float64s
    maximum: Float64s
    mean: Float64s
    first: Float64s
    last: Float64s
    inner: Float64s

    def __len__(self) -> int:
        return len(self.series)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "Sums":
        """Some of the rows."""
        return Sums(*(column[chosen] for column in self._columns()))

    def _columns(self) -> tuple[npt.NDArray[Any], ...]:
        return tuple(getattr(self, name) for name in self.__slots__)


def of_readings(series: Int64s, times_ms: Int64s, values: Float64s) -> Sums:
    """Readings as roll-ups of themselves; they are ordered by series and time."""
    once, none = np.ones(len(series), np.int64), np.zeros(len(series))
    return Sums(series, times_ms, once, values, values, values, values, values, none)


def joined(parts: Sequence[Sums]) -> Sums:
    """Several lots as one, in order; of one series and time in the order of the lots."""
    if not parts:
        none = np.zeros(0)
        return of_readings(none.astype(np.int64), none.astype(np.int64), none)
    together = Sums(*(np.concatenate(columns) for columns in zip(*(part._columns() for part in parts), strict=True)))  # noqa: SLF001  (its own class)
    return together.take(np.lexsort((together.begins_at_ms, together.series)))


def summed(rows: Sums, bucket_ms: int) -> Sums:
    """Put rows together by buckets that are multiples of theirs."""
    if not len(rows):
        return rows
    begins = rows.begins_at_ms - rows.begins_at_ms % bucket_ms
    same = (rows.series[1:] == rows.series[:-1]) & (begins[1:] == begins[:-1])
    starts = np.flatnonzero(np.concatenate(([True], ~same)))
    ends = np.append(starts[1:], len(rows)) - 1
    inner = rows.inner.copy()
    inner[1:] += np.where(same, _rises(rows), 0.0)
    count = np.add.reduceat(rows.count, starts)
    return Sums(
        series=rows.series[starts],
        begins_at_ms=begins[starts],
        count=count,
        minimum=np.minimum.reduceat(rows.minimum, starts),
        maximum=np.maximum.reduceat(rows.maximum, starts),
        mean=np.add.reduceat(rows.mean * rows.count, starts) / count,
        first=rows.first[starts],
        last=rows.last[ends],
        inner=np.add.reduceat(inner, starts),
    )


def buckets(rows: Sums) -> dict[int, Buckets]:
    """Sums as a reader of the store gets them, by series."""
    if not len(rows):
        return {}
    new = rows.series[1:] != rows.series[:-1]
    increase = rows.inner.copy()
    increase[1:] += np.where(new, 0.0, _rises(rows))
    bounds = [0, *(np.flatnonzero(new) + 1).tolist(), len(rows)]
    return {
        int(rows.series[low]): Buckets(
            rows.begins_at_ms[low:high],
            rows.count[low:high],
            rows.minimum[low:high],
            rows.maximum[low:high],
            rows.mean[low:high],
            rows.last[low:high],
            increase[low:high],
        )
        for low, high in pairwise(bounds)
    }


def _rises(rows: Sums) -> Float64s:
    """What a counter rose by from each row to the next; one that fell began again at 0."""
    before, after = rows.last[:-1], rows.first[1:]
    return np.where(after >= before, after - before, after)
