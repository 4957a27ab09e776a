# ruff: noqa: S608  (names of our own tables and numbers; texts go in as parameters)
"""Reading the DuckDB store through: by commit, by time, and counting what there is."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from collector.adapters import duckdb_schema as sql
from collector.adapters.duckdb_layout import DAY_MS, FileTier
from collector.adapters.duckdb_queries import batch_of
from collector.adapters.duckdb_roll_ups import union
from collector.adapters.duckdb_view import NO_EVENTS, View
from collector.series import DERIVED_PATHS
from collector.store import Audit, Latency
from contracts.devices import GATEWAY
from contracts.readings import EventReading, ReadingBatch

READINGS_AT_ONCE: Final = 200_000
COMMITS_AT_ONCE: Final = 500

_DERIVED: Final = f"SELECT series FROM series WHERE kind = '{GATEWAY.name}' AND path IN {DERIVED_PATHS}"
_ALL_TIME: Final = (-(2**62), 2**62)


def commits_after(view: View, position: int, last: int) -> list[tuple[int, ReadingBatch]]:
    """The next commits after a position up to another, each whole; empty at the end."""
    position = max(position, view.layout.replayable_from)
    numbers = view.layout.generations
    with view.one_snapshot():
        source = union(f"FROM {sql.table('store_commit', number)}" for number in numbers)
        found = view.rows(
            f"SELECT position, readings FROM ({source}) WHERE position > {position} AND position <= {last} "
            f"ORDER BY position LIMIT {COMMITS_AT_ONCE}"
        )
        if not found:
            return []
        until = _last_within(found, READINGS_AT_ONCE)

        def between(name: str, what: str) -> str:
            source = union(
                f"SELECT series, observed_at, {what}, live, position, rowid AS place FROM {sql.table(name, number)} "
                f"WHERE position > {position} AND position <= {until}"
                for number in numbers
            )
            return f"SELECT series, observed_at, {what}, live, position FROM ({source}) ORDER BY position, place"

        columns = view.columns(between("reading", "value"))
        events: dict[int, list[EventReading]] = {}
        for series, observed_at, text, live, at in view.rows(between("event", "text")):
            events.setdefault(at, []).append(EventReading(series, observed_at, text, live))
    commits = []
    for at, _readings in found:
        if at > until:
            break
        low, high = np.searchsorted(columns["position"], [at, at + 1])
        part = {name: column[low:high] for name, column in columns.items()}
        commits.append((at, batch_of(part, tuple(events.get(at, ())))))
    return commits


def _last_within(commits: list[tuple[Any, ...]], most: int) -> int:
    """Position of the last commit so that all up to it hold at most ``most`` readings, but at least one commit."""
    total = 0
    last = int(commits[0][0])
    for position, readings in commits:
        total += readings
        if total > most:
            break
        last = int(position)
    return last


@dataclass(frozen=True, slots=True)
class Step:
    """Part of a scan by time: what it gave, and where the next begins; ``None`` at the end."""

    batch: ReadingBatch
    next_ms: int | None


def step_from(view: View, at_ms: int, to_ms: int, series: list[int] | None) -> Step:
    """The readings and events of the next stretch of time, in order; never beyond the end of a day.

    The stretch is as long as the history files let one expect of :data:`READINGS_AT_ONCE`, and is cut where there are more.
    """
    begin_ms = _next_begin(view, at_ms, to_ms)
    if begin_ms is None or series == []:
        return Step(ReadingBatch.of([]), None)
    day_end_ms = begin_ms // DAY_MS * DAY_MS + DAY_MS
    files = view.files(begin_ms, day_end_ms, FileTier.READINGS)
    expected = sum(file.rows for file in files)
    stretch_ms = max(DAY_MS * READINGS_AT_ONCE // max(expected, READINGS_AT_ONCE), 1)
    end_ms = min(begin_ms + stretch_ms, day_end_ms, to_ms)
    recent = view.recent(begin_ms, end_ms, series)
    readings = [*view.in_files(files, begin_ms, end_ms, series), *recent]
    recent_events = view.recent(begin_ms, end_ms, series, "event")
    events = union(iter([NO_EVENTS, *view.event_files(begin_ms, end_ms, series), *recent_events]))
    order = "ORDER BY observed_at, source, place"
    with view.one_snapshot():
        columns = view.readings(readings, f"{order} LIMIT {READINGS_AT_ONCE + 1}")
        if len(columns["series"]) > READINGS_AT_ONCE:
            cut_ms = int(columns["observed_at"][-1])
            if cut_ms > begin_ms:
                columns = {name: column[columns["observed_at"] < cut_ms] for name, column in columns.items()}
            else:  # more of one time than fit: no two batches share a time
                cut_ms = begin_ms + 1
                columns = view.readings(readings, f"WHERE observed_at < {cut_ms} {order}")
            end_ms = cut_ms
        rows = view.rows(f"SELECT series, observed_at, text, live FROM ({events}) WHERE observed_at < {end_ms} {order}")
    return Step(batch_of(columns, [EventReading(*row) for row in rows]), end_ms)


def _next_begin(view: View, at_ms: int, to_ms: int) -> int | None:
    """When the next reading or event may be."""
    files = view.files(at_ms, to_ms, FileTier.READINGS, FileTier.EVENTS)
    begins = [max(file.from_ms, at_ms) for file in files]
    if at_ms not in begins:
        source = union(
            f"SELECT min(observed_at) AS begin_ms FROM {sql.table(name, number)} "
            f"WHERE observed_at >= {at_ms} AND observed_at < {to_ms}"
            for number in view.layout.generations
            for name in ("reading", "event")
        )
        begins += [found for (found,) in view.rows(f"SELECT min(begin_ms) FROM ({source})") if found is not None]
    return min(begins) if begins else None


def audit(view: View, commits: int) -> Audit:
    """Count what is stored, a day at a time: a reading and its double are of one day."""
    readings = distinct = derived = 0
    shelves = view.shelves.of([row[0] for row in view.rows(_DERIVED)])
    packed = f"WHERE key // {DAY_MS} NOT IN ({', '.join(map(str, shelves))})" if shelves else ""
    numbers = view.layout.generations
    by_day: dict[int, list[str]] = {file.day_ms: [] for file in view.layout.of(FileTier.READINGS)}
    for file in view.layout.of(FileTier.READINGS):
        by_day[file.day_ms].append(f"SELECT key FROM {view.alias(file)}.data")
    selects = view.event_files(*_ALL_TIME, None)
    with view.one_snapshot():
        days = union(f"SELECT DISTINCT observed_at // {DAY_MS} AS day FROM {sql.table('reading', n)}" for n in numbers)
        for (day,) in view.rows(days):
            by_day.setdefault(day * DAY_MS, [])
        for day_ms, files in by_day.items():
            recent = [
                f"SELECT {sql.KEY} - {day_ms} AS key FROM {sql.table('reading', number)} JOIN series USING (series) "
                f"WHERE observed_at >= {day_ms} AND observed_at < {day_ms + DAY_MS}"
                for number in numbers
            ]
            source = union(iter([*files, *recent]))
            ((count, different),) = view.rows(f"SELECT count(*), count(DISTINCT key) FROM ({source}) {packed}")
            ((whole,),) = view.rows(f"SELECT count(*) FROM ({source})")
            readings, distinct, derived = readings + count, distinct + different, derived + whole - count
        source = union(iter([*selects, *view.recent(*_ALL_TIME, None, "event")]))
        ((events, distinct_events),) = view.rows(
            f"SELECT count(*), count(DISTINCT (series, observed_at)) FROM ({source})"
        )
    return Audit(readings, distinct, events, distinct_events, derived, commits)


def latency(view: View) -> Latency:
    """How long live readings that are still in order of arrival took to their commit."""
    source = union(
        f"SELECT stored_at - observed_at AS took FROM {sql.table('reading', number)} "
        f"JOIN {sql.table('store_commit', number)} USING (position) WHERE live AND series NOT IN ({_DERIVED})"
        for number in view.layout.generations
    )
    ((count, p50, p99),) = view.rows(
        f"SELECT count(*), quantile_cont(took, 0.5), quantile_cont(took, 0.99) FROM ({source})"
    )
    return Latency(count, p50, p99)
