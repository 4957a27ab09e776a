"""Shared fixtures: real parts on loopback, and guards against what a test leaves behind."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runtime.broker import EmbeddedBroker
from runtime.clock import SystemClock
from runtime.database import Database, metadata, sqlite_url
from runtime.event_log import EventLog
from runtime.settings import BrokerSettings
from tests.influxdb import InfluxServer
from tests.mosquitto import mosquitto_server
from tests.postgresql import PostgresServer

_POOL_THREADS = ("asyncio_", "pytest_timeout", "hypothesis")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail a test that leaves a thread running."""
    before = set(threading.enumerate())
    yield
    left = [
        thread.name
        for thread in set(threading.enumerate()) - before
        if thread.is_alive() and not thread.daemon and not thread.name.startswith(_POOL_THREADS)
    ]
    assert not left, f"threads left running: {left}"


@pytest.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    """Fail a test that leaves a task running."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    here = asyncio.current_task()  # the fixture's own second half
    left = [task.get_name() for task in asyncio.all_tasks() - before if not task.done() and task is not here]
    assert not left, f"tasks left running: {left}"


def free_port() -> int:
    """A loopback port nobody listens on, neither over TCP nor over UDP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            port = int(stream.getsockname()[1])
            try:
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerSettings]:
    """A real, empty nats-server that does not wait long before it sends again."""
    server = EmbeddedBroker(tmp_path / "broker", port=free_port(), ack_wait_s=2)
    await server.start()
    yield BrokerSettings(port=server.port)
    await server.stop()


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[BrokerSettings]:
    """Debian's mosquitto, a broker that is not ours."""
    async with mosquitto_server(tmp_path / "mosquitto", free_port()) as settings:
        yield settings


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server of this test run."""
    server = PostgresServer(free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """A real InfluxDB server of this test run; each test makes a database of its own."""
    server = InfluxServer(tmp_path_factory.mktemp("influxdb"), free_port(), free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An ops database with all tables, once on each backend."""
    if request.param == "sqlite":
        url = sqlite_url(tmp_path / "ops.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database()
    opened = Database(url)
    async with opened.write() as connection:
        await connection.run_sync(metadata.create_all)
    yield opened
    await opened.close()


@pytest.fixture
def event_log(database: Database) -> EventLog:
    """The event log of that database."""
    return EventLog(database, SystemClock())
