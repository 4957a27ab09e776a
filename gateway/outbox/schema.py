"""Tables of the outbox file and how it is opened.

A fragment is what one hand-over of a driver became, encoded once. A pack is a run of fragments with a number; fragments
and packs are both cut in order, so a pack needs only its first and last fragment. ``outbox`` holds the one row that says
whose outbox this is and counts what happened since it was made. ``memory`` is what drivers keep between lives.
"""

import contextlib
import sqlite3
import uuid
from pathlib import Path
from typing import Final

from contracts.errors import ConfigurationError, DependencyUnavailable

VERSION: Final = 3

_TABLES: Final = """
CREATE TABLE outbox (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    branch_id TEXT NOT NULL,
    boot TEXT NOT NULL,
    made_at_ms INTEGER NOT NULL,
    newest_ms INTEGER NOT NULL DEFAULT 0,
    last_seq INTEGER NOT NULL DEFAULT 0,
    last_cut_fragment INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    produced INTEGER NOT NULL DEFAULT 0,
    acknowledged_readings INTEGER NOT NULL DEFAULT 0,
    acknowledged_packs INTEGER NOT NULL DEFAULT 0,
    resent_packs INTEGER NOT NULL DEFAULT 0,
    unavailable_packs INTEGER NOT NULL DEFAULT 0,
    dropped_readings INTEGER NOT NULL DEFAULT 0,
    refused_inputs INTEGER NOT NULL DEFAULT 0,
    starts INTEGER NOT NULL DEFAULT 0,
    host_boot TEXT NOT NULL DEFAULT '',
    host_reboots INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE fragment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stored_at_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    payload BLOB NOT NULL,
    rank INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE pack (
    seq INTEGER PRIMARY KEY,
    first_fragment INTEGER NOT NULL,
    last_fragment INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    stored_at_ms INTEGER NOT NULL,
    acked_at_ms INTEGER,
    dropped INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX pack_unacknowledged ON pack (seq) WHERE acked_at_ms IS NULL;
CREATE TABLE refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    raw BLOB NOT NULL
);
CREATE TABLE identity (
    device_id TEXT PRIMARY KEY,
    maker TEXT NOT NULL,
    model TEXT NOT NULL,
    serial TEXT NOT NULL,
    firmware TEXT NOT NULL
);
"""

_MEMORY: Final = """
CREATE TABLE memory (
    device_id TEXT NOT NULL,
    driver TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (device_id, driver, key)
) WITHOUT ROWID
"""


def connect(path: Path, branch_id: str, now_ms: int) -> sqlite3.Connection:
    """Open an outbox, or make it with a boot identity of its own.

    Raises:
        ConfigurationError: it belongs to another branch or to another version of Branchwatch.
        DependencyUnavailable: it cannot be opened or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    except (OSError, sqlite3.Error) as error:
        raise DependencyUnavailable(f"outbox {path}: cannot be opened: {error}") from error
    try:
        _prepare(connection, path, branch_id, now_ms)
    except (sqlite3.Error, ConfigurationError) as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise DependencyUnavailable(f"outbox {path}: {error}; check disk space and permissions") from error
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, branch_id: str, now_ms: int) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        _make_or_check(connection, path, branch_id, now_ms)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _make_or_check(connection: sqlite3.Connection, path: Path, branch_id: str, now_ms: int) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in range(VERSION + 1):
        raise ConfigurationError(f"outbox {path}: version {version}, expected {VERSION}; use a new data_dir")
    if version == 0:
        for statement in _TABLES.split(";"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(
            "INSERT INTO outbox (one, branch_id, boot, made_at_ms) VALUES (1, ?, ?, ?)",
            (branch_id, str(uuid.uuid4()), now_ms),
        )
    if version < 2:  # version 1 had no memory of drivers
        connection.execute(_MEMORY)
    if version in {1, 2}:  # before version 3 all ranks shared fragments, so all of them are kept as long as events
        connection.execute("ALTER TABLE fragment ADD COLUMN rank INTEGER NOT NULL DEFAULT 0")
        connection.execute("ALTER TABLE pack ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0")
    if version < VERSION:
        connection.execute(f"PRAGMA user_version = {VERSION}")
    owner = connection.execute("SELECT branch_id FROM outbox").fetchone()[0]
    if owner != branch_id:
        raise ConfigurationError(
            f"outbox {path}: belongs to branch {owner}, expected {branch_id}; give each branch its own data_dir"
        )
