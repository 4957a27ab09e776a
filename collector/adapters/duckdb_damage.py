"""Damage to files of the DuckDB store: what it is told by, and how it is remembered."""

import contextlib
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec

from collector.store import Damage, Tier
from contracts.errors import DependencyUnavailable
from runtime.logs import get_logger

_log = get_logger(__name__)

DAMAGES_FILE: Final = "damages.json"
DAMAGED: Final = ".damaged"

_NOT_DAMAGE: Final = (
    "lock on file", "Permission denied", "No space left", "Too many open files", "Out of Memory", "Read-only file system",
    "newer version", "Disk quota", "Interrupted", "Cannot allocate memory", "File too large", "Input/output error",
    "invalidated",
)  # fmt: skip
_DAMAGE: Final = (
    "Corrupt", "checksum", "not a valid DuckDB database", "Could not read enough bytes", "Failed to deserialize",
    "replaying WAL", "No such file",
)  # fmt: skip


def is_damage(error: duckdb.Error) -> bool:
    """Whether an error tells of a file's contents, and not of a lock, space, memory, permissions or a failed device.

    It does not say which file: a file is condemned only after it was examined by itself.
    """
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException) or any(word in text for word in _NOT_DAMAGE):
        return False
    kinds = (duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException)
    return isinstance(error, kinds) or any(word in text for word in _DAMAGE)


def ends_instance(error: duckdb.Error) -> bool:
    """Whether DuckDB serves nothing more after it until its files are opened again, whichever file it was about."""
    return isinstance(error, duckdb.FatalException | duckdb.InternalException) or "invalidated" in str(error)


def sync_directory(directory: Path) -> None:
    """Make what was renamed in a directory durable."""
    number = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class DamageRecord:
    """The damages in a file of their own, which no damage to the store can touch. Safe for threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._all: list[Damage] = []

    def load(self) -> None:
        """Take what earlier processes found.

        Raises:
            DependencyUnavailable: the record is there and cannot be read.
        """
        path = self._directory / DAMAGES_FILE
        self._all = []
        if not path.exists():
            return
        try:
            rows = msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]])
            self._all = [Damage(**{**row, "file": Path(row["file"]), "tier": Tier(row["tier"])}) for row in rows]
        except (OSError, msgspec.MsgspecError, TypeError, ValueError, KeyError) as error:
            # The record is a convenience: without it the store is as good, and the .damaged files are still there.
            _log.error("the record of damages cannot be read; it begins anew", path=str(path), error=str(error))
            with contextlib.suppress(OSError):
                path.rename(path.with_name(DAMAGES_FILE + DAMAGED))

    def all(self) -> Sequence[Damage]:
        """Oldest first."""
        return tuple(self._all)

    def set_aside(self, path: Path, name: str) -> Path:
        """Rename a damaged file so that nobody opens it again; one that is missing stays so."""
        target = path.with_name(name + DAMAGED)
        try:
            path.rename(target)
            sync_directory(path.parent)
        except FileNotFoundError:
            return path
        except OSError as error:
            raise DependencyUnavailable(
                f"store: {path} is damaged and cannot be renamed: {error.strerror}; make its directory writable"
            ) from error
        return target

    def add(self, damage: Damage) -> None:
        """Note a damage, durably, and say so in the log."""
        _log.error(
            "a file of the store is damaged: it is left beside, and the rest is served",
            file=str(damage.file), tier=damage.tier.value, from_ms=damage.from_ms, to_ms=damage.to_ms, reason=damage.reason,
        )  # fmt: skip
        with self._lock:
            self._all.append(damage)
            rows = [{**asdict(found), "file": str(found.file)} for found in self._all]
            path = self._directory / DAMAGES_FILE
            temporary = path.with_name(DAMAGES_FILE + ".tmp")
            with temporary.open("wb") as file:
                file.write(msgspec.json.encode(rows))
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
            sync_directory(self._directory)
