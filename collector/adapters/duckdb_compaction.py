# ruff: noqa: S608  (names of our own tables and numbers; texts go in as parameters)
"""Putting a generation in order: its rows go, by day, into sorted files, and its newest readings into the snapshot."""

from collections.abc import Callable

import duckdb

from collector.adapters import duckdb_schema as sql
from collector.adapters.duckdb_history import Draft, HistoryFiles
from collector.adapters.duckdb_instance import Instance
from collector.adapters.duckdb_layout import DAY_MS, FileTier, Layout, StoreFile
from collector.adapters.duckdb_recent import Committed, insert_columns, pack_columns, runs_of
from collector.adapters.duckdb_roll_ups import union
from collector.intervals import IntervalSet
from contracts.errors import DependencyUnavailable


class Compaction:
    """Writes what takes the place of the oldest generation. What it wrote counts for nothing until it is registered."""

    def __init__(self, instance: Instance, files: HistoryFiles) -> None:
        self._instance = instance
        self._files = files

    def write(self, layout: Layout, generation: int, readings_from_ms: int, events_from_ms: int) -> list[StoreFile]:
        """Write the files and the tables of the snapshot.

        Args:
            layout: of now.
            generation: number of the oldest generation.
            readings_from_ms: readings of days that end before are past their retention and go.
            events_from_ms: the same for events.

        Returns:
            New files.

        Raises:
            DependencyUnavailable: they do not hold all rows that are not past their retention.
        """
        written = []
        left_out = 0
        number = layout.next_file
        reading, event = sql.table("reading", generation), sql.table("event", generation)
        for day, rows in self._days(reading):
            if (day + 1) * DAY_MS <= readings_from_ms:
                left_out += rows
                continue
            fill = _sorted_readings(reading, day * DAY_MS)
            file = self._files.write(number, FileTier.READINGS, rows, fill, day * DAY_MS)
            if file is not None:
                written.append(file)
                number += 1
        months: dict[str, list[tuple[int, int]]] = {}
        for day, rows in self._days(event):
            if (day + 1) * DAY_MS <= events_from_ms:
                left_out += rows
            else:
                begin = StoreFile(0, FileTier.EVENTS, day * DAY_MS, 0, 0, 0)
                months.setdefault(begin.period, []).append((day, rows))
        for days in months.values():
            rows = sum(rows for _, rows in days)
            fill = _sorted_events(event, days[0][0] * DAY_MS, (days[-1][0] + 1) * DAY_MS)
            file = self._files.write(number, FileTier.EVENTS, rows, fill)
            if file is not None:
                written.append(file)
                number += 1
        there = self._count(reading) + self._count(event)
        put = sum(file.rows for file in written)
        if put + left_out != there:  # nothing of the generation goes before all of it is in its place
            raise DependencyUnavailable(
                f"store generation {generation}: {put} rows went into files and {left_out} are past their retention, "
                f"expected {there} in all; they stay where they are"
            )
        self._write_snapshot(layout, generation)
        return written

    def _count(self, name: str) -> int:
        with self._instance.cursor() as cursor:
            row = cursor.execute(f"SELECT count(*) FROM {name}").fetchone()
        return 0 if row is None else int(row[0])

    def _days(self, name: str) -> list[tuple[int, int]]:
        with self._instance.cursor() as cursor:
            return cursor.execute(
                f"SELECT observed_at // {DAY_MS} AS day, count(*) FROM {name} GROUP BY 1 ORDER BY 1"
            ).fetchall()

    def _write_snapshot(self, layout: Layout, generation: int) -> None:
        sources = [(sql.table("reading", generation), 1)]
        live = [f"SELECT series, observed_at, value, 1 AS source, rowid AS place FROM {sources[0][0]} WHERE live"]
        if layout.snapshot:
            sources.insert(0, (sql.table("newest", layout.snapshot), 0))
            name = sql.table("newest_live", layout.snapshot)
            live.append(f"SELECT series, observed_at, value, 0 AS source, rowid AS place FROM {name}")
        newest = [
            f"SELECT series, observed_at, value, live, {source} AS source, rowid AS place FROM {name}"
            for name, source in sources
        ]
        with self._instance.transaction() as cursor:
            cursor.execute(sql.drop(sql.SNAPSHOT, generation))  # of a try that failed
            cursor.execute(sql.create(sql.SNAPSHOT, generation))
            cursor.execute(f"INSERT INTO {sql.table('newest', generation)} {newest_of(newest)}")
            cursor.execute(f"INSERT INTO {sql.table('newest_live', generation)} {first_newest_of(live)}")
            packs = [sql.table("pack", generation)]
            if layout.snapshot:
                packs.insert(0, sql.table("packs", layout.snapshot))
            runs = runs_of(_merged(cursor, packs))
            if runs:
                insert_columns(cursor, sql.table("packs", generation), pack_columns(runs))


def newest_of(selects: list[str]) -> str:
    """Query for the newest reading of each series, the later to arrive among those of one time.

    Args:
        selects: queries for (series, observed_at, value, live, source, place), the higher source the later.
    """
    return (
        f"WITH row AS ({union(iter(selects))}), "
        "newest AS (SELECT series, max(observed_at) AS observed_at FROM row GROUP BY series) "
        "SELECT series, observed_at, arg_max(value, (source, place)) AS value, arg_max(live, (source, place)) AS live "
        "FROM row JOIN newest USING (series, observed_at) GROUP BY series, observed_at ORDER BY series"
    )


def first_newest_of(selects: list[str]) -> str:
    """Query for the newest reading of each series, the first to arrive among those of one time."""
    return (
        f"WITH row AS ({union(iter(selects))}), "
        "newest AS (SELECT series, max(observed_at) AS observed_at FROM row GROUP BY series) "
        "SELECT series, observed_at, arg_min(value, (source, place)) AS value "
        "FROM row JOIN newest USING (series, observed_at) GROUP BY series, observed_at ORDER BY series"
    )


def _sorted_readings(name: str, day_ms: int) -> Callable[[Draft], None]:
    def fill(draft: Draft) -> None:
        draft.cursor.execute(
            f"INSERT INTO {draft.table} SELECT {sql.KEY} - {day_ms} AS key, value, live FROM {name} JOIN series USING (series) "
            f"WHERE observed_at >= {day_ms} AND observed_at < {day_ms + DAY_MS} ORDER BY key, {name}.rowid"
        )

    return fill


def _sorted_events(name: str, from_ms: int, to_ms: int) -> Callable[[Draft], None]:
    def fill(draft: Draft) -> None:
        draft.cursor.execute(
            f"INSERT INTO {draft.table} SELECT series, observed_at, text, live FROM {name} "
            f"WHERE observed_at >= {from_ms} AND observed_at < {to_ms} ORDER BY series, observed_at, {name}.rowid"
        )

    return fill


def _merged(cursor: duckdb.DuckDBPyConnection, tables: list[str]) -> Committed:
    """Pack identities as few runs."""
    merged: Committed = {}
    for name in tables:
        for branch_id, boot, low, high in cursor.execute(f"FROM {name}").fetchall():
            merged.setdefault((branch_id, boot), IntervalSet()).add(low, high)
    return merged
