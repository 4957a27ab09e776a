# ruff: noqa: S608  (names of our own tables and numbers; texts go in as parameters)
"""Which roll-ups a day of readings gets, and writing them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from collector.adapters import duckdb_schema as sql
from collector.adapters.duckdb_history import Draft, HistoryFiles
from collector.adapters.duckdb_instance import Instance
from collector.adapters.duckdb_layout import DAY_MS, ROLL_UPS, FileTier, Layout, StoreFile
from collector.adapters.duckdb_recent import insert_columns
from collector.adapters.duckdb_sums import Sums, added, summed_up
from contracts.readings import Int32s

PAYS_FROM: Final = 20
"""Readings in a bucket, on average over a series' day, from which its roll-up is written while the readings are there.

A roll-up of noisy values takes 7.2 bytes and a reading 4.6, so it adds at most 8 %. Below that the readings themselves are
quick enough: an hour at a time, thirty days of a series are at most 14,400 of them."""

_READINGS_AT_ONCE: Final = 1_000_000


class DayRollUps:
    """Sums up the readings of a day.

    A file of roll-ups holds for each series it names the whole day, or nothing: where files of one tier tell of the same
    day of a series, the one with the highest number holds.
    """

    def __init__(self, instance: Instance, files: HistoryFiles) -> None:
        self._instance = instance
        self._files = files

    def write(self, layout: Layout, day: Sequence[StoreFile], number: int, *, final: bool) -> list[StoreFile]:
        """Write roll-ups of what they do not count yet.

        Args:
            layout: with all files.
            day: all readings of a day.
            number: of the first file to be written.
            final: the readings are about to go: roll up every series, whether it pays or not.

        Returns:
            New files, at most one a length.
        """
        day_ms = day[0].day_ms
        new = [file for file in day if not file.rolled]
        lacking = day_ms in layout.incomplete
        affected = None if final or len(new) == len(day) else self._series_of(new)
        written = []
        for tier, length_ms in ROLL_UPS.items():
            there = self._rolled_series(layout, tier, day_ms)
            skipped = there if lacking or (final and not new) else np.array([], np.int32)
            fill = self._filling(day, day_ms, length_ms, affected, there, skipped, final=final)
            if lacking and new and len(there):
                fill = self._adding(fill, self._source(layout, tier, day_ms), new, day_ms, length_ms, there)
            file = self._files.write(number, tier, sum(file.rows for file in day) // PAYS_FROM, fill)
            if file is not None:
                written.append(file)
                number += 1
        return written

    def _filling(
        self,
        day: Sequence[StoreFile],
        day_ms: int,
        length_ms: int,
        affected: Int32s | None,
        there: Int32s,
        skipped: Int32s,
        *,
        final: bool,
    ) -> Callable[[Draft], None]:
        def fill(draft: Draft) -> None:
            for readings in self._readings(day, day_ms, affected):
                rows = summed_up(readings, length_ms)
                if not final:
                    rows = rows.chosen(_paying(rows, there))
                if len(skipped):
                    rows = rows.chosen(~np.isin(rows.series, skipped))
                if len(rows):
                    insert_columns(draft.cursor, draft.table, _columns(rows, length_ms))

        return fill

    def _adding(
        self,
        fill: Callable[[Draft], None],
        rolled: str,
        new: Sequence[StoreFile],
        day_ms: int,
        length_ms: int,
        there: Int32s,
    ) -> Callable[[Draft], None]:
        """Of series with roll-ups whose readings are not all there: what is new added to what they say."""

        def fill_more(draft: Draft) -> None:
            fill(draft)
            for readings in self._readings(new, day_ms, there):
                late = summed_up(readings, length_ms)
                shelves = ", ".join(map(str, np.unique(late.series).tolist()))
                found = draft.cursor.execute(
                    f"SELECT * FROM ({rolled}) WHERE shelf IN ({shelves}) "
                    "QUALIFY source = max(source) OVER (PARTITION BY shelf) ORDER BY shelf, slot"
                ).fetchnumpy()
                found["series"] = found["shelf"].astype(np.int32)
                found["begin"] = found["slot"].astype(np.int64) * length_ms
                found["count"] = found["count"].astype(np.int64)
                rows = added(Sums(*(found[name] for name in sql.SUMS)), late)
                insert_columns(draft.cursor, draft.table, _columns(rows, length_ms))

        return fill_more

    def _source(self, layout: Layout, tier: FileTier, day_ms: int) -> str:
        """Query for the roll-ups of a day, the higher ``source`` the later."""
        low, high = day_ms // ROLL_UPS[tier], (day_ms + DAY_MS) // ROLL_UPS[tier]
        files = [file for file in layout.of(tier) if file.meets(day_ms, day_ms + DAY_MS)]
        with self._instance.cursor() as cursor:
            return union(
                f"SELECT *, {file.number} AS source FROM {self._instance.attach(cursor, file)}.data "
                f"WHERE slot >= {low} AND slot < {high}"
                for file in files
            )

    def _readings(self, day: Sequence[StoreFile], day_ms: int, affected: Int32s | None) -> Iterator[Sums]:
        """The day's readings of some series, in order, some series at a time."""
        with self._instance.cursor() as cursor:
            source = union(
                f"SELECT key, value, {place} AS source, rowid AS place FROM {self._instance.attach(cursor, file)}.data"
                for place, file in enumerate(day)
            )
            counts = cursor.execute(
                f"SELECT key // {DAY_MS} AS shelf, count(*) AS count FROM ({source}) GROUP BY 1 ORDER BY 1"
            ).fetchnumpy()
            shelf, count = counts["shelf"], counts["count"]
            if affected is not None:
                chosen = np.isin(shelf, affected)
                shelf, count = shelf[chosen], count[chosen]
            part = np.cumsum(count) // _READINGS_AT_ONCE
            for numbers in np.split(shelf, np.flatnonzero(np.diff(part)) + 1) if len(shelf) else ():
                low, high = int(numbers[0]) * DAY_MS, (int(numbers[-1]) + 1) * DAY_MS
                found = cursor.execute(
                    f"SELECT key, value FROM ({source}) WHERE key >= {low} AND key < {high} ORDER BY key, source, place"
                ).fetchnumpy()
                readings = readings_of(found["key"], found["value"], day_ms)
                yield readings if affected is None else readings.chosen(np.isin(readings.series, affected))

    def _series_of(self, files: Sequence[StoreFile]) -> Int32s:
        with self._instance.cursor() as cursor:
            aliases = [self._instance.attach(cursor, file) for file in files]
            source = union(f"SELECT key FROM {alias}.data" for alias in aliases)
            found = cursor.execute(f"SELECT DISTINCT key // {DAY_MS} AS shelf FROM ({source})").fetchnumpy()
        return np.asarray(found["shelf"], np.int32)

    def _rolled_series(self, layout: Layout, tier: FileTier, day_ms: int) -> Int32s:
        """Series that have roll-ups of a day."""
        length_ms = ROLL_UPS[tier]
        files = [file for file in layout.of(tier) if file.meets(day_ms, day_ms + DAY_MS)]
        if not files:
            return np.array([], np.int32)
        low, high = day_ms // length_ms, (day_ms + DAY_MS) // length_ms
        with self._instance.cursor() as cursor:
            source = union(
                f"SELECT shelf FROM {self._instance.attach(cursor, file)}.data WHERE slot >= {low} AND slot < {high}"
                for file in files
            )
            return np.asarray(cursor.execute(f"SELECT DISTINCT shelf FROM ({source})").fetchnumpy()["shelf"], np.int32)


def union(selects: Iterator[str]) -> str:
    """Several queries as one."""
    return " UNION ALL ".join(selects)


def readings_of(key: npt.NDArray[np.int64], value: npt.NDArray[np.float64], day_ms: int) -> Sums:
    """Sorted rows of readings files; the shelf stands for the series."""
    return Sums.of_readings((key // DAY_MS).astype(np.int32), key % DAY_MS + day_ms, value)


def _paying(rows: Sums, there: Int32s) -> npt.NDArray[np.bool_]:
    """Which roll-ups are worth their disk, or have to replace some."""
    _, inverse = np.unique(rows.series, return_inverse=True)
    buckets = np.bincount(inverse)
    readings = np.bincount(inverse, weights=rows.count)
    pays: npt.NDArray[np.bool_] = (readings >= PAYS_FROM * buckets)[inverse] | np.isin(rows.series, there)
    return pays


def _columns(rows: Sums, length_ms: int) -> dict[str, npt.NDArray[Any]]:
    columns = {name: getattr(rows, name) for name in sql.SUMS}
    slot = columns.pop("begin") // length_ms
    return {"shelf": columns.pop("series"), "slot": slot, **columns}
