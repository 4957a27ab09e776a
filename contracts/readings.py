"""A batch of readings as columns, as the collector makes it and the rules take it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from contracts.signals import Signal

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Float64s: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """What a series number stands for.

    Attributes:
        series: number of the series, dense from 0, given once and kept by the store.
        device_id: full device id.
        kind: device kind.
        path: concrete signal path.
        signal: row of the device catalogue.
    """

    series: int
    device_id: str
    kind: str
    path: str
    signal: Signal


@dataclass(frozen=True, slots=True)
class EventReading:
    """A reading of an event signal: a text at a moment.

    Attributes:
        series: series number.
        observed_at_ms: milliseconds since 1970 UTC.
        text: what happened.
        live: whether it came on the live stream; back-filled ones never page.
    """

    series: int
    observed_at_ms: int
    text: str
    live: bool = True


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Readings as columns, in arrival order.

    Attributes:
        series: series number of each reading, shape (n,).
        observed_at_ms: milliseconds since 1970 UTC, shape (n,).
        value: number of each reading; a state's ordinal, shape (n,).
        live: whether the reading came on the live stream; back-filled ones never page, shape (n,).
        events: readings of event signals, apart because they are texts.
    """

    series: Int32s
    observed_at_ms: Int64s
    value: Float64s
    live: npt.NDArray[np.bool_]
    events: Sequence[EventReading] = field(default=())

    def __len__(self) -> int:
        return len(self.series)

    @staticmethod
    def of(rows: Sequence[tuple[int, int, float]], *, live: bool = True) -> "ReadingBatch":
        """Make a batch from (series, observed_at_ms, value) rows."""
        return ReadingBatch(
            series=np.array([row[0] for row in rows], dtype=np.int32),
            observed_at_ms=np.array([row[1] for row in rows], dtype=np.int64),
            value=np.array([row[2] for row in rows], dtype=np.float64),
            live=np.full(len(rows), live, dtype=np.bool_),
        )
