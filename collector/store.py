"""The port of the time-series stores: what the collector asks of DuckDB, or of whatever stands in its place."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from collector.intervals import IntervalSet
from contracts.pack import PackId
from contracts.readings import EventReading, Float64s, Int64s, ReadingBatch


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series as the store keeps it; its number is given once and means the same for ever."""

    series: int
    device_id: str
    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class SeriesRange:
    """Readings of one series in order of observation.

    Attributes:
        observed_at_ms: milliseconds since 1970 UTC, ascending, shape (n,).
        value: numbers, a state's ordinal, shape (n,).
    """

    observed_at_ms: Int64s
    value: Float64s


@dataclass(frozen=True, slots=True)
class Audit:
    """What the store holds, counted by the store itself.

    Readings and events that came in packs are counted apart from those the collector made itself (``derived``), so that
    the former can be held against what gateways say they produced.

    Attributes:
        readings: stored readings that came in packs.
        distinct_readings: distinct (series, observed_at) among them; fewer than ``readings`` means doubled ones.
        events: stored event readings.
        distinct_events: distinct (series, observed_at) among them.
        derived: readings the collector made.
        commits: how many times :meth:`TimeSeriesStore.append` wrote.
    """

    readings: int
    distinct_readings: int
    events: int
    distinct_events: int
    derived: int
    commits: int

    @property
    def stored(self) -> int:
        """Distinct readings and events that came in packs."""
        return self.distinct_readings + self.distinct_events

    @property
    def doubled(self) -> int:
        """Rows that stand for a reading or event which another row stands for too."""
        return self.readings + self.events - self.stored


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from observation to commit over live readings that came in packs.

    ``p50_ms`` and ``p99_ms`` are ``None`` where there were none.
    """

    count: int
    p50_ms: float | None
    p99_ms: float | None


class TimeSeriesStore(Protocol):
    """Keeps readings, events, series and the identities of committed packs.

    Concurrency: one caller appends, one call at a time; any number read meanwhile and see whole commits only.
    Every method raises ``DependencyUnavailable`` where the store does not answer.
    Whoever opened the store closes it, after the last call has returned.
    """

    @property
    def position(self) -> int:
        """Number of the newest commit, 0 in an empty store."""
        ...

    async def load_series(self) -> Sequence[SeriesRow]:
        """All series, ordered by number; the numbers are dense from 0."""
        ...

    async def load_committed(self) -> Mapping[tuple[str, str], IntervalSet]:
        """The committed seqs for each (branch_id, boot). The caller owns the sets."""
        ...

    async def append(self, batch: ReadingBatch, packs: Sequence[PackId], new_series: Sequence[SeriesRow]) -> int:
        """Commit readings, events, pack identities and new series together, or none of them.

        Returned means durable: a kill at any later moment loses nothing of it, and all of it is visible to readers.

        Idempotent for each pack: where all ``packs`` are committed already, nothing is written. After
        ``DependencyUnavailable`` the outcome is unknown; the caller calls again with the same arguments until it returns,
        and the store finds out whether it had committed, also where there are no packs.

        Args:
            batch: readings and events in arrival order; their series are known or among ``new_series``.
            packs: what the batch consists of besides derived readings.
            new_series: series that ``batch`` uses first.

        Returns:
            The position of the commit: one more than the one before.

        Raises:
            ValueError: some of ``packs`` are committed and some are not; the caller mixed up its duplicates.
        """
        ...

    async def latest(self) -> ReadingBatch:
        """The reading with the newest ``observed_at`` of each series, of whatever lane, ordered by series, without events."""
        ...

    async def newest_live(self, as_of_position: int) -> ReadingBatch:
        """The live reading with the newest ``observed_at`` of each series, ordered by series, without events.

        Back-filled readings are as if they were not there, so what this gives is what a reader of the live stream knew;
        of live readings of one time the first to be committed stands, as for such a reader.

        Args:
            as_of_position: look at commits up to this one only.
        """
        ...

    async def range(self, series: int, from_ms: int, to_ms: int, limit: int) -> SeriesRange:
        """Readings of a series with ``from_ms <= observed_at < to_ms``; the newest ``limit`` where there are more."""
        ...

    async def events(self, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Sequence[EventReading]:
        """Events of some series with ``from_ms <= observed_at < to_ms``, ascending; the newest ``limit`` of them."""
        ...

    def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        """Every commit after ``position`` in commit order, as it was appended.

        Commits that are made while the scan runs may or may not be seen; those before its start are.
        """
        ...

    async def audit(self) -> Audit:
        """Count what is stored."""
        ...

    async def latency(self) -> Latency:
        """How long live readings took from observation to commit."""
        ...

    async def close(self) -> None:
        """Let go of files and connections. Idempotent."""
        ...
