"""Brings the ops database to the newest version of its tables, with Alembic."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from runtime.database import Database

_LOCK_KEY = 0x62_77_6D_69_67  # "bwmig"


async def upgrade(database: Database) -> None:
    """Apply the missing migrations in one transaction; nothing happens where there are none.

    Two processes may start at once: on PostgreSQL a lock lets one wait for the other, on SQLite the write lock does.
    """
    async with database.write() as connection:
        if not database.is_sqlite:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
