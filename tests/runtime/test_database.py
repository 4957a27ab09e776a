"""The ops database when it is away, busy or wrong."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from contracts.errors import ConfigurationError, DependencyUnavailable
from runtime import database as module
from runtime.database import Database, sqlite_url
from tests.conftest import free_port
from tests.postgresql import PostgresServer


async def put(database: Database, number: int) -> None:
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO thing VALUES (:number)"), {"number": number})


async def make(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE thing (number INTEGER PRIMARY KEY)"))


async def numbers(database: Database) -> list[int]:
    async with database.read() as connection:
        return list((await connection.execute(text("SELECT number FROM thing ORDER BY number"))).scalars())


async def test_a_postgresql_that_restarts_is_unavailable_for_a_while_and_nothing_else() -> None:
    server = PostgresServer(free_port())
    server.start()
    database = Database(server.new_database())
    await make(database)
    written: list[int] = []
    refused = 0
    try:
        for mode in ("fast", "immediate"):
            restart = asyncio.create_task(asyncio.to_thread(server.restart, mode))
            while not restart.done():
                number = len(written) + refused
                try:
                    await put(database, number)
                except DependencyUnavailable:
                    refused += 1
                else:
                    written.append(number)
                await asyncio.sleep(0.01)
            await restart
            await put(database, 1_000_000 + len(written))
            written.append(1_000_000 + len(written))
        assert set(written) <= set(await numbers(database))
    finally:
        await database.close()
        server.stop()


async def test_a_locked_sqlite_is_unavailable_also_for_those_who_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BUSY_TIMEOUT_MS", 300)
    monkeypatch.setattr(module, "_POOL_TIMEOUT_S", 0.1)
    database = Database(sqlite_url(tmp_path / "ops.db"))
    await make(database)
    holder = sqlite3.connect(tmp_path / "ops.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(*(put(database, number) for number in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [DependencyUnavailable] * 4
    holder.execute("ROLLBACK")
    holder.close()
    await put(database, 5)
    assert await numbers(database) == [5]
    await database.close()


async def test_a_broken_constraint_and_bad_data_are_not_taken_for_an_outage(database: Database) -> None:
    await make(database)
    await put(database, 1)
    with pytest.raises(IntegrityError):
        await put(database, 1)
    if not database.is_sqlite:
        with pytest.raises(DBAPIError, match="zero"):
            async with database.read() as connection:
                await connection.execute(text("SELECT 1 / 0"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://user:hunter2@host/name", "backend 'mysql', expected"),
        ("postgresql+psycopg2://user:hunter2@host/name", "not installed"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        Database(url)
    assert "hunter2" not in str(refused.value)
