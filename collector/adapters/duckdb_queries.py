# ruff: noqa: S608  (names of our own tables and numbers; texts go in as parameters)
"""What readers ask of the DuckDB store."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from collector.adapters import duckdb_schema as sql
from collector.adapters.duckdb_compaction import first_newest_of, newest_of
from collector.adapters.duckdb_layout import DAY_MS, ROLL_UPS, FileTier, StoreFile
from collector.adapters.duckdb_roll_ups import union
from collector.adapters.duckdb_sums import Sums, added, buckets_by_series, joined, summed_up
from collector.adapters.duckdb_view import Columns, View
from collector.store import Buckets, SeriesRange
from contracts.readings import EventReading, ReadingBatch

_DAYS_FIRST: Final = 2
"""Days looked at first for the newest readings of a series; then twice as many, and so on."""


def latest(view: View) -> ReadingBatch:
    """Newest reading of each series."""
    layout = view.layout
    selects = [
        f"SELECT series, observed_at, value, live, {number} AS source, rowid AS place FROM {sql.table('reading', number)}"
        for number in layout.generations
    ]
    if layout.snapshot:
        name = sql.table("newest", layout.snapshot)
        selects.append(f"SELECT series, observed_at, value, live, 0 AS source, rowid AS place FROM {name}")
    return batch_of(view.columns(newest_of(selects)))


def newest_live(view: View, as_of_position: int) -> ReadingBatch:
    """Newest live reading of each series as of a position."""
    layout = view.layout
    position = max(as_of_position, layout.replayable_from)
    selects = [
        f"SELECT series, observed_at, value, {number} AS source, rowid AS place FROM {sql.table('reading', number)} "
        f"WHERE live AND position <= {position}"
        for number in layout.generations
    ]
    if layout.snapshot:
        name = sql.table("newest_live", layout.snapshot)
        selects.append(f"SELECT series, observed_at, value, 0 AS source, rowid AS place FROM {name}")
    columns = view.columns(first_newest_of(selects))
    return batch_of({**columns, "live": np.ones(len(columns["series"]), np.bool_)})


def ranges(view: View, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Mapping[int, SeriesRange]:
    """Readings of some series; of each the newest ``limit``."""
    series = sorted(set(series))
    if not series or limit < 1:
        return {}
    days = _days(view.files(from_ms, to_ms, FileTier.READINGS))
    parts: list[Columns] = []
    at_once = _DAYS_FIRST
    while True:
        chosen, days = days[:at_once], days[at_once:]
        files = [file for _, files in chosen for file in files]
        parts.append(_newest(view.values(files, from_ms, to_ms, series, recent=not parts), limit))
        if not days:
            break
        if _enough(parts, chosen[-1][0], series, limit):
            break
        at_once *= 2
    return _by_series(parts, limit)


def _days(files: Sequence[StoreFile]) -> list[tuple[int, list[StoreFile]]]:
    """Files of each day, the newest day first."""
    days: dict[int, list[StoreFile]] = {}
    for file in files:
        days.setdefault(file.day_ms, []).append(file)
    return sorted(days.items(), reverse=True)


def _newest(columns: Columns, limit: int) -> Columns:
    """Of each series the newest rows; in order as before."""
    heads = np.flatnonzero(np.append(True, np.diff(columns["series"]) != 0))
    count = len(columns["series"])
    sizes = np.diff(np.append(heads, count))
    if not count or sizes.max() <= limit:
        return columns
    place_from_end = np.repeat(heads + sizes, sizes) - np.arange(count)
    return {name: column[place_from_end <= limit] for name, column in columns.items()}


def _enough(parts: Sequence[Columns], begin_ms: int, series: Sequence[int], limit: int) -> bool:
    """Whether no reading from before ``begin_ms`` can be among the newest of any series."""
    found = np.concatenate([part["series"][part["observed_at"] >= begin_ms] for part in parts])
    numbers, counts = np.unique(found, return_counts=True)
    return len(numbers) == len(series) and bool((counts >= limit).all())


def _by_series(parts: Sequence[Columns], limit: int) -> Mapping[int, SeriesRange]:
    """The parts tell of ever older days; what is recent is in the first one and arrived after all else."""
    columns = {name: np.concatenate([part[name] for part in reversed(parts)]) for name in parts[0]}
    order = np.lexsort((columns["observed_at"], columns["series"]))
    series, times, values = (columns[name][order] for name in ("series", "observed_at", "value"))
    bounds = [*np.flatnonzero(np.append(True, np.diff(series) != 0)).tolist(), len(series)] if len(series) else []
    found = {}
    for low, high in itertools.pairwise(bounds):
        first = max(low, high - limit)
        found[int(series[low])] = SeriesRange(times[first:high], values[first:high])
    return found


def buckets(view: View, series: Sequence[int], from_ms: int, to_ms: int, bucket_ms: int) -> Mapping[int, Buckets]:
    """Some series summed up by time.

    A day of a series is taken either from its roll-up or from all of its readings. Readings that no roll-up counts yet, and
    days without a roll-up because it would not pay, are summed up here.
    """
    from_ms, to_ms = from_ms // bucket_ms * bucket_ms, -(-to_ms // bucket_ms) * bucket_ms
    series = sorted(set(series))
    if not series or from_ms >= to_ms:
        return {}
    files = view.files(from_ms, to_ms, FileTier.READINGS)
    rolled = [file for file in files if file.rolled]
    loose_files = [file for file in files if not file.rolled]
    loose = _sums_of(view.values(loose_files, from_ms, to_ms, series, recent=True))
    length_ms, sums = _rolled(view, series, from_ms, to_ms, bucket_ms)
    if sums is not None:
        days = np.array(sorted({file.day_ms // DAY_MS for file in files}), np.int64)
        lacking = np.array(view.layout.incomplete, np.int64) // DAY_MS
        sums, loose = _with_late(sums, loose, lacking, length_ms)
        changed = np.isin(_series_days(sums), _series_days(loose)) & np.isin(sums.begin // DAY_MS, days)
        sums = sums.chosen(~changed)
        rolled = _without_roll_ups(rolled, sums, series)
    parts = [] if sums is None else [sums]
    if rolled:
        more = _sums_of(view.values(rolled, from_ms, to_ms, series, recent=False))
        if sums is not None:
            served = np.isin(_series_days(more), _series_days(sums))
            more = more.chosen(~served)
        parts.append(more)
    return buckets_by_series(summed_up(joined([*parts, loose]), bucket_ms))


def _sums_of(columns: Columns) -> Sums:
    return Sums.of_readings(columns["series"], columns["observed_at"], columns["value"])


def _with_late(
    sums: Sums, loose: Sums, lacking: np.ndarray[Any, np.dtype[np.int64]], length_ms: int
) -> tuple[Sums, Sums]:
    """Roll-ups that cannot be made again from readings, with the late readings of their days; and the other readings."""
    late = np.isin(loose.begin // DAY_MS, lacking) & np.isin(_series_days(loose), _series_days(sums))
    if not late.any():
        return sums, loose
    return added(sums, summed_up(loose.chosen(late), length_ms)), loose.chosen(~late)


def _rolled(view: View, series: Sequence[int], from_ms: int, to_ms: int, bucket_ms: int) -> tuple[int, Sums | None]:
    """Roll-ups of the longest length that divides the bucket's, and the length."""
    for tier, length_ms in sorted(ROLL_UPS.items(), key=lambda item: -item[1]):
        if bucket_ms % length_ms == 0:
            query = view.roll_ups(tier, length_ms, from_ms, to_ms, series)
            if query is None:
                return length_ms, None
            columns = view.columns(query)
            columns["count"] = columns["count"].astype(np.int64)
            columns["series"] = view.shelves.series_on(columns["shelf"])
            order = np.lexsort((columns["begin"], columns["series"]))
            return length_ms, Sums(*(columns[name][order] for name in sql.SUMS))
    return bucket_ms, None


