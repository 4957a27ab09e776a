"""Migrations make exactly the tables that the packages declare, on SQLite and PostgreSQL."""

import importlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from runtime.database import Database, metadata, sqlite_url
from runtime.migration import upgrade
from tests.postgresql import PostgresServer

OWNERS = ("collector.tables", "maintenance.adapters.tables", "rules.adapters.tables", "runtime.event_log")


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    server: PostgresServer | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    database = Database(server.new_database() if server is not None else sqlite_url(tmp_path / "ops.db"))
    yield database
    await database.close()


def differences(connection: Connection) -> list[object]:
    for owner in OWNERS:
        importlib.import_module(owner)
    ours = {table for table in metadata.tables if not table.startswith("test_")}
    context = MigrationContext.configure(
        connection, opts={"include_name": lambda name, kind, _parents: kind != "table" or name in ours}
    )
    return [
        difference
        for difference in compare_metadata(context, metadata)
        if not (isinstance(difference, tuple) and str(getattr(difference[1], "name", "")).startswith("test_"))
    ]


async def test_migrated_tables_are_those_declared(empty_database: Database) -> None:
    await upgrade(empty_database)
    async with empty_database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_second_upgrade_changes_nothing(empty_database: Database) -> None:
    await upgrade(empty_database)
    await upgrade(empty_database)
    async with empty_database.read() as connection:
        assert await connection.run_sync(differences) == []
