"""A small site for tests: devices, series and readings by path and word."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.devices import KINDS
from contracts.identity import branch_of
from contracts.readings import ReadingBatch, SeriesInfo

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


class MemoryHistory:
    """The commits of a store, in memory: the port that the collector meets with its own store."""

    def __init__(self, series: Sequence[SeriesInfo]) -> None:
        self._series = series
        self.commits: list[Sequence[Row]] = []

    def commit(self, rows: Sequence[Row]) -> int:
        self.commits.append(rows)
        return len(self.commits)

    @property
    def position(self) -> int:
        return len(self.commits)

    def series(self) -> Sequence[SeriesInfo]:
        return self._series

    async def latest(self, as_of_position: int | None = None) -> ReadingBatch:
        return self.latest_now(as_of_position)

    def latest_now(self, as_of_position: int | None = None) -> ReadingBatch:
        newest: dict[int, Row] = {}
        for rows in self.commits[:as_of_position]:
            for row in rows:
                if row.live and (row.series not in newest or row.at_ms > newest[row.series].at_ms):
                    newest[row.series] = row
        return batch_of([newest[number] for number in sorted(newest)])

    async def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        for place, rows in enumerate(self.commits[position:], position + 1):
            yield place, batch_of(rows)
