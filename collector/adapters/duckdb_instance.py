"""The DuckDB instance of a store: its connections, one for each thread, and the history files attached to it."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from collector.adapters.duckdb_layout import StoreFile
from contracts.errors import DependencyUnavailable

WAL_BYTES: Final = 64 * 2**20
"""At 16 MiB, DuckDB's own choice, the checkpoints took as much time as the inserts between them."""


class Instance:
    """One DuckDB over ``recent.duckdb``.

    Each thread has a connection of its own. :meth:`restart` waits for those that are in use and closes all of them.

    Args:
        path: file of what is recent.
        history: directory of the history files.
        memory_mb: for buffers and sorting, in MiB; what does not fit is written to ``tmp`` beside the file.
    """

    def __init__(self, path: Path, history: Path, memory_mb: int) -> None:
        self._path = path
        self._history = history
        self._memory_mb = memory_mb
        self._root: duckdb.DuckDBPyConnection | None = None
        self._cursors: dict[int, duckdb.DuckDBPyConnection] = {}
        self._attached: set[int] = set()
        self._lock = threading.Lock()
        self._gate = threading.Condition()
        self._in_use = 0
        self._restarting = False
        self._held = threading.local()  # how often this thread holds its connection

    def open(self) -> None:
        """Open the file, or make it.

        Raises:
            duckdb.Error: it is held by another process, damaged or cannot be written.
        """
        self._root = duckdb.connect(
            str(self._path),
            config={
                "threads": 2,
                "memory_limit": f"{self._memory_mb}MB",
                "temp_directory": str(self._path.parent / "tmp"),
                "checkpoint_threshold": f"{WAL_BYTES}B",
                "autoinstall_known_extensions": "false",  # nothing is fetched from outside
                "autoload_known_extensions": "false",
            },
        )

    @property
    def is_open(self) -> bool:
        """Whether there is a file to ask."""
        return self._root is not None

    def close(self) -> None:
        """Close every connection; whoever uses one is waited for. Idempotent."""
        with self._alone():
            self._close()

    def restart(self) -> None:
        """Close every connection and open the file again; whoever asks for a connection meanwhile waits.

        Raises:
            duckdb.Error: as :meth:`open` does; the file is closed then.
        """
        with self._alone():
            self._close()
            self.open()

    def _close(self) -> None:
        for cursor in self._cursors.values():
            cursor.close()
        self._cursors.clear()
        self._attached.clear()
        root, self._root = self._root, None
        if root is not None:
            root.close()

    @contextlib.contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """This thread's connection. Not to be held while another thread of the store is waited for.

        A thread that holds it gets it again at once, also while a restart waits for this thread.

        Raises:
            DependencyUnavailable: the store is not open.
        """
        depth = getattr(self._held, "depth", 0)
        with self._gate:
            if not depth:
                self._gate.wait_for(lambda: not self._restarting)
            self._in_use += 1
        self._held.depth = depth + 1
        try:
            yield self._mine()
        finally:
            self._held.depth = depth
            with self._gate:
                self._in_use -= 1
                self._gate.notify_all()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """This thread's connection in a transaction, committed at the end; one snapshot for a reader."""
        with self.cursor() as cursor:
            cursor.begin()
            try:
                yield cursor
                cursor.commit()
            except BaseException:
                with contextlib.suppress(duckdb.Error):  # it may have ended by the error itself
                    cursor.rollback()
                raise

    def _mine(self) -> duckdb.DuckDBPyConnection:
        key = threading.get_ident()
        with self._lock:
            if self._root is None:
                raise DependencyUnavailable(f"store {self._path} is not open")
            if key not in self._cursors:
                self._cursors[key] = self._root.cursor()
            return self._cursors[key]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self._gate:
            self._gate.wait_for(lambda: not self._restarting)
            self._restarting = True
            self._gate.wait_for(lambda: not self._in_use)
        try:
            yield
        finally:
            with self._gate:
                self._restarting = False
                self._gate.notify_all()

    def path_of(self, file: StoreFile) -> Path:
        """Where a history file is."""
        return self._history / file.name

    def attach(self, cursor: duckdb.DuckDBPyConnection, file: StoreFile) -> str:
        """Make a history file readable; its alias.

        Raises:
            duckdb.Error: it cannot be opened.
        """
        alias = f"f{file.number}"
        with self._lock:
            if file.number not in self._attached:
                cursor.execute(f"ATTACH '{quoted(self.path_of(file))}' AS {alias} (READ_ONLY)")
                self._attached.add(file.number)
        return alias

    def detach(self, cursor: duckdb.DuckDBPyConnection, file: StoreFile) -> None:
        """Let go of a history file."""
        with self._lock:
            if file.number in self._attached:
                self._attached.discard(file.number)
                cursor.execute(f"DETACH f{file.number}")


def quoted(path: Path) -> str:
    """A path as it stands between quotes in SQL."""
    return str(path).replace("'", "''")
