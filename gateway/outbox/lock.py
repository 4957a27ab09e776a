"""One process an outbox: two that number packs from one file would give one number to different readings."""

import contextlib
import fcntl
import os
from pathlib import Path

from contracts.errors import ConfigurationError, DependencyUnavailable


class OutboxLock:
    """Held from opening to closing; the system lets go of it when a process dies, however it dies.

    Args:
        path: the outbox file; the lock is a file beside it that holds the id of its process.

    Raises:
        ConfigurationError: another process has the outbox open.
        DependencyUnavailable: the lock file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        place = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DependencyUnavailable(f"outbox {path}: cannot be opened: {error}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise ConfigurationError(
                f"outbox {path}: process {owner} has it open; a branch has one gateway, so stop the other one first"
            ) from error
        with contextlib.suppress(OSError):  # a full disk: the lock holds, only its owner's name is missing
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._descriptor)
