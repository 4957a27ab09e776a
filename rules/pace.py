"""How far time may pass for delays.

Readings come some time after they were observed. While a backlog is worked off, after a restart or a stall, the clock on
the wall is ahead of the readings; a delay that ended by that clock would raise what the next reading takes back.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.readings import ReadingBatch, SeriesInfo

FRESH_MS: Final = 5_000
"""A batch whose newest reading is younger than this is up to date."""

_DERIVED: Final = "collector"


class Pace:
    """Follows how old the readings are that come in.

    Args:
        late_ms: how long a delay waits for readings under way.
        catch_up_ms: longest time that delays wait for fresh readings.
        now_ms: begin; until the first fresh batch everything counts as backlog.
    """

    def __init__(self, late_ms: int, catch_up_ms: int, now_ms: int) -> None:
        self._late_ms = late_ms
        self._catch_up_ms = catch_up_ms
        self._behind_since_ms: int | None = now_ms
        self._derived: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)

    def took(self, batch: ReadingBatch, series: Sequence[SeriesInfo], now_ms: int) -> None:
        """Note a batch. What the collector says itself is always fresh and does not count, nor does back-fill."""
        known = len(self._derived)
        if len(series) > known:
            new = [series[number].signal.source.startswith(_DERIVED) for number in range(known, len(series))]
            self._derived = np.append(self._derived, np.array(new, np.bool_))
        counted = batch.live & ~self._derived[batch.series]
        newest_ms = int(batch.observed_at_ms[counted].max(initial=0))
        if newest_ms == 0:
            return
        if newest_ms >= now_ms - FRESH_MS:
            self._behind_since_ms = None
        elif self._behind_since_ms is None:
            self._behind_since_ms = now_ms

    def horizon_ms(self, now_ms: int) -> int | None:
        """Observation time up to which delays may end, ``None`` while the readings are behind."""
        if self._behind_since_ms is not None and now_ms - self._behind_since_ms < self._catch_up_ms:
            return None
        return now_ms - self._late_ms
