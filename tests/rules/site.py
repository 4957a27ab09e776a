"""A small site for tests: devices, series and readings by path and word."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collector.adapters.duckdb_store import DuckDbStore
from collector.settings import DuckDbSettings, RetentionSettings
from collector.store import SeriesRow
from contracts.devices import KINDS
from contracts.identity import branch_of
from contracts.readings import ReadingBatch, SeriesInfo
from runtime.clock import ManualClock

BEGIN_MS = 1_772_416_800_000
"""Monday 2 March 2026, 10:00 at +08:00."""


@dataclass(frozen=True, slots=True)
class SiteDevice:
    device_id: str
    kind: str

    @property
    def branch_id(self) -> str:
        return branch_of(self.device_id)


@dataclass(frozen=True, slots=True)
class Row:
    """A reading: series, time, number."""

    series: int
    at_ms: int
    value: float
    live: bool = True


class Site:
    """Devices with the series they report."""

    def __init__(self, *devices: tuple[str, str, Sequence[str]]) -> None:
        self.devices = [SiteDevice(device_id, kind) for device_id, kind, _ in devices]
        self.series: list[SeriesInfo] = []
        for device_id, kind, paths in devices:
            for path in paths:
                signal = KINDS[kind].signal(path)
                assert signal is not None, path
                self.series.append(SeriesInfo(len(self.series), device_id, kind, path, signal))

    def row(self, device_id: str, path: str, at_s: float, value: float | str, *, live: bool = True) -> Row:
        info = next(info for info in self.series if (info.device_id, info.path) == (device_id, path))
        number = info.signal.ordinal(value) if isinstance(value, str) else value
        assert number is not None, value
        return Row(info.series, BEGIN_MS + round(at_s * 1000), float(number), live)


def batch_of(rows: Sequence[Row]) -> ReadingBatch:
    batch = ReadingBatch.of([(row.series, row.at_ms, row.value) for row in rows])
    return ReadingBatch(batch.series, batch.observed_at_ms, batch.value, np.array([row.live for row in rows], np.bool_))


class StoredHistory:
    """The commits of a real store, as the collector gives them to the rules."""

    def __init__(self, store: DuckDbStore, series: Sequence[SeriesInfo]) -> None:
        self._store = store
        self._series = series

    async def commit(self, rows: Sequence[Row]) -> int:
        known = len(await self._store.load_series())
        new = [SeriesRow(info.series, info.device_id, info.kind, info.path) for info in self._series[known:]]
        return await self._store.append(batch_of(rows), [], new)

    @property
    def position(self) -> int:
        return self._store.position

    @property
    def replayable_from(self) -> int:
        return self._store.replayable_from

    def series(self) -> Sequence[SeriesInfo]:
        return self._series

    async def newest_live(self, as_of_position: int) -> ReadingBatch:
        return await self._store.newest_live(as_of_position)

    def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        return self._store.scan_since(position)


@asynccontextmanager
async def stored_history(directory: Path, series: Sequence[SeriesInfo]) -> AsyncIterator[StoredHistory]:
    """A history over an empty DuckDB store."""
    store = DuckDbStore(directory, ManualClock(BEGIN_MS), DuckDbSettings(memory_mb=64), RetentionSettings())
    await store.open()
    try:
        yield StoredHistory(store, series)
    finally:
        await store.close()


class MemoryHistory:
    """What :class:`StoredHistory` gives, in memory, for properties that need many of them."""

    def __init__(self) -> None:
        self._commits: list[Sequence[Row]] = []

    async def commit(self, rows: Sequence[Row]) -> int:
        self._commits.append(rows)
        return len(self._commits)

    @property
    def position(self) -> int:
        return len(self._commits)

    @property
    def replayable_from(self) -> int:
        return 0

    async def newest_live(self, as_of_position: int) -> ReadingBatch:
        newest: dict[int, Row] = {}
        for rows in self._commits[:as_of_position]:
            for row in rows:
                if row.live and (row.series not in newest or row.at_ms > newest[row.series].at_ms):
                    newest[row.series] = row
        return batch_of([newest[number] for number in sorted(newest)])
