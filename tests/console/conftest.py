"""A running server for the tests of API and page."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.clock import SystemClock
from runtime.database import Database, metadata, sqlite_url
from runtime.event_log import EventLog
from runtime.settings import BrokerSettings
from tests.console.house import House, open_house


@pytest.fixture
async def house(broker: BrokerSettings, tmp_path: Path) -> AsyncIterator[House]:
    """A server on SQLite with nothing in it yet."""
    database = Database(sqlite_url(tmp_path / "house.db"))
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    async with open_house(broker, database, EventLog(database, SystemClock()), tmp_path) as opened:
        yield opened
    await database.close()