def _series_days(sums: Sums) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Which day of which series each stretch is of, as one number."""
    return sums.series.astype(np.int64) * 2**24 + sums.begin // DAY_MS


def _without_roll_ups(rolled: Sequence[StoreFile], sums: Sums, series: Sequence[int]) -> list[StoreFile]:
    """Files of days of which some series has no roll-up."""
    served = np.unique(_series_days(sums)) % 2**24
    days, counts = np.unique(served, return_counts=True)
    whole = set(days[counts == len(series)].tolist())
    return [file for file in rolled if file.day_ms // DAY_MS not in whole]


def events(view: View, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Sequence[EventReading]:
    """Events of some series; the newest ``limit``, ascending."""
    if not series or limit < 1:
        return []
    selects = [*view.recent(from_ms, to_ms, series, "event"), *view.event_files(from_ms, to_ms, series)]
    rows = view.rows(
        f"SELECT series, observed_at, text, live FROM ({union(iter(selects))}) "
        f"ORDER BY observed_at DESC, source DESC, place DESC LIMIT {limit}"
    )
    return [EventReading(*row) for row in reversed(rows)]


def batch_of(columns: Mapping[str, Any], events: Sequence[EventReading] = ()) -> ReadingBatch:
    """Columns as a batch."""
    return ReadingBatch(columns["series"], columns["observed_at"], columns["value"], columns["live"], events)
