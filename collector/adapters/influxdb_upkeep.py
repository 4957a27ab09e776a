"""The upkeep of the InfluxDB store: roll-ups of hours that have new readings, commits that need no longer be kept, retention.

Which hours of which branch have readings that are in no roll-up is noted with the commit that brings them. Late readings
make their hour dirty again, and its roll-ups are written anew over the old ones.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from collector.adapters.influxdb_lines import MEASUREMENT, NS_PER_MS, milliseconds, tag_set_of
from collector.adapters.influxdb_queries import InfluxQueries, Series, any_of, has_tags, identifier, select, within
from collector.adapters.influxdb_records import DirtyHour
from collector.adapters.influxdb_sums import Sums, joined, of_readings, summed
from collector.adapters.influxdb_writes import InfluxWrites
from collector.store import HOUR_MS, MINUTE_MS
from contracts.readings import Float64s, Int64s

BRANCHES_AT_ONCE: Final = 16

_FIELDS: Final = ("count", "min", "max", "mean", "first", "last", "increase")


def due(dirty: Iterable[DirtyHour], busy: Iterable[DirtyHour], now_ms: int) -> list[DirtyHour]:
    """Dirty hours to roll up next: of one hour that is over, some branches that no commit under way belongs to.

    Args:
        dirty: dirty hours.
        busy: those that are being written to.
        now_ms: milliseconds since 1970 UTC.
    """
    ready = {hour for hour in dirty if hour[0] + HOUR_MS <= now_ms}.difference(busy)
    if not ready:
        return []
    oldest = min(ready)[0]
    return sorted(hour for hour in ready if hour[0] == oldest)[:BRANCHES_AT_ONCE]


async def roll_up(queries: InfluxQueries, writes: InfluxWrites, hours: Sequence[DirtyHour]) -> int:
    """Sum up the readings of some branches in one hour by minutes and by the hour.

    Returns:
        How many readings were summed up.
    """
    begin_ms = hours[0][0]
    branches = any_of(has_tags({"branch": branch_id}) for _, branch_id in hours)
    where = f"{within(begin_ms, begin_ms + HOUR_MS)} AND {branches}"
    names: dict[str, int] = {}
    parts: list[Sums] = []
    async for series in queries.ask(select("value", MEASUREMENT, where), "readings", patient=True):
        number = names.setdefault(tag_set_of(series.tags), len(names))
        times_ms, values = columns(series)
        parts.append(of_readings(np.full(len(values), number, np.int64), times_ms, values))
    tags = list(names)
    minutes = summed(joined(parts), MINUTE_MS)
    await writes.write("minutes", lines(minutes, tags))
    await writes.write("hours", lines(summed(minutes, HOUR_MS), tags))
    return int(minutes.count.sum())


def lines(rows: Sums, tags: Sequence[str]) -> list[str]:
    """Roll-ups as lines; of a single reading only that, which is what most minutes hold.

    Late readings only add to a count, so what stood for one reading is wholly overwritten by what stands for several.
    """
    numbers = zip(
        rows.series.tolist(), rows.begins_at_ms.tolist(), rows.count.tolist(), rows.minimum.tolist(),
        rows.maximum.tolist(), rows.mean.tolist(), rows.first.tolist(), rows.last.tolist(), rows.inner.tolist(),
        strict=True,
    )  # fmt: skip
    return [
        f"{MEASUREMENT},{tags[series]} last={last!r} {begin * NS_PER_MS}"
        if count == 1
        else f"{MEASUREMENT},{tags[series]} count={count}i,min={low!r},max={high!r},mean={mean!r},first={first!r},"
        f"last={last!r},increase={inner!r} {begin * NS_PER_MS}"
        for series, begin, count, low, high, mean, first, last, inner in numbers
    ]


def rolled_up(series: Series, number: int) -> Sums:
    """Rows of ``SELECT *`` over roll-ups as sums."""
    times_ms, last = milliseconds(np.array(series.column("time"), np.int64)), _numbers(series, "last")
    alone = of_readings(np.full(len(last), number, np.int64), times_ms, last)
    count = _numbers(series, "count")
    several = ~np.isnan(count)
    return Sums(
        series=alone.series,
        begins_at_ms=times_ms,
        count=np.where(several, np.nan_to_num(count), 1).astype(np.int64),
        minimum=np.where(several, _numbers(series, "min"), last),
        maximum=np.where(several, _numbers(series, "max"), last),
        mean=np.where(several, _numbers(series, "mean"), last),
        first=np.where(several, _numbers(series, "first"), last),
        last=last,
        inner=np.where(several, _numbers(series, "increase"), 0.0),
    )


def roll_ups_question(where: str) -> str:
    """What to ask for the roll-ups of some series."""
    return select(", ".join(identifier(name) for name in _FIELDS), MEASUREMENT, where)


def columns(series: Series) -> tuple[Int64s, Float64s]:
    """Times in milliseconds and values."""
    return milliseconds(np.array(series.column("time"), np.int64)), _numbers(series, "value")


def marked_live(series: Series) -> npt.NDArray[np.bool_]:
    """Whether points came on the live stream."""
    return np.array([mark is not True for mark in series.column("backfilled")], np.bool_)


def _numbers(series: Series, name: str) -> Float64s:
    return np.array(series.column(name), np.float64)
