"""The ops database through SQLAlchemy 2 (async): SQLite embedded, PostgreSQL in production.

Each package declares its tables on :data:`metadata`; ``migrations/`` creates them.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from contracts.errors import ConfigurationError, DependencyUnavailable

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of all packages, each declared by its owner."""


_TRANSIENT_STATES: Final = ("08", "40", "53", "57", "25006")
"""SQLSTATE classes that pass by themselves: connection, rollback, resources, operator intervention, read-only.

Source: PostgreSQL documentation, appendix A. Class 22, bad data, is not among them: it would be tried again for ever.
"""

_POOL_TIMEOUT_S: Final = 15.0
_BUSY_TIMEOUT_MS: Final = 10_000


def sqlite_url(path: Path) -> str:
    """URL of an embedded database file."""
    return f"sqlite+aiosqlite:///{path}"


class Database:
    """Connections to the ops database.

    Writers are serialised on SQLite (one connection, ``BEGIN IMMEDIATE``, WAL, synchronous=FULL), so that a transaction
    never fails half-way for a lock; readers run beside them.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except SQLAlchemyError as error:
            raise ConfigurationError(
                "ops_database.url: not a database URL; expected postgresql+asyncpg://user:password@host/name"
            ) from error
        if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
            raise ConfigurationError(
                f"ops_database.url: backend {parsed.get_backend_name()!r}, expected sqlite+aiosqlite or postgresql+asyncpg"
            )
        try:
            parsed.get_dialect().import_dbapi()
        except ImportError as error:
            raise ConfigurationError(
                f"ops_database.url: the driver for {parsed.drivername} is not installed ({error}); PostgreSQL needs the"
                " extra: pip install 'branchwatch[postgresql]'"
            ) from error
        self.url = url
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._writer = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=_POOL_TIMEOUT_S)
            self._reader = create_async_engine(url, pool_size=4, max_overflow=4, pool_timeout=_POOL_TIMEOUT_S)
            _prepare_sqlite(self._writer, begin="BEGIN IMMEDIATE")
            _prepare_sqlite(self._reader, begin="BEGIN")
        else:
            self._writer = create_async_engine(
                url, pool_size=8, max_overflow=8, pool_timeout=_POOL_TIMEOUT_S, pool_pre_ping=True
            )
            self._reader = self._writer

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            DependencyUnavailable: the database cannot be reached; nothing was written.
        """
        with _translated():
            async with self._writer.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view for queries.

        Raises:
            DependencyUnavailable: the database cannot be reached.
        """
        with _translated():
            async with self._reader.connect() as connection:
                yield connection

    async def close(self) -> None:
        """Close every connection; the last call."""
        await self._writer.dispose()
        await self._reader.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what says that the database is away, busy or going down into ``DependencyUnavailable``; let the rest pass."""
    try:
        yield
    except Exception as error:  # drivers say it in classes of their own; what is not an outage is raised as it came
        if not _says_unavailable(error):
            raise
        reason = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        raise DependencyUnavailable(f"ops database: {reason or type(error).__name__}") from error


def _says_unavailable(error: Exception) -> bool:
    if isinstance(error, (OperationalError, InterfaceError, PoolTimeoutError, OSError)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None)
    return isinstance(state, str) and state.startswith(_TRANSIENT_STATES)


def _prepare_sqlite(engine: AsyncEngine, begin: str) -> None:
    """Let SQLAlchemy say BEGIN itself, so that a writer takes its lock at the start and not half-way."""

    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)
