"""Fixtures of the collector's tests."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.database import Database, metadata, sqlite_url
from runtime.settings import BrokerSettings
from tests.conftest import free_port

CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {directory}/
max_inflight_messages 1000
max_queued_messages 100000
user root
"""


@pytest.fixture
async def ops(tmp_path: Path) -> AsyncIterator[Database]:
    """An embedded ops database, for tests that do not care which one it is."""
    database = Database(sqlite_url(tmp_path / "ops.db"))
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[BrokerSettings]:
    """Debian's mosquitto with a configuration and a directory of its own."""
    port = free_port()
    directory = tmp_path / "mosquitto"
    directory.mkdir()
    configuration = directory / "mosquitto.conf"
    configuration.write_text(CONFIGURATION.format(port=port, directory=directory))
    server = await asyncio.create_subprocess_exec(
        "/usr/sbin/mosquitto", "-c", str(configuration), stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                break
    yield BrokerSettings(port=port)
    server.terminate()
    async with asyncio.timeout(10):
        await server.wait()
