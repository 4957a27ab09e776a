"""Readings summed up by time: the one definition of a roll-up, when it is written and when it is asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.store import Buckets
from contracts.readings import Float64s, Int32s, Int64s


@dataclass(frozen=True, slots=True)
class Sums:
    """What is known of stretches of series, in order of series and time; no two of a series overlap.

    Attributes:
        series: number of the series, shape (n,).
        begin: begin of the stretch, or time of the one reading in it, milliseconds since 1970 UTC, shape (n,).
        count: readings, at least 1, shape (n,).
        minimum: least value, shape (n,).
        maximum: largest value, shape (n,).
        total: sum of the values, shape (n,).
        first: value of the oldest reading, shape (n,).
        last: value of the newest reading, shape (n,).
        rise: what a counter rose by from the oldest to the newest, shape (n,).
    """

    series: Int32s
    begin: Int64s
    count: Int64s
    minimum: Float64s
    maximum: Float64s
    total: Float64s
    first: Float64s
    last: Float64s
    rise: Float64s

    def __len__(self) -> int:
        return len(self.series)

    @staticmethod
    def of_readings(series: Int32s, observed_at_ms: Int64s, value: Float64s) -> "Sums":
        """Each reading a stretch of its own; sorted by series, time and arrival."""
        ones, zeros = np.ones(len(series), np.int64), np.zeros(len(series))
        return Sums(series, observed_at_ms, ones, value, value, value, value, value, zeros)

    def chosen(self, which: npt.NDArray[Any]) -> "Sums":
        """Some of the stretches, by index or mask."""
        return Sums(*(getattr(self, field.name)[which] for field in fields(self)))


def joined(parts: Iterable[Sums]) -> Sums:
    """Several as one, in order of series and time; stretches that begin at one time stay in the order of the parts."""
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    whole = Sums(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Sums)))
    return whole.chosen(np.lexsort((whole.begin, whole.series)))


def summed_up(sums: Sums, bucket_ms: int) -> Sums:
    """Stretches put together to buckets of equal length, a multiple of their own; empty buckets are left out."""
    if not len(sums):
        return sums
    bucket = sums.begin - sums.begin % bucket_ms
    begins = np.append(True, (np.diff(sums.series) != 0) | (np.diff(bucket) != 0))
    heads = np.flatnonzero(begins)
    tails = np.append(heads[1:], len(sums)) - 1
    rises = sums.rise + np.where(begins, 0.0, _joint_rises(sums))
    return Sums(
        series=sums.series[heads],
        begin=bucket[heads],
        count=np.add.reduceat(sums.count, heads),
        minimum=np.minimum.reduceat(sums.minimum, heads),
        maximum=np.maximum.reduceat(sums.maximum, heads),
        total=np.add.reduceat(sums.total, heads),
        first=sums.first[heads],
        last=sums.last[tails],
        rise=np.add.reduceat(rises, heads),
    )


def added(sums: Sums, late: Sums) -> Sums:
    """Buckets, and what came late to them; both of one length, in order.

    Where a late reading stands among the others of its bucket nobody knows any more: a bucket that was there keeps its first
    and last value and its rise.
    """
    whole = joined([sums, late])
    if not len(sums) or not len(late):
        return whole
    heads = np.flatnonzero(np.append(True, (np.diff(whole.series) != 0) | (np.diff(whole.begin) != 0)))
    return replace(
        whole.chosen(heads),
        count=np.add.reduceat(whole.count, heads),
        minimum=np.minimum.reduceat(whole.minimum, heads),
        maximum=np.maximum.reduceat(whole.maximum, heads),
        total=np.add.reduceat(whole.total, heads),
    )


def buckets_by_series(sums: Sums) -> Mapping[int, Buckets]:
    """Buckets as the port gives them, for each series."""
    if not len(sums):
        return {}
    new_series = np.append(True, np.diff(sums.series) != 0)
    increase = sums.rise + np.where(new_series, 0.0, _joint_rises(sums))
    mean = sums.total / sums.count
    heads = np.flatnonzero(new_series)
    found = {}
    for low, high in zip(heads.tolist(), [*heads[1:].tolist(), len(sums)], strict=True):
        found[int(sums.series[low])] = Buckets(
            begins_at_ms=sums.begin[low:high],
            count=sums.count[low:high],
            minimum=sums.minimum[low:high],
            maximum=sums.maximum[low:high],
            mean=mean[low:high],
            last=sums.last[low:high],
            increase=increase[low:high],
        )
    return found


def _joint_rises(sums: Sums) -> Float64s:
    """What a counter rose by from the stretch before to the first reading of each; it says nothing where a series begins."""
    before = np.append(0.0, sums.last[:-1])
    return np.where(sums.first >= before, sums.first - before, sums.first)
