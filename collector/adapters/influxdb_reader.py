"""Readings, events and sums as InfluxDB holds them."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from collector.adapters.influxdb_lines import (
    EVENT_MEASUREMENT,
    MEASUREMENT,
    MOST_MS,
    NS_PER_MS,
    milliseconds,
    tag_set_of,
)
from collector.adapters.influxdb_queries import InfluxQueries, Series, select, within
from collector.adapters.influxdb_records import DAY_MS, DirtyHour, Horizons
from collector.adapters.influxdb_series import SeriesTags, conditions
from collector.adapters.influxdb_sums import Sums, buckets, joined, of_readings, summed
from collector.adapters.influxdb_upkeep import columns, marked_live, roll_ups_question, rolled_up
from collector.series import DERIVED_PATHS
from collector.store import HOUR_MS, MINUTE_MS, ROLL_UPS_MS, Audit, Buckets, SeriesRange
from contracts.devices import GATEWAY
from contracts.readings import EventReading

_RAW_MS: Final = 6 * HOUR_MS
"""Up to here readings are summed up when asked: quicker than to ask for roll-ups and for readings."""

_POLICIES: Final = {MINUTE_MS: "minutes", HOUR_MS: "hours"}


class InfluxReader:
    """Reads; holds nothing of its own.

    Args:
        queries: where to ask.
        series: numbers and tags.
    """

    def __init__(self, queries: InfluxQueries, series: SeriesTags) -> None:
        self._queries = queries
        self._series = series

    async def ranges(self, series: Iterable[int], from_ms: int, to_ms: int, limit: int) -> dict[int, SeriesRange]:
        """The newest readings of each series in an interval, at most ``limit`` of each."""
        numbers = self._series.known(series)
        lots: dict[int, list[Series]] = {}
        for condition in conditions(numbers):
            question = select("value", MEASUREMENT, f"{within(from_ms, to_ms)} AND {condition}", limit)
            async for lot in self._queries.ask(question, "readings"):
                lots.setdefault(numbers[tag_set_of(lot.tags)], []).append(lot)
        found = {}
        for number, parts in lots.items():
            times, values = zip(*(columns(part) for part in parts), strict=True)
            found[number] = SeriesRange(np.concatenate(times)[::-1], np.concatenate(values)[::-1])
        return found

    async def buckets(
        self, series: Iterable[int], from_ms: int, to_ms: int, bucket_ms: int, dirty: set[DirtyHour], horizons: Horizons
    ) -> dict[int, Buckets]:
        """Sums of several series: from roll-ups where these are up to date, else from the readings.

        Args:
            series: numbers of series.
            from_ms: begin.
            to_ms: end.
            bucket_ms: length.
            dirty: hours of branches whose roll-ups are not up to date.
            horizons: what is past its retention.
        """
        from_ms, to_ms = from_ms - from_ms % bucket_ms, to_ms + -to_ms % bucket_ms
        numbers = self._series.known(series)
        base_ms = max((size for size in ROLL_UPS_MS if bucket_ms % size == 0), default=None)
        kept_from_ms = max(from_ms, horizons.readings_ms)
        if base_ms is None or (to_ms - from_ms <= _RAW_MS and kept_from_ms == from_ms):
            rows = await self._readings(numbers, kept_from_ms, to_ms)
            return buckets(summed(rows, bucket_ms))
        branches = {self._series.branch(number) for number in numbers.values()}
        unsummed: dict[str, set[int]] = {}
        for hour_ms, branch_id in dirty:
            if branch_id in branches and horizons.readings_ms <= hour_ms < to_ms and hour_ms + HOUR_MS > from_ms:
                unsummed.setdefault(branch_id, set()).add(hour_ms)
        tier_from_ms = max(from_ms, horizons.minutes_ms if base_ms == MINUTE_MS else horizons.hours_ms)
        rows = await self._roll_ups(numbers, tier_from_ms, to_ms, _POLICIES[base_ms])
        parts = [rows.take(~self._is_in(rows, unsummed))]
        for low_ms, high_ms in _runs(set().union(*unsummed.values())):
            rows = await self._readings(numbers, max(low_ms, kept_from_ms), min(high_ms, to_ms))
            parts.append(rows.take(self._is_in(rows, unsummed)))
        return buckets(summed(joined(parts), bucket_ms))

    async def events(self, series: Iterable[int], from_ms: int, to_ms: int, limit: int) -> list[EventReading]:
        """The newest events of some series in an interval, ascending."""
        numbers = self._series.known(series)
        found: list[tuple[int, EventReading]] = []
        for condition in conditions(numbers):
            where = f"{within(from_ms, to_ms)} AND {condition}"
            question = select("text, backfilled", EVENT_MEASUREMENT, where, limit)
            async for lot in self._queries.ask(question, "events"):
                found += events_of(lot, numbers[tag_set_of(lot.tags)])
        found.sort(key=time_of)
        return [event for _, event in found[max(0, len(found) - limit) :]]

    async def count(self, position: int, horizons: Horizons, days: Iterable[int]) -> Audit:
        """Count all there is, a day at a time: the server needs memory for each series of each day it is asked for."""
        readings, distinct, derived, events, distinct_events = 0, 0, 0, 0, 0
        for low_ms, high_ms in stretches(days, horizons.readings_ms or -MOST_MS, MOST_MS):
            seen = _Distinct()
            question = select("value", MEASUREMENT, within(low_ms, high_ms))
            async for lot in self._queries.ask(question, "readings", patient=True):
                if lot.tags["kind"] == GATEWAY.name and lot.tags["path"] in DERIVED_PATHS:
                    derived += len(lot.values)
                    continue
                readings += len(lot.values)
                distinct += seen.more(lot)
        for low_ms, high_ms in stretches(days, horizons.events_ms or -MOST_MS, MOST_MS):
            seen = _Distinct()
            question = select("text", EVENT_MEASUREMENT, within(low_ms, high_ms))
            async for lot in self._queries.ask(question, "events", patient=True):
                events += len(lot.values)
                distinct_events += seen.more(lot)
        return Audit(readings, distinct, events, distinct_events, derived, position)

    async def _readings(self, numbers: Mapping[str, int], from_ms: int, to_ms: int) -> Sums:
        parts = []
        for condition in conditions(numbers):
            question = select("value", MEASUREMENT, f"{within(from_ms, to_ms)} AND {condition}")
            async for lot in self._queries.ask(question, "readings"):
                times_ms, values = columns(lot)
                number = numbers[tag_set_of(lot.tags)]
                parts.append(of_readings(np.full(len(values), number, np.int64), times_ms, values))
        return joined(parts)

    async def _roll_ups(self, numbers: Mapping[str, int], from_ms: int, to_ms: int, policy: str) -> Sums:
        parts = []
        for condition in conditions(numbers):
            question = roll_ups_question(f"{within(from_ms, to_ms)} AND {condition}")
            async for lot in self._queries.ask(question, policy):
                parts.append(rolled_up(lot, numbers[tag_set_of(lot.tags)]))  # noqa: PERF401  (ruff knows no async list.extend)
        return joined(parts)

    def _is_in(self, rows: Sums, hours: Mapping[str, set[int]]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which rows are of one of these hours of their branch."""
        chosen = np.zeros(len(rows), np.bool_)
        row_hours = rows.begins_at_ms - rows.begins_at_ms % HOUR_MS
        for number in np.unique(rows.series).tolist():
            of_branch = hours.get(self._series.branch(number))
            if of_branch:
                chosen |= (rows.series == number) & np.isin(row_hours, np.array(sorted(of_branch), np.int64))
        return chosen


