"""What a collector has committed, seen from other processes: counts in a file that all of them map into memory."""

from pathlib import Path
from typing import Final, Self

import numpy as np

from contracts.readings import Int64s

LONGEST_LAG_MS: Final = 120_000
"""Longer lags are counted together, one place behind this one."""

_FIRST_LAG: Final = 3


class CommitBoard:
    """Packs and readings committed, devices known, and how many live readings took how many milliseconds.

    One process writes, others read. A count is one aligned word, so nobody sees half of it.
    """

    def __init__(self, counts: Int64s) -> None:
        self._counts = counts

    @classmethod
    def make(cls, path: Path) -> Self:
        """A new board in a file."""
        return cls(np.memmap(path, dtype=np.int64, mode="w+", shape=(_FIRST_LAG + LONGEST_LAG_MS + 2,)))

    @classmethod
    def open(cls, path: Path) -> Self:
        """The board in a file."""
        return cls(np.memmap(path, dtype=np.int64, mode="r+"))

    @property
    def packs(self) -> int:
        """Packs committed."""
        return int(self._counts[0])

    @property
    def readings(self) -> int:
        """Readings committed."""
        return int(self._counts[1])

    @property
    def devices(self) -> int:
        """Devices in inventories."""
        return int(self._counts[2])

    def lags(self) -> Int64s:
        """Live readings by milliseconds from observation to commit, shape (LONGEST_LAG_MS + 2,); the last place holds all longer ones."""
        return np.array(self._counts[_FIRST_LAG:])

    def note_devices(self, count: int) -> None:
        """Note how many devices inventories list."""
        self._counts[2] = count

    def note(self, packs: int, readings: int, lags_ms: Int64s) -> None:
        """Note a commit.

        Args:
            packs: committed so far.
            readings: in this commit.
            lags_ms: of its live readings, milliseconds.
        """
        if len(lags_ms):
            counts = np.bincount(np.clip(lags_ms, 0, LONGEST_LAG_MS + 1))
            self._counts[_FIRST_LAG : _FIRST_LAG + len(counts)] += counts
        self._counts[1] += readings
        self._counts[0] = packs


def quantile(lags: Int64s, share: float) -> int | None:
    """Milliseconds within which such a share of readings was committed.

    ``None`` where there were none, or where it took longer than :data:`LONGEST_LAG_MS`.
    """
    total = int(lags.sum())
    found = int(np.searchsorted(np.cumsum(lags), share * total))
    return None if total == 0 or found > LONGEST_LAG_MS else found
