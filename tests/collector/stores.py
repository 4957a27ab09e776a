"""The time-series stores under one suite: a further adapter joins by a few lines here."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from collector.adapters.duckdb_store import DuckDbStore
from collector.adapters.influxdb_setup import set_up
from collector.adapters.influxdb_store import InfluxDbStore
from collector.settings import DuckDbSettings, InfluxDbSettings, RetentionSettings
from collector.store import SeriesRow, TimeSeriesStore
from contracts.pack import PackId
from contracts.readings import ReadingBatch
from runtime.clock import ManualClock
from runtime.database import Database, metadata, sqlite_url
from tests.influxdb import InfluxServer, WriteRoute

STORES: Final = ("duckdb", "influxdb")

TELLS_EQUALS_APART: Final = {"duckdb": True, "influxdb": False}
"""Whether two readings of one series, time and value that came in different packs stay two."""

NOW_MS: Final = 1_795_348_800_000 - 1_795_348_800_000 % 86_400_000  # midnight UTC

SERIES: Final = [
    SeriesRow(0, "BR1/atm-01", "atm", "cdm/unit1/count"),
    SeriesRow(1, "BR1/atm-01", "atm", "cdm/device"),
    SeriesRow(2, "BR1/gateway", "gateway", "uplink/state"),
    SeriesRow(3, "BR1/atm-01", "atm", "cdm/error"),
]

RETENTION: Final = RetentionSettings(readings_days=10, minutes_days=20, hours_days=40, events_days=15)

FOR_EVER: Final = RetentionSettings(readings_days=36_500, minutes_days=36_500, hours_days=36_500, events_days=36_500)
"""What the InfluxDB server of the tests keeps: it goes by the real time, the tests by theirs."""

Opener = Callable[[], Awaitable[TimeSeriesStore]]


@asynccontextmanager
async def opened(
    name: str, directory: Path, clock: ManualClock, server: InfluxServer | None = None
) -> AsyncIterator[Opener]:
    """Opens the same store again and again; what is still open at the end is closed.

    Args:
        name: one of :data:`STORES`.
        directory: for its files.
        clock: what it goes by.
        server: for the store that needs one.
    """
    async with AsyncExitStack() as resources:
        if name == "influxdb":
            assert server is not None
            database = await resources.enter_async_context(ops_database(directory))
            settings = await resources.enter_async_context(influxdb_database(server))

            def make() -> TimeSeriesStore:
                return InfluxDbStore(settings, RETENTION, database, clock)
        else:

            def make() -> TimeSeriesStore:
                return DuckDbStore(directory / "store", clock, DuckDbSettings(), RETENTION)

        stores: list[TimeSeriesStore] = []

        async def open_again() -> TimeSeriesStore:
            for store in stores:
                await store.close()
            store = make()
            await store.open()
            stores.append(store)
            return store

        yield open_again
        for store in stores:
            await store.close()


@asynccontextmanager
async def ops_database(directory: Path) -> AsyncIterator[Database]:
    """An embedded ops database with its tables."""
    database = Database(sqlite_url(directory / "ops.db"))
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def influxdb_database(server: InfluxServer) -> AsyncIterator[InfluxDbSettings]:
    """A database of its own on a server, which is dropped in the end."""
    async with WriteRoute(server.url).listening() as route:
        settings = InfluxDbSettings(url=route.url, database=f"test-{uuid.uuid4().hex}")
        await set_up(settings, FOR_EVER)
        yield settings
        server.query(f'DROP DATABASE "{settings.database}"')


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