class _Distinct:
    """Counts the milliseconds that have points, series by series, across lots."""

    def __init__(self) -> None:
        self._tags: dict[str, str] = {}
        self._last_ms: int | None = None

    def more(self, lot: Series) -> int:
        """Milliseconds of a lot that its series had none of before."""
        times_ms = milliseconds(np.array(lot.column("time"), np.int64))
        continues = lot.tags == self._tags and self._last_ms == int(times_ms[0])
        self._tags, self._last_ms = lot.tags, int(times_ms[-1])
        return int(np.count_nonzero(np.diff(times_ms))) + (0 if continues else 1)


def stretches(days: Iterable[int], from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """What of some days is within an interval, in order, ends not included."""
    parts = ((max(day_ms, from_ms), min(day_ms + DAY_MS, to_ms)) for day_ms in sorted(days))
    return [(low_ms, high_ms) for low_ms, high_ms in parts if low_ms < high_ms]


def events_of(lot: Series, number: int) -> list[tuple[int, EventReading]]:
    """Events with their exact times."""
    rows = zip(lot.column("time"), lot.column("text"), marked_live(lot).tolist(), strict=True)
    return [(at_ns, EventReading(number, at_ns // NS_PER_MS, text, live)) for at_ns, text, live in rows]


def time_of(event: tuple[int, EventReading]) -> int:
    return event[0]


def _runs(hours: Iterable[int]) -> list[tuple[int, int]]:
    """Stretches of hours without a gap, ends not included."""
    runs: list[tuple[int, int]] = []
    for hour_ms in sorted(hours):
        if runs and runs[-1][1] == hour_ms:
            runs[-1] = (runs[-1][0], hour_ms + HOUR_MS)
        else:
            runs.append((hour_ms, hour_ms + HOUR_MS))
    return runs
