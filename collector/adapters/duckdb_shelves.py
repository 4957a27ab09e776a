"""Where the history keeps each series: side by side with series of the same signal, whose values are alike.

Series are numbered as they first report, a device after the other, so that neighbours by number measure different things. A file
of history is compressed some thousand values at a time with as many bits each as the largest of them needs: by number the values
of gauges, counters and states took 2.8 bytes a reading, by signal 1.4.
"""

from collections.abc import Sequence
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from collector.store import SeriesRow

LOT: Final = 16
"""Shelves that a signal is given at a time. With few, few stay empty between signals; with many, neighbours are alike."""


class Shelves:
    """The shelf of each series, given once for ever. The writer's thread adds to it, any thread reads."""

    def __init__(self) -> None:
        self._shelf_of = np.full(1024, -1, np.int64)
        self._series_on = np.full(1024, -1, np.int32)
        self._next: dict[tuple[str, str], int] = {}
        self._free = 0

    def load(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Take what the table of series says, and that alone: what was given in a commit that failed is given again."""
        columns = cursor.execute("SELECT series, shelf FROM series").fetchnumpy()
        self._shelf_of, self._series_on = np.full(1024, -1, np.int64), np.full(1024, -1, np.int32)
        self._next = {}
        self._free = 0
        for kind, path, newest in cursor.execute("SELECT kind, path, max(shelf) FROM series GROUP BY ALL").fetchall():
            self._next[kind, path] = newest + 1
            self._free = max(self._free, -(-(newest + 1) // LOT) * LOT)
        self._put(columns["series"], columns["shelf"])

    def give(self, rows: Sequence[SeriesRow]) -> npt.NDArray[np.int64]:
        """Shelves for new series."""
        shelves = [self._take(row.kind, row.path) for row in rows]
        given = np.array(shelves, np.int64)
        self._put(np.array([row.series for row in rows], np.int64), given)
        return given

    def _take(self, kind: str, path: str) -> int:
        shelf = self._next.get((kind, path), 0)
        if shelf % LOT == 0:
            shelf = self._free
            self._free += LOT
        self._next[kind, path] = shelf + 1
        return shelf

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
