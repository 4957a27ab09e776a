"""Latest values in memory: the newest observation of each series, whatever order readings arrive in."""

import numpy as np

from contracts.readings import ReadingBatch

_NEVER = np.iinfo(np.int64).min


class LatestValues:
    """Columns indexed by series number; the intake is the only writer."""

    def __init__(self) -> None:
        self._observed_at_ms = np.full(1024, _NEVER, dtype=np.int64)
        self._value = np.zeros(1024, dtype=np.float64)

    def update(self, batch: ReadingBatch) -> None:
        """Take a batch; of each series the reading with the newest ``observed_at`` wins, of equal ones the later to arrive."""
        if not len(batch):
            return
        self._reserve(int(batch.series.max()) + 1)
        series, observed_at_ms = batch.series, batch.observed_at_ms
        np.maximum.at(self._observed_at_ms, series, observed_at_ms)  # a sort would take ten times as long
        newest = observed_at_ms == self._observed_at_ms[series]
        self._value[series[newest]] = batch.value[newest]  # of several for one series NumPy keeps the last

    def get(self, series: int) -> tuple[int, float] | None:
        """``(observed_at_ms, value)`` of a series; ``None`` where it has no reading."""
        if series >= len(self._observed_at_ms) or self._observed_at_ms[series] == _NEVER:
            return None
        return int(self._observed_at_ms[series]), float(self._value[series])

    def _reserve(self, count: int) -> None:
        missing = count - len(self._value)
        if missing > 0:
            grow = max(missing, len(self._value))
            self._observed_at_ms = np.append(self._observed_at_ms, np.full(grow, _NEVER, dtype=np.int64))
            self._value = np.append(self._value, np.zeros(grow, dtype=np.float64))
