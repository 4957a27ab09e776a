# ruff: noqa: S608  (names of our own tables and numbers; texts go in as parameters)
"""The store as a reader sees it: one layout, and the readings in it as one table, wherever they are."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from collector.adapters import duckdb_schema as sql
from collector.adapters.duckdb_instance import Instance
from collector.adapters.duckdb_layout import DAY_MS, FileTier, Layout, StoreFile
from collector.adapters.duckdb_roll_ups import union
from collector.adapters.duckdb_shelves import Shelves

Columns = dict[str, npt.NDArray[Any]]

NO_READINGS = "SELECT 0::INTEGER AS series, 0::BIGINT AS observed_at, 0::DOUBLE AS value, false AS live, 0 AS source, 0::BIGINT AS place WHERE false"
NO_EVENTS = NO_READINGS.replace("0::DOUBLE AS value", "'' AS text")


class View:
    """Queries over one layout, in one thread.

    Args:
        cursor: of the thread.
        instance: with the files.
        layout: held by the caller.
        used: takes the history files that are looked into.
        shelves: where the history keeps each series.

    Attributes:
        layout: what is looked at.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        instance: Instance,
        layout: Layout,
        used: list[StoreFile],
        shelves: Shelves,
    ) -> None:
        self._cursor = cursor
        self._instance = instance
        self.layout = layout
        self._used = used
        self.shelves = shelves

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows."""
        return self._cursor.execute(query, parameters).fetchall()

    def columns(self, query: str, parameters: Sequence[Any] = ()) -> Columns:
        """All rows, as columns."""
        return self._cursor.execute(query, parameters).fetchnumpy()

    def readings(self, selects: Sequence[str], suffix: str = "") -> Columns:
        """Readings of :meth:`recent` and :meth:`in_files` with their series' numbers, in the order of the queries."""
        columns = self.columns(
            f"SELECT series, observed_at, value, live FROM ({union(iter([NO_READINGS, *selects]))}) {suffix}"
        )
        series = columns["series"]
        kept = series < 0
        if kept.any():
            series = series.copy()
            series[kept] = self.shelves.series_on(-1 - series[kept])
            columns["series"] = series
        return columns

    @contextlib.contextmanager
    def one_snapshot(self) -> Iterator[None]:
        """Several queries see the same commits; files are attached before."""
        self._cursor.begin()
        try:
            yield
        finally:
            with contextlib.suppress(duckdb.Error):  # an error may have ended it
                self._cursor.commit()

    def files(self, from_ms: int, to_ms: int, *tiers: FileTier) -> list[StoreFile]:
        """Files with rows in an interval, by number."""
        return [file for file in self.layout.of(*tiers) if file.meets(from_ms, to_ms)]

    def alias(self, file: StoreFile) -> str:
        """What SQL calls a file."""
        self._used.append(file)
        return self._instance.attach(self._cursor, file)

    # -- queries for (series, observed_at, value or text, live, source, place) ---------------------------------------

    def recent(self, from_ms: int, to_ms: int, series: Sequence[int] | None, what: str = "reading") -> list[str]:
        """What is not compacted: a query for each generation."""
        column = "value" if what == "reading" else "text"
        where = [f"observed_at >= {from_ms} AND observed_at < {to_ms}", *_among("series", series)]
        return [
            f"SELECT series, observed_at, {column}, live, {2**40 + number} AS source, rowid AS place "
            f"FROM {sql.table(what, number)} WHERE {' AND '.join(where)}"
            for number in self.layout.generations
        ]

    def in_files(self, files: Iterable[StoreFile], from_ms: int, to_ms: int, series: Sequence[int] | None) -> list[str]:
        """Readings in history files: a query for each, with ``-1 - shelf`` in the place of the series."""
        return [self._in_file(file, from_ms, to_ms, series) for file in files]

    def _in_file(self, file: StoreFile, from_ms: int, to_ms: int, series: Sequence[int] | None) -> str:
        return (
            f"SELECT (-1 - key // {DAY_MS})::INTEGER AS series, key % {DAY_MS} + {file.day_ms} AS observed_at, value, live, "
            f"{file.number} AS source, rowid AS place FROM {self.alias(file)}.data"
            f"{self._where(file, from_ms, to_ms, series)}"
        )

    def _where(self, file: StoreFile, from_ms: int, to_ms: int, series: Sequence[int] | None) -> str:
        low, high = max(from_ms - file.day_ms, 0), min(to_ms - file.day_ms, DAY_MS)
        whole_day = low == 0 and high == DAY_MS
        where = []
        shelves = None if series is None else self.shelves.of(series)
        if shelves is not None and len(shelves) == 1:
            where.append(f"key >= {shelves[0] * DAY_MS + low} AND key < {shelves[0] * DAY_MS + high}")
        elif shelves == []:
            where.append("false")
        else:
            if shelves is not None:
                # The sorted column leaves most of the file unread, the list chooses among the rest.
                where.append(f"key >= {shelves[0] * DAY_MS} AND key < {(shelves[-1] + 1) * DAY_MS}")
                where += _among(f"key // {DAY_MS}", shelves)
            if not whole_day:
                where.append(f"key % {DAY_MS} >= {low} AND key % {DAY_MS} < {high}")
        return f" WHERE {' AND '.join(where)}" if where else ""

    def values(
        self, files: Sequence[StoreFile], from_ms: int, to_ms: int, series: Sequence[int], *, recent: bool
    ) -> Columns:
        """Readings of some series in files, and in what is recent, in order of series, time and arrival.

        Columns ``series``, ``observed_at``, ``value``. What a file's key says is worked out here: in SQL, thirty files took
        14 ms of planning in the place of 9.
        """
        found: dict[str, list[npt.NDArray[Any]]] = {"series": [], "observed_at": [], "value": []}
        if files:
            source = union(
                f"SELECT key, value, {number} AS file FROM {self.alias(file)}.data{self._where(file, from_ms, to_ms, series)}"
                for number, file in enumerate(files)
            )
            columns = self.columns(source)
            day_ms = np.array([file.day_ms for file in files], np.int64)
            found["series"].append(self.shelves.series_on(columns["key"] // DAY_MS))
            found["observed_at"].append(columns["key"] % DAY_MS + day_ms[columns["file"]])
            found["value"].append(columns["value"])
        if recent:
            columns = self.columns(
                f"SELECT series, observed_at, value FROM ({union(iter(self.recent(from_ms, to_ms, series)))})"
            )
            for name, parts in found.items():
                parts.append(columns[name])
        if not found["series"]:
            return {"series": np.array([], np.int32), "observed_at": np.array([], np.int64), "value": np.array([])}
        whole = {name: np.concatenate(parts) for name, parts in found.items()}
        order = np.lexsort((whole["observed_at"], whole["series"]))  # stable: the queries come in order of arrival
        return {name: column[order] for name, column in whole.items()}

    def event_files(self, from_ms: int, to_ms: int, series: Sequence[int] | None) -> list[str]:
        """Events in history files: a query for each."""
        where = [f"observed_at >= {from_ms} AND observed_at < {to_ms}", *_among("series", series)]
        return [
            f"SELECT series, observed_at, text, live, {file.number} AS source, rowid AS place "
            f"FROM {self.alias(file)}.data WHERE {' AND '.join(where)}"
            for file in self.files(from_ms, to_ms, FileTier.EVENTS)
        ]

    def roll_ups(self, tier: FileTier, length_ms: int, from_ms: int, to_ms: int, series: Sequence[int]) -> str | None:
        """Roll-ups of some series, each day of a series from one file; ``None`` where there are no files."""
        files = self.files(from_ms, to_ms, tier)
        shelves = self.shelves.of(series)
        if not files or not shelves:
            return None
        where = [
            f"slot >= {from_ms // length_ms} AND slot < {-(-to_ms // length_ms)}",
            f"shelf >= {shelves[0]} AND shelf <= {shelves[-1]}",
            *_among("shelf", shelves),
        ]
        source = union(
            f"SELECT *, {file.number} AS source FROM {self.alias(file)}.data WHERE {' AND '.join(where)}"
            for file in files
        )
        day = DAY_MS // length_ms
        return (
            f"SELECT *, slot::BIGINT * {length_ms} AS begin FROM ({source}) "
            f"QUALIFY source = max(source) OVER (PARTITION BY shelf, slot // {day})"
        )


def _among(expression: str, series: Sequence[int] | None) -> list[str]:
    if series is None:
        return []
    if len(series) == 1:
        return [f"{expression} = {series[0]}"]
    return [f"{expression} IN ({', '.join(map(str, series))})"]
