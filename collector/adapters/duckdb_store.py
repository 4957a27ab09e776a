"""The embedded time-series store: DuckDB files in a directory, one writing thread, readers on cursors of their own.

A commit is one DuckDB transaction over readings, events, pack identities and new series, so they cannot get out of step.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt

from collector.adapters import duckdb_schema as sql
from collector.adapters.duckdb_sums import Sums, buckets_by_series, joined, summed_up
from collector.intervals import IntervalSet
from collector.settings import DuckDbSettings, RetentionSettings
from collector.store import (
    HOUR_MS,
    ROLL_UPS_MS,
    Audit,
    Buckets,
    Damage,
    Latency,
    SeriesRange,
    SeriesRow,
    Upkeep,
)
from contracts.errors import DependencyUnavailable
from contracts.pack import PackId
from contracts.readings import EventReading, ReadingBatch
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)
_T = TypeVar("_T")

READERS: Final = 2
SCAN_READINGS_AT_ONCE: Final = 100_000
RECENT_FILE: Final = "recent.duckdb"
DAY_MS: Final = 24 * HOUR_MS


class DuckDbStore:
    """A :class:`collector.store.TimeSeriesStore` in a directory.

    Args:
        directory: for its files, and nothing else.
        clock: stamps commits.
        settings: memory, and when readings are put in order.
        retention: how long what is kept.
    """

    def __init__(self, directory: Path, clock: Clock, settings: DuckDbSettings, retention: RetentionSettings) -> None:
        self._path = directory / RECENT_FILE
        self._clock = clock
        self._memory_limit_mb = settings.memory_mb
        self._retention = retention
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="duckdb-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="duckdb-reader")
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._committed: dict[tuple[str, str], IntervalSet] = {}
        self._position = 0
        self._replayable_from = 0
        self._recent_ms = round(settings.recent_hours * HOUR_MS)
        self._in_doubt = False  # the last commit's outcome is unknown: look before writing again
        self._closed = False

    async def open(self) -> None:
        """Open the file, or make it where there is none; the first call.

        Raises:
            DependencyUnavailable: it is damaged, held by another process or its directory cannot be written. A damaged
                file is left as it is.
        """
        await self._write(self._open)

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DependencyUnavailable(f"store {self._path}: {error.strerror}; make its directory writable") from error
        self._connection = duckdb.connect(
            str(self._path),
            config={
                "threads": 2,
                "memory_limit": f"{self._memory_limit_mb}MB",
                "autoinstall_known_extensions": "false",  # nothing is fetched from outside
                "autoload_known_extensions": "false",
            },
        )
        self._connection.execute(sql.SCHEMA)
        self._look()

    def _look(self) -> None:
        """Take position and pack identities from the file, and leave the identities there as the few runs they are."""
        self._merge_packs()
        row = self._connected.execute("SELECT coalesce(max(position), 0) FROM store_commit").fetchone()
        committed: dict[tuple[str, str], IntervalSet] = {}
        runs = self._connected.execute("SELECT branch_id, boot, low, high FROM pack ORDER BY branch_id, boot, low")
        for branch_id, boot, low, high in runs.fetchall():
            committed.setdefault((branch_id, boot), IntervalSet()).add(low, high)
        self._position = 0 if row is None else int(row[0])
        self._committed = committed

    def _merge_packs(self) -> None:
        connection = self._connected
        connection.execute(sql.MERGED_PACKS)
        counts = connection.execute("SELECT (SELECT count(*) FROM pack), (SELECT count(*) FROM merged_pack)").fetchone()
        if counts is not None and counts[0] > counts[1]:
            connection.begin()
            connection.execute("DELETE FROM pack")
            connection.execute("INSERT INTO pack (branch_id, boot, low, high) FROM merged_pack")
            connection.commit()
        connection.execute("DROP TABLE merged_pack")

    # -- writing -----------------------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        return self._position

    async def append(self, batch: ReadingBatch, packs: Sequence[PackId], new_series: Sequence[SeriesRow]) -> int:
        return await self._write(lambda: self._append(batch, packs, new_series))

    def _append(self, batch: ReadingBatch, packs: Sequence[PackId], new_series: Sequence[SeriesRow]) -> int:
        attempted = self._position + 1
        if self._in_doubt:
            self._reopen()
            self._in_doubt = False
            if self._position == attempted:  # the one writer's last attempt had reached the file after all
                return self._position
        known = sum(pack.seq in self._committed.get((pack.branch_id, pack.boot), ()) for pack in packs)
        if packs and known == len(packs):
            return self._position
        if known:
            raise ValueError(
                f"append of {len(packs)} packs: {known} of them are committed already, expected none or all"
            )
        connection = self._connected
        self._in_doubt = True
        connection.begin()
        self._insert(connection, batch, packs, new_series, attempted)
        connection.commit()
        self._in_doubt = False
        self._position = attempted
        for pack in packs:
            self._committed.setdefault((pack.branch_id, pack.boot), IntervalSet()).add(pack.seq)
        return attempted

    def _reopen(self) -> None:
        """Begin afresh from what the file holds; whatever failed, its transaction dies with its connection."""
        _log.warning("store opens its file again after a failed commit", path=str(self._path))
        self._close()
        self._open()

    def _insert(
        self,
        connection: duckdb.DuckDBPyConnection,
        batch: ReadingBatch,
        packs: Sequence[PackId],
        new_series: Sequence[SeriesRow],
        position: int,
    ) -> None:
        if new_series:
            columns = {
                "series": np.array([row.series for row in new_series], np.int32),
                "device_id": _texts(row.device_id for row in new_series),
                "kind": _texts(row.kind for row in new_series),
                "path": _texts(row.path for row in new_series),
            }
            _insert_columns(connection, "INSERT INTO series SELECT series, device_id, kind, path FROM columns", columns)
        if len(batch):
            columns = {
                "series": batch.series, "observed_at": batch.observed_at_ms, "value": batch.value, "live": batch.live,
            }  # fmt: skip
            query = "INSERT INTO reading SELECT series, observed_at, value, $1, live FROM columns"
            _insert_columns(connection, query, columns, position)
        if batch.events:
            columns = {
                "series": np.array([event.series for event in batch.events], np.int32),
                "observed_at": np.array([event.observed_at_ms for event in batch.events], np.int64),
                "text": _texts(event.text for event in batch.events),
                "live": np.array([event.live for event in batch.events], np.bool_),
            }
            query = "INSERT INTO event SELECT series, observed_at, text, $1, live FROM columns"
            _insert_columns(connection, query, columns, position)
        runs = _runs(packs)
        if runs:
            connection.executemany("INSERT INTO pack VALUES (?, ?, ?, ?)", runs)
        connection.execute(
            "INSERT INTO store_commit VALUES (?, ?, ?)",
            [position, self._clock.now_ms(), len(batch) + len(batch.events)],
        )

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def replayable_from(self) -> int:
        return self._replayable_from

    def damages(self) -> Sequence[Damage]:
        return ()

    async def maintain(self, now_ms: int) -> Upkeep:
        return await self._write(lambda: self._expire(now_ms))

    def _expire(self, now_ms: int) -> Upkeep:
        connection, retention = self._connected, self._retention
        before = dict(zip(ROLL_UPS_MS, (retention.minutes_days, retention.hours_days), strict=True))
        end_ms = (now_ms - retention.readings_days * DAY_MS) // DAY_MS * DAY_MS
        connection.begin()
        columns = connection.execute(sql.EXPIRING, [end_ms]).fetchnumpy()
        sums = Sums.of_readings(columns["series"], columns["observed_at"], columns["value"])
        for length_ms, days in before.items():
            rows = summed_up(sums, length_ms)
            if len(rows):
                _insert_columns(
                    connection,
                    f"INSERT INTO roll_up SELECT {length_ms}, {', '.join(sql.SUMS)} FROM columns",  # noqa: S608
                    {name: getattr(rows, name) for name in sql.SUMS},
                )
            connection.execute(
                "DELETE FROM roll_up WHERE length_ms = ? AND begin < ?", [length_ms, now_ms - days * DAY_MS]
            )
        connection.execute("DELETE FROM reading WHERE observed_at < ?", [end_ms])
        connection.execute("DELETE FROM event WHERE observed_at < ?", [now_ms - retention.events_days * DAY_MS])
        connection.commit()
        old_ms = now_ms - max(self._recent_ms, HOUR_MS)
        row = connection.execute("SELECT max(position) FROM store_commit WHERE stored_at < ?", [old_ms]).fetchone()
        self._replayable_from = (row and row[0]) or 0
        return Upkeep(expired=len(sums))

    async def load_series(self) -> Sequence[SeriesRow]:
        rows = await self._read("SELECT series, device_id, kind, path FROM series ORDER BY series")
        return [SeriesRow(*row) for row in rows]

    async def load_committed(self) -> Mapping[tuple[str, str], IntervalSet]:
        return await self._write(lambda: {key: runs.copy() for key, runs in self._committed.items()})

    async def latest(self) -> ReadingBatch:
        return _batch(await self._read_columns(sql.LATEST))

    async def newest_live(self, as_of_position: int) -> ReadingBatch:
        return _batch(await self._read_columns(sql.NEWEST_LIVE, [max(as_of_position, self._replayable_from)]))

    async def range(self, series: int, from_ms: int, to_ms: int, limit: int) -> SeriesRange:
        columns = await self._read_columns(sql.RANGE, [series, from_ms, to_ms, limit])
        return SeriesRange(columns["observed_at"][::-1], columns["value"][::-1])

    async def ranges(self, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Mapping[int, SeriesRange]:
        found = {number: await self.range(number, from_ms, to_ms, limit) for number in series}
        return {number: readings for number, readings in found.items() if len(readings.value)}

    async def buckets(self, series: Sequence[int], from_ms: int, to_ms: int, bucket_ms: int) -> Mapping[int, Buckets]:
        if bucket_ms < 1:
            raise ValueError(f"bucket_ms {bucket_ms}: expected at least 1")
        from_ms, to_ms = from_ms // bucket_ms * bucket_ms, -(-to_ms // bucket_ms) * bucket_ms
        columns = await self._read_columns(sql.READINGS_OF, [list(series), from_ms, to_ms])
        parts = [Sums.of_readings(columns["series"], columns["observed_at"], columns["value"])]
        length_ms = next((length_ms for length_ms in reversed(ROLL_UPS_MS) if bucket_ms % length_ms == 0), None)
        if length_ms is not None:
            rolled = await self._read_columns(sql.ROLL_UPS_OF, [list(series), from_ms, to_ms, length_ms])
            parts.append(Sums(*(rolled[name] for name in sql.SUMS)))
        return buckets_by_series(summed_up(joined(parts), bucket_ms))

    async def scan(self, from_ms: int, to_ms: int, series: Sequence[int] | None = None) -> AsyncIterator[ReadingBatch]:
        chosen = None if series is None else list(series)
        ((begin_ms, end_ms),) = await self._read(sql.SCAN_BOUNDS)
        if begin_ms is None:
            return
        for step_ms in range(max(from_ms, begin_ms), min(to_ms, end_ms + 1), HOUR_MS):
            bounds = [step_ms, min(step_ms + HOUR_MS, to_ms)]
            columns = await self._read_columns(sql.SCAN_TIME, [*bounds, chosen])
            events = [EventReading(*row) for row in await self._read(sql.SCAN_TIME_EVENTS, [*bounds, chosen])]
            if len(columns["series"]) or events:
                yield _batch(columns, events)

    async def events(self, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Sequence[EventReading]:
        rows = await self._read(sql.EVENTS, [list(series), from_ms, to_ms, limit])
        return [EventReading(*row) for row in reversed(rows)]

    async def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        position = max(position, self._replayable_from)
        while commits := await self._read(sql.SCAN_STEP, [position]):
            last = _last_within(commits, SCAN_READINGS_AT_ONCE)
            columns = await self._read_columns(sql.SCAN_READINGS, [position + 1, last])
            events: dict[int, list[EventReading]] = {}
            for series, observed_at, text, live, at in await self._read(sql.SCAN_EVENTS, [position + 1, last]):
                events.setdefault(at, []).append(EventReading(series, observed_at, text, live))
            for at, _readings in commits:
                if at > last:
                    break
                low, high = np.searchsorted(columns["position"], [at, at + 1])
                part = {name: column[low:high] for name, column in columns.items()}
                yield at, _batch(part, tuple(events.get(at, ())))
            position = last

    async def audit(self) -> Audit:
        ((readings, distinct_readings, events, distinct_events, derived, commits),) = await self._read(sql.AUDIT)
        return Audit(readings, distinct_readings, events, distinct_events, derived, commits)

    async def latency(self) -> Latency:
        (row,) = await self._read(sql.LATENCY)
        return Latency(*row)

    # -- threads -----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the file after the commit under way, if any."""
        if self._closed:
            return
        self._closed = True
        try:
            await asyncio.to_thread(self._reading.shutdown)
            await asyncio.wrap_future(self._writing.submit(self._close))
            await asyncio.to_thread(self._writing.shutdown)
        finally:  # also where whoever closes is out of patience: the threads end with their last call
            self._reading.shutdown(wait=False)
            self._writing.shutdown(wait=False)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def _connected(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise DependencyUnavailable(f"store {self._path} is not open")
        return self._connection

    async def _write(self, call: Callable[[], _T]) -> _T:
        return await self._submit(self._writing, call)

    async def _read(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return await self._submit(self._reading, lambda: self._query(query, parameters, _all_rows))

    async def _read_columns(self, query: str, parameters: Sequence[Any] = ()) -> dict[str, Any]:
        return await self._submit(self._reading, lambda: self._query(query, parameters, _all_columns))

    def _query(self, query: str, parameters: Sequence[Any], fetch: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
        with contextlib.closing(self._connected.cursor()) as cursor:
            return fetch(cursor.execute(query, parameters))

    async def _submit(self, executor: ThreadPoolExecutor, call: Callable[[], _T]) -> _T:
        if self._closed:
            raise DependencyUnavailable(f"store {self._path} is closed")
        try:
            return await asyncio.wrap_future(executor.submit(call))
        except duckdb.Error as error:
            raise DependencyUnavailable(f"store {self._path}: {error}") from error


def _insert_columns(
    connection: duckdb.DuckDBPyConnection, query: str, columns: Mapping[str, npt.NDArray[Any]], *parameters: object
) -> None:
    """Insert whole columns, which the query calls ``columns``: a row at a time takes DuckDB 80 µs each."""
    connection.register("columns", columns)
    try:
        connection.execute(query, parameters)
    finally:
        connection.unregister("columns")


def _texts(texts: Iterable[str]) -> npt.NDArray[np.object_]:
    return np.array(list(texts), dtype=np.object_)


def _all_rows(cursor: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return cursor.fetchall()


def _all_columns(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return cursor.fetchnumpy()


def _batch(columns: Mapping[str, Any], events: Sequence[EventReading] = ()) -> ReadingBatch:
    return ReadingBatch(columns["series"], columns["observed_at"], columns["value"], columns["live"], events)


def _runs(packs: Sequence[PackId]) -> list[tuple[str, str, int, int]]:
    """Pack identities as (branch, boot, low, high), neighbours in one row."""
    sets: dict[tuple[str, str], IntervalSet] = {}
    for pack in packs:
        sets.setdefault((pack.branch_id, pack.boot), IntervalSet()).add(pack.seq)
    return [(branch_id, boot, low, high) for (branch_id, boot), runs in sets.items() for low, high in runs]


def _last_within(commits: Sequence[tuple[Any, ...]], most: int) -> int:
    """Position of the last commit so that all up to it hold at most ``most`` readings, but at least one commit."""
    total = 0
    last = int(commits[0][0])
    for position, readings in commits:
        total += readings
        if total > most:
            break
        last = int(position)
    return last
