"""Readings under construction: as lists while single packs are read, as arrays where many were read together."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from contracts.readings import EventReading, ReadingBatch


@dataclass(slots=True)
class Columns:
    """Readings one after the other; :meth:`batch` makes them arrays."""

    series: list[int] = field(default_factory=list)
    observed_at_ms: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    live: list[bool] = field(default_factory=list)
    events: list[EventReading] = field(default_factory=list)

    def add(self, series: int, observed_at_ms: int, value: float) -> None:
        """Append a live reading."""
        self.series.append(series)
        self.observed_at_ms.append(observed_at_ms)
        self.value.append(value)
        self.live.append(True)

    def extend(self, other: "Columns", *, live: bool) -> None:
        """Append all of another, all of one lane."""
        self.series += other.series
        self.observed_at_ms += other.observed_at_ms
        self.value += other.value
        self.live += [live] * len(other.series)
        self.events += on_lane(other.events, live=live)

    def __len__(self) -> int:
        """Readings and events together."""
        return len(self.series) + len(self.events)

    def batch(self) -> ReadingBatch:
        """The readings as arrays."""
        return ReadingBatch(
            np.array(self.series, dtype=np.int32),
            np.array(self.observed_at_ms, dtype=np.int64),
            np.array(self.value, dtype=np.float64),
            np.array(self.live, dtype=np.bool_),
            tuple(self.events),
        )


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """A pack's part of what was read together with others.

    Attributes:
        begin: its first reading there.
        end: behind its last reading there.
        events: its events, as if all were live.
    """

    begin: int
    end: int
    events: Sequence[EventReading] = ()

    def __len__(self) -> int:
        """Readings and events together."""
        return self.end - self.begin + len(self.events)


class Assembly:
    """A batch in the order of arrival: stretches of what was read together, and columns of what was read alone."""

    def __init__(self) -> None:
        self._together: ReadingBatch | None = None
        self._pieces: list[tuple[int, int, bool] | Columns] = []
        self._events: list[EventReading] = []

    def read_together(self, readings: ReadingBatch) -> None:
        """Say what stretches are parts of; once, before the first of them."""
        self._together = readings

    def take(self, part: Columns | Stretch, *, live: bool) -> None:
        """Append what a pack held, all of one lane."""
        if isinstance(part, Columns):
            self.alone.extend(part, live=live)
            return
        if part.events:
            self._events += on_lane(part.events, live=live)
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, tuple) and last[1] == part.begin and last[2] == live:
            self._pieces[-1] = (last[0], part.end, live)
        else:
            self._pieces.append((part.begin, part.end, live))

    @property
    def alone(self) -> Columns:
        """Where readings are appended one by one."""
        last = self._pieces[-1] if self._pieces else None
        if not isinstance(last, Columns):
            last = Columns(events=self._events)  # one list for all, so that events keep their order
            self._pieces.append(last)
        return last

    def batch(self) -> ReadingBatch:
        """The readings as arrays."""
        parts = [self._arrays(piece) for piece in self._pieces]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return ReadingBatch.of([])
        return ReadingBatch(
            np.concatenate([part.series for part in parts]),
            np.concatenate([part.observed_at_ms for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.live for part in parts]),
            tuple(self._events),
        )

    def _arrays(self, piece: tuple[int, int, bool] | Columns) -> ReadingBatch:
        if isinstance(piece, Columns):
            return piece.batch()
        if self._together is None:
            raise RuntimeError("columns: read_together() comes before a stretch")
        begin, end, live = piece
        return ReadingBatch(
            self._together.series[begin:end],
            self._together.observed_at_ms[begin:end],
            self._together.value[begin:end],
            np.full(end - begin, live, dtype=np.bool_),
            tuple(self._events),
        )


def on_lane(events: Sequence[EventReading], *, live: bool) -> Sequence[EventReading]:
    """Events as they came on a lane."""
    return events if live else [replace(event, live=False) for event in events]
