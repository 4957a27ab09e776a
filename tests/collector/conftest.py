"""Fixtures of the collector's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.database import Database, metadata, sqlite_url


@pytest.fixture
async def ops(tmp_path: Path) -> AsyncIterator[Database]:
    """An embedded ops database, for tests that do not care which one it is."""
    database = Database(sqlite_url(tmp_path / "ops.db"))
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()
