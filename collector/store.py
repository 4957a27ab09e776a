"""The port of the time-series stores: what the collector asks of DuckDB, or of whatever stands in its place."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from collector.intervals import IntervalSet
from contracts.pack import PackId
from contracts.readings import EventReading, Float64s, Int64s, ReadingBatch

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
ROLL_UPS_MS: Final = (MINUTE_MS, HOUR_MS)
"""Lengths of the buckets that a store keeps beyond the readings themselves."""


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series as the store keeps it; its number is given once and means the same for ever."""

    series: int
    device_id: str
    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class SeriesRange:
    """Readings of one series in order of observation; of one time in order of arrival.

    Attributes:
        observed_at_ms: milliseconds since 1970 UTC, ascending, shape (n,).
        value: numbers, a state's ordinal, shape (n,).
    """

    observed_at_ms: Int64s
    value: Float64s


@dataclass(frozen=True, slots=True)
class Buckets:
    """Readings of one series summed up by stretches of equal length; one without a reading is left out.

    Attributes:
        begins_at_ms: begin of each bucket, milliseconds since 1970 UTC, a multiple of its length, ascending, shape (n,).
        count: readings, at least 1, shape (n,).
        minimum: least value, shape (n,).
        maximum: largest value, shape (n,).
        mean: sum of the values divided by their count, shape (n,).
        last: value of the newest reading, shape (n,).
        increase: what a counter rose by from the newest reading before the bucket (from the bucket's own first, where the
            query knows of none before) to the newest in it, shape (n,). A value below the one before it is a counter that
            began again at 0: it rose by that value. Added up over buckets this is the increase over all of them.
    """

    begins_at_ms: Int64s
    count: Int64s
    minimum: Float64s
    maximum: Float64s
    mean: Float64s
    last: Float64s
    increase: Float64s


class Tier(StrEnum):
    """What a file of the store holds of its period."""

    RECENT = "recent"  # what has not been compacted
    READINGS = "readings"
    ROLL_UPS = "roll_ups"


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of the store that cannot be read. It is left where it is, under a name that says so.

    Attributes:
        file: where it is now.
        tier: what it held.
        from_ms: begin of its period, milliseconds since 1970 UTC; ``None`` where nobody knows.
        to_ms: end of its period, not included; ``None`` where nobody knows.
        reason: what went wrong when it was read.
        found_at_ms: when that was.
    """

    file: Path
    tier: Tier
    from_ms: int | None
    to_ms: int | None
    reason: str
    found_at_ms: int


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What one call of :meth:`TimeSeriesStore.maintain` did.

    Attributes:
        compacted: readings put in order.
        expired: readings and roll-ups deleted because their period is over; where the store does it by itself, 0.
        bytes_freed: given back to the disk.
        more: whether there is more to do at once.
    """

    compacted: int = 0
    expired: int = 0
    bytes_freed: int = 0
    more: bool = False


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

    Concurrency: one caller appends, one call at a time; one calls :meth:`maintain`, one call at a time, also while the other
    appends; any number read meanwhile and see whole commits only.
    Every method raises ``DependencyUnavailable`` where the store does not answer.
    Whoever opened the store closes it, after the last call has returned.

    Readings of one series and one time that came in different packs are two readings. Times are ``observed_at`` in
    milliseconds since 1970 UTC throughout; intervals are half open, ``from_ms <= observed_at < to_ms``.
    """

    async def open(self) -> None:
        """Open what is there, or make it where there is nothing; the first call.

        Raises:
            DependencyUnavailable: it is held by another process, does not answer or cannot be written.
        """
        ...

    @property
    def position(self) -> int:
        """Number of the newest commit, 0 in an empty store."""
        ...

    @property
    def replayable_from(self) -> int:
        """Position from which on the store still knows which reading came with which commit.

        Commits up to it are compacted: their readings are there, in order of observation, and their own order is not. It
        moves up with :meth:`maintain` and stays at least an hour's commits behind, unless so many came that an hour of them
        would not fit.
        """
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
        and the store finds out whether it had committed, also where there are no packs. A store that cannot commit all of
        it in one transaction writes what is idempotent first, so that packs which come again after a kill, in whatever
        batches, change nothing.

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

    async def maintain(self, now_ms: int) -> Upkeep:
        """Do a piece of the upkeep that is due: order what is old, roll it up, delete what is past its retention.

        No reader sees anything of it but ``replayable_from`` and the end of a retention. A kill at any moment loses nothing
        and doubles nothing. The caller calls again soon where there is ``more``, else after a while.

        Args:
            now_ms: milliseconds since 1970 UTC, what retentions are counted back from.
        """
        ...

    def damages(self) -> Sequence[Damage]:
        """Parts that were found unreadable since this store was opened first, oldest first; remembered over a restart.

        What else the store holds is served all the same. With what was recent its pack identities are gone, so that gateways
        which still have it are asked for it again. Empty for a store that is not files of ours.
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
            as_of_position: look at commits up to this one only; one before ``replayable_from`` is taken for it.
        """
        ...

    async def range(self, series: int, from_ms: int, to_ms: int, limit: int) -> SeriesRange:
        """Readings of a series in an interval; the newest ``limit`` where there are more."""
        ...

    async def ranges(self, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Mapping[int, SeriesRange]:
        """:meth:`range` of several series at once, ``limit`` for each; a series without readings is left out."""
        ...

    async def buckets(self, series: Sequence[int], from_ms: int, to_ms: int, bucket_ms: int) -> Mapping[int, Buckets]:
        """Several series summed up by time, late readings included; a series without readings is left out.

        Where the readings of a bucket are past their retention, it comes from the roll-up of the longest length that
        divides ``bucket_ms`` and is still kept.

        Args:
            series: numbers of series.
            from_ms: begin, rounded down to a whole bucket.
            to_ms: end, rounded up to a whole bucket.
            bucket_ms: length of a bucket, at least 1. Multiples of :data:`MINUTE_MS` or :data:`HOUR_MS` are served from
                roll-ups and so are fast over long times; others from the readings alone.

        Raises:
            ValueError: ``bucket_ms`` is less than 1.
        """
        ...

    async def events(self, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Sequence[EventReading]:
        """Events of some series in an interval, ascending; the newest ``limit`` of them."""
        ...

    def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        """Every commit after ``position`` in commit order, as it was appended.

        Commits that are made while the scan runs may or may not be seen; those before its start are.

        Args:
            position: where to begin; one before ``replayable_from`` is taken for it.
        """
        ...

    def scan(self, from_ms: int, to_ms: int, series: Sequence[int] | None = None) -> AsyncIterator[ReadingBatch]:
        """All readings and events of an interval in order of observation, in batches of bounded size; for back-tests.

        No two batches share a time, and within a batch readings and events are each in ascending order; readings of one
        series and one time come in order of arrival while that is known.

        Args:
            from_ms: begin.
            to_ms: end, not included.
            series: numbers of series, ``None`` for all.
        """
        ...

    async def audit(self) -> Audit:
        """Count what is stored."""
        ...

    async def latency(self) -> Latency:
        """How long live readings of the commits after ``replayable_from`` took from observation to commit."""
        ...

    async def close(self) -> None:
        """Let go of files and connections. Idempotent."""
        ...
