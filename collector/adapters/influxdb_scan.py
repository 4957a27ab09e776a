"""All readings and events of an interval in order of observation, as the server streams them.

A day is one question: a server prepares each series of each of its shards before the first row, and its shards of readings
are a day long.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Final

import numpy as np
import numpy.typing as npt

from collector.adapters.influxdb_lines import EVENT_MEASUREMENT, MEASUREMENT, TAGS, milliseconds, tags_of
from collector.adapters.influxdb_queries import InfluxQueries, Series, select, select_in_order, within
from collector.adapters.influxdb_reader import events_of, stretches, time_of
from collector.adapters.influxdb_records import Horizons
from collector.adapters.influxdb_series import SeriesTags, conditions
from collector.adapters.influxdb_upkeep import marked_live
from contracts.readings import EventReading, Float64s, Int64s, ReadingBatch

SCAN_READINGS: Final = 100_000
"""Of a batch; it is larger only by what is of one millisecond, and by one lot of an answer."""

Tags = tuple[str, ...]
Live = npt.NDArray[np.bool_]


class Scan:
    """One scan.

    Args:
        queries: where to ask.
        series: numbers and tags.
        wanted: numbers of series, ``None`` for all.
        horizons: what is past its retention.
    """

    def __init__(
        self, queries: InfluxQueries, series: SeriesTags, wanted: Sequence[int] | None, horizons: Horizons
    ) -> None:
        self._queries = queries
        self._horizons = horizons
        known = series.all() if wanted is None else series.known(wanted)
        self._numbers: dict[Tags, int] = {tuple(tags_of(tags).values()): number for tags, number in known.items()}
        named = conditions(known) if wanted is not None else []
        self._condition = f" AND {named[0]}" if len(named) == 1 else ""  # of more, the rest is left out afterwards

    async def run(self, days: Iterable[int], from_ms: int, to_ms: int) -> AsyncGenerator[ReadingBatch, None]:
        """Batches that share no time.

        Args:
            days: begins of the days that have readings or events.
            from_ms: begin.
            to_ms: end, not included.
        """
        for low_ms, high_ms in stretches(days, from_ms, to_ms) if self._numbers else ():
            events = await self._events(low_ms, high_ms)
            rows = _Rows()
            async with aclosing(self._ask(low_ms, high_ms)) as answer:
                async for lot in answer:
                    rows.add(lot, self._numbers)
                    if len(rows) >= SCAN_READINGS:
                        whole = rows.take_whole_moments()
                        if len(whole):
                            ready = [event for event in events if event.observed_at_ms <= whole.observed_at_ms[-1]]
                            events = events[len(ready) :]
                            yield _with(whole, ready)
            rest = rows.take_all()
            if len(rest) or events:
                yield _with(rest, events)

    def _ask(self, from_ms: int, to_ms: int) -> AsyncGenerator[Series, None]:
        where = within(max(from_ms, self._horizons.readings_ms or from_ms), to_ms) + self._condition
        return self._queries.ask(select_in_order("value, backfilled", MEASUREMENT, where), "readings", patient=True)

    async def _events(self, from_ms: int, to_ms: int) -> list[EventReading]:
        where = within(max(from_ms, self._horizons.events_ms or from_ms), to_ms) + self._condition
        found: list[tuple[int, EventReading]] = []
        async for lot in self._queries.ask(
            select("text, backfilled", EVENT_MEASUREMENT, where), "events", patient=True
        ):
            number = self._numbers.get(tuple(lot.tags[name] for name in TAGS))
            if number is not None:
                found += events_of(lot, number)
        found.sort(key=time_of)
        return [event for _, event in found]


class _Rows:
    """Readings that have come and are not given out."""

    def __init__(self) -> None:
        self._lots: list[tuple[Int64s, Int64s, Float64s, Live]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, lot: Series, numbers: dict[Tags, int]) -> None:
        """Take a lot; rows of series that are not wanted are left out."""
        tags = zip(*(lot.column(name) for name in TAGS), strict=True)
        series = np.array([numbers.get(key, -1) for key in tags], np.int64)
        wanted = series >= 0
        self._lots.append((
            series[wanted],
            milliseconds(np.array(lot.column("time"), np.int64))[wanted],
            np.array(lot.column("value"), np.float64)[wanted],
            marked_live(lot)[wanted],
        ))  # fmt: skip
        self._count += int(wanted.sum())

    def take_whole_moments(self) -> ReadingBatch:
        """All but those of the last millisecond, of which more may come."""
        series, times_ms, values, live = self._together()
        end = int(np.searchsorted(times_ms, times_ms[-1], side="left"))
        self._lots = [(series[end:], times_ms[end:], values[end:], live[end:])]
        self._count = len(series) - end
        return ReadingBatch(series[:end].astype(np.int32), times_ms[:end], values[:end], live[:end])

    def take_all(self) -> ReadingBatch:
        """All that is left."""
        if not self._lots:
            return ReadingBatch.of([])
        series, times_ms, values, live = self._together()
        self._lots, self._count = [], 0
        return ReadingBatch(series.astype(np.int32), times_ms, values, live)

    def _together(self) -> tuple[Int64s, Int64s, Float64s, Live]:
        series, times_ms, values, live = zip(*self._lots, strict=True)
        return np.concatenate(series), np.concatenate(times_ms), np.concatenate(values), np.concatenate(live)


def _with(batch: ReadingBatch, events: Sequence[EventReading]) -> ReadingBatch:
    return ReadingBatch(batch.series, batch.observed_at_ms, batch.value, batch.live, tuple(events))
