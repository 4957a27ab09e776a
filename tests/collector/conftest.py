"""Fixtures of the collector's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.store import TimeSeriesStore
from runtime.clock import ManualClock
from runtime.database import Database, metadata, sqlite_url
from tests.collector.stores import NOW_MS, STORES, Opener, opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture(params=STORES)
async def opener(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Opener]:
    """Opens one and the same store, once on each kind."""
    server = request.getfixturevalue("influxdb") if request.param == "influxdb" else None
    async with opened(request.param, tmp_path, clock, server) as open_again:
        yield open_again


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Which kind of store the test runs on."""
    return str(request.node.callspec.params["opener"])


@pytest.fixture
async def store(opener: Opener) -> TimeSeriesStore:
    return await opener()


@pytest.fixture
async def ops(tmp_path: Path) -> AsyncIterator[Database]:
    """An embedded ops database, for tests that do not care which one it is."""
    database = Database(sqlite_url(tmp_path / "ops.db"))
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()
