# ruff: noqa: S608  (names of our own tables and numbers; texts go in as parameters)
"""Writing and checking history files: under another name until they are whole, then sorted and never changed."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import duckdb

from collector.adapters import duckdb_schema as sql
from collector.adapters.duckdb_damage import sync_directory
from collector.adapters.duckdb_instance import Instance, quoted
from collector.adapters.duckdb_layout import DAY_MS, ROLL_UPS, FileTier, StoreFile
from contracts.errors import DependencyUnavailable

UNFINISHED: Final = ".unfinished"

_BLOCK_BYTES: Final = 65_536
_SMALL_BLOCK_BYTES: Final = 16_384
_SMALL_ROWS: Final = 20_000
"""Blocks of DuckDB's own 256 KiB make one series of a day slower to read (95 % in 3.1 ms against 1.4 ms) and a small file
large; the smallest blocks leave much of a large file empty (11.2 bytes a reading against 6.6)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that is being written: fill ``table`` with ``cursor``."""

    cursor: duckdb.DuckDBPyConnection
    table: str


Filling = Callable[[Draft], None]


class HistoryFiles:
    """Writes files into a directory and reads them whole.

    Args:
        instance: where they are written and read.
        directory: theirs.
    """

    def __init__(self, instance: Instance, directory: Path) -> None:
        self._instance = instance
        self._directory = directory

    def write(self, number: int, tier: FileTier, rows: int, fill: Filling, day_ms: int = 0) -> StoreFile | None:
        """Write a file; it is durable and whole when this returns, and nobody knows of it yet.

        Args:
            number: its number.
            tier: what it holds.
            rows: about how many.
            fill: inserts the rows in their order.
            day_ms: begin of the day, for readings.

        Returns:
            The file; ``None`` where there were no rows.
        """
        path = self._directory / f"{number:08d}{UNFINISHED}"
        alias = f"w{number}"
        self._remove(path)
        block_bytes = _SMALL_BLOCK_BYTES if rows < _SMALL_ROWS else _BLOCK_BYTES
        with self._instance.cursor() as cursor:
            cursor.execute(f"ATTACH '{quoted(path)}' AS {alias} (BLOCK_SIZE {block_bytes})")
            try:
                cursor.execute(f"CREATE TABLE {alias}.data ({sql.FILE_TABLE[tier]})")
                fill(Draft(cursor, f"{alias}.data"))
                found = cursor.execute(_BOUNDS[tier].format(f"{alias}.data", day_ms)).fetchone()
                cursor.execute(f"CHECKPOINT {alias}")
            finally:
                cursor.execute(f"DETACH {alias}")
        if found is None or not found[0]:
            self._remove(path)
            return None
        file = StoreFile(number, tier, found[1], found[2], found[0], path.stat().st_size)
        self._finish(path, self._instance.path_of(file))
        return file

    def write_other(self, name: str, fill: Callable[[duckdb.DuckDBPyConnection, str], None]) -> None:
        """Write a file that is no part of the history; ``fill`` is given an alias to make tables under."""
        path = self._directory / f"{name}{UNFINISHED}"
        self._remove(path)
        with self._instance.cursor() as cursor:
            cursor.execute(f"ATTACH '{quoted(path)}' AS other (BLOCK_SIZE {_SMALL_BLOCK_BYTES})")
            try:
                fill(cursor, "other")
                cursor.execute("CHECKPOINT other")
            finally:
                cursor.execute("DETACH other")
        self._finish(path, self._directory / name)

    def _finish(self, path: Path, target: Path) -> None:
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.rename(target)
        sync_directory(self._directory)

    def _remove(self, path: Path) -> None:
        for found in (path, path.with_name(path.name + ".wal")):
            found.unlink(missing_ok=True)

    def remove(self, file: StoreFile) -> None:
        """Let go of a file and give its disk back; it may be gone already."""
        with self._instance.cursor() as cursor:
            self._instance.detach(cursor, file)
        self._instance.path_of(file).unlink(missing_ok=True)

    def let_go(self, file: StoreFile) -> None:
        """Stop reading a file that stays where it is."""
        with self._instance.cursor() as cursor, contextlib.suppress(duckdb.Error):
            self._instance.detach(cursor, file)

    def counted(self, file: StoreFile) -> StoreFile | None:
        """The file with the number of its rows; ``None`` where it cannot be read."""
        try:
            return replace(file, rows=_rows_in(self._instance.path_of(file)))
        except duckdb.Error:
            return None

    def examine(self, file: StoreFile) -> duckdb.Error | None:
        """Read every row of a file, by itself: what befell the store's DuckDB says nothing of it. What is wrong, if anything."""
        wrong = self.misses(file)
        if wrong is not None:
            return duckdb.IOException(f"Corrupt: {wrong}")
        try:
            rows = _rows_in(self._instance.path_of(file))
        except duckdb.Error as error:
            return error
        return None if rows == file.rows else duckdb.IOException(f"Corrupt: {rows} rows where {file.rows} were written")

    def misses(self, file: StoreFile) -> str | None:
        """Whether a file is gone or not as long as it was written, and how."""
        try:
            size = self._instance.path_of(file).stat().st_size
        except FileNotFoundError:
            return "the file is missing"
        return None if size == file.size else f"it is {size} bytes long, expected {file.size}"


def _rows_in(path: Path) -> int:
    """Read a whole file with a DuckDB of its own; how many rows there are."""
    with duckdb.connect(str(path), read_only=True, config={"threads": 1, "memory_limit": "64MB"}) as file:
        row = file.execute("SELECT bit_xor(hash(data)), count(*) FROM data").fetchone()
    return 0 if row is None else int(row[1])


def unavailable(what: str, error: duckdb.Error | OSError) -> DependencyUnavailable:
    """An error of DuckDB or of the disk as the port says it."""
    return DependencyUnavailable(f"store {what}: {error}")


_BOUNDS: Final = {
    FileTier.READINGS: f"SELECT count(*), min(key % {DAY_MS}) + {{1}}, max(key % {DAY_MS}) + {{1}} + 1 FROM {{0}}",
    FileTier.EVENTS: "SELECT count(*), min(observed_at), max(observed_at) + 1 FROM {0}",
    **{
        tier: f"SELECT count(*), min(slot)::BIGINT * {length}, (max(slot)::BIGINT + 1) * {length} FROM {{0}}"
        for tier, length in ROLL_UPS.items()
    },
}
