"""The time-series stores under one suite: a further adapter joins by a few lines here."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from collector.adapters.duckdb_store import DuckDbStore
from collector.settings import DuckDbSettings, RetentionSettings
from collector.store import SeriesRow, TimeSeriesStore
from contracts.pack import PackId
from contracts.readings import ReadingBatch
from runtime.clock import ManualClock

STORES: Final = ("duckdb",)

NOW_MS: Final = 1_795_348_800_000 - 1_795_348_800_000 % 86_400_000  # midnight UTC

SERIES: Final = [
    SeriesRow(0, "BR1/atm-01", "atm", "cdm/unit1/count"),
    SeriesRow(1, "BR1/atm-01", "atm", "cdm/device"),
    SeriesRow(2, "BR1/gateway", "gateway", "uplink/state"),
    SeriesRow(3, "BR1/atm-01", "atm", "cdm/error"),
]

RETENTION: Final = RetentionSettings(readings_days=10, minutes_days=20, hours_days=40, events_days=15)

Opener = Callable[[], Awaitable[TimeSeriesStore]]


@asynccontextmanager
async def opened(name: str, directory: Path, clock: ManualClock) -> AsyncIterator[Opener]:
    """Opens the same store again and again; what is still open at the end is closed."""
    stores: list[TimeSeriesStore] = []

    async def open_again() -> TimeSeriesStore:
        for store in stores:
            await store.close()
        assert name == "duckdb"
        store = DuckDbStore(directory / "store", clock, DuckDbSettings(), RETENTION)
        await store.open()
        stores.append(store)
        return store

    yield open_again
    for store in stores:
        await store.close()


async def keep_up(store: TimeSeriesStore, now_ms: int) -> None:
    """All the upkeep that is due."""
    for _ in range(1000):
        if not (await store.maintain(now_ms)).more:
            return
    raise AssertionError("the upkeep finds no end")


def pack(seq: int, boot: str = "boot-a") -> PackId:
    return PackId("BR1", boot, seq)


def rows(batch: ReadingBatch) -> list[tuple[int, int, float, bool]]:
    columns = (batch.series, batch.observed_at_ms, batch.value, batch.live)
    return list(zip(*(column.tolist() for column in columns), strict=True))


async def scan_commits(store: TimeSeriesStore, position: int) -> list[tuple[int, ReadingBatch]]:
    return [commit async for commit in store.scan_since(position)]
