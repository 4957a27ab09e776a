"""Statements and transactions on the outbox file, and its errors in the project's words."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.errors import DependencyUnavailable


class Sql:
    """An open outbox file; used from the thread that opened it.

    Every call raises :class:`~contracts.errors.DependencyUnavailable` where the disk is full, read-only or failing.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self._path = path
        self._durable = True

    def one(self, query: str, *arguments: Any) -> Any:
        """First column of the first row."""
        with self.translated():
            return self.connection.execute(query, arguments).fetchone()[0]

    def all(self, query: str, *arguments: Any) -> list[Any]:
        """All rows."""
        with self.translated():
            return self.connection.execute(query, arguments).fetchall()

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of SQLite as ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise DependencyUnavailable(f"outbox {self._path}: {error}; check disk space and permissions") from error

    @contextlib.contextmanager
    def transaction(self, *, durable: bool) -> Iterator[None]:
        """One transaction; where it is durable, it survives the loss of power once this returns."""
        with self.translated():
            if durable != self._durable:
                self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
