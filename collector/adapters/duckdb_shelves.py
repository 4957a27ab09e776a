"""Where the history keeps each series: side by side with series of the same signal, whose values are alike.

Series are numbered as they first report, a device after the other, so that neighbours by number measure different things. A file
of history is compressed some thousand values at a time with as many bits each as the largest of them needs: by number the values
of gauges, counters and states took 2.8 bytes a reading, by signal 1.4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from collector.store import SeriesRow

FIRST_LOT: Final = 16
"""Shelves that a signal is given at first. With few, few stay empty between signals."""

LARGEST_LOT: Final = 4096
"""Each further lot is as large as all that the signal has, up to this: with many, neighbours are alike."""


@dataclass(slots=True)
class _Row:
    """The shelves of one signal.

    Attributes:
        given: how many it has given to series.
        room: how many lots it has had, in shelves.
        next: the next to give, where there is room.
    """

    given: int = 0
    room: int = 0
    next: int = 0

    @property
    def is_full(self) -> bool:
        return self.given == self.room

    @property
    def end(self) -> int:
        """Where its newest lot ends."""
        return self.next + self.room - self.given


def _next_lot(room: int) -> int:
    """Shelves in the lot after ``room`` shelves."""
    return min(max(room, FIRST_LOT), LARGEST_LOT)


def _room_for(given: int) -> int:
    """Shelves in the lots that hold so many series."""
    room = 0
    while room < given:
        room += _next_lot(room)
    return room


class Shelves:
    """The shelf of each series, given once for ever. The writer's thread adds to it, any thread reads."""

    def __init__(self) -> None:
        self._shelf_of = np.full(1024, -1, np.int64)
        self._series_on = np.full(1024, -1, np.int32)
        self._rows: dict[tuple[str, str], _Row] = {}
        self._free = 0

    def load(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Take what the table of series says, and that alone: what was given in a commit that failed is given again."""
        columns = cursor.execute("SELECT series, shelf FROM series").fetchnumpy()
        self._shelf_of, self._series_on = np.full(1024, -1, np.int64), np.full(1024, -1, np.int32)
        self._rows = {}
        self._free = 0
        newest = "SELECT kind, path, count(*), max(shelf) FROM series GROUP BY ALL"
        for kind, path, given, shelf in cursor.execute(newest).fetchall():
            row = self._rows[kind, path] = _Row(given, _room_for(given), shelf + 1)
            self._free = max(self._free, row.end)
        self._put(columns["series"], columns["shelf"])

    def give(self, rows: Sequence[SeriesRow]) -> npt.NDArray[np.int64]:
        """Shelves for new series."""
        shelves = [self._take(row.kind, row.path) for row in rows]
        given = np.array(shelves, np.int64)
        self._put(np.array([row.series for row in rows], np.int64), given)
        return given

    def _take(self, kind: str, path: str) -> int:
        row = self._rows.setdefault((kind, path), _Row())
        if row.is_full:
            lot = _next_lot(row.room)
            row.next = self._free
            row.room += lot
            self._free += lot
        row.given += 1
        row.next += 1
        return row.next - 1

    def _put(self, series: npt.NDArray[Any], shelf: npt.NDArray[Any]) -> None:
        if len(series):
            # Grown aside and then put in place: a reader has the old array or the new one.
            shelf_of = _grown(self._shelf_of, int(series.max()) + 1)
            series_on = _grown(self._series_on, int(shelf.max()) + 1)
            shelf_of[series] = shelf
            series_on[shelf] = series
            self._shelf_of, self._series_on = shelf_of, series_on

    def of(self, series: Sequence[int]) -> list[int]:
        """Shelves of series, ascending; a series that is not known has none."""
        shelf_of = self._shelf_of
        known = [number for number in series if 0 <= number < len(shelf_of)]
        found: list[int] = sorted(set(shelf_of[known].tolist()) - {-1})
        return found

    def series_on(self, shelf: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """Which series stand on shelves."""
        found: npt.NDArray[np.int32] = self._series_on[shelf]
        return found


def _grown(array: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    if count <= len(array):
        return array
    return np.append(array, np.full(max(count, 2 * len(array)) - len(array), -1, array.dtype))
