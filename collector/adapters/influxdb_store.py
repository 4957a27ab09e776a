"""The time-series store on InfluxDB: readings there, and in the ops database what has to be exact about commits.

InfluxDB has no transactions. A commit therefore first writes its points, which is idempotent, and then, in one transaction
of the ops database, its pack identities, series, position and a copy of itself for the hour in which it may be replayed. A
kill in between leaves points that nobody counts on: their packs come again and write the same points.

Where this is less than the port asks for, because InfluxDB cannot do it:

- A point is its series and time. Readings of one series, one millisecond and one value are one, whichever packs they came
  in; of other values they are two, told apart below the millisecond, and stand in an order of their own instead of that of
  their arrival. The same goes for events and their texts.
- Readings of a commit under way may be seen by ranges, buckets, events and scans before it is made. What goes by
  position (``scan_since``, ``newest_live``) and ``latest`` is exact.
- A reading that was written twice, once live and once back-filled, because a kill came between, counts as back-filled in
  ``scan``.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing

import numpy as np

from collector.adapters import influxdb_upkeep as upkeep
from collector.adapters.influxdb_access import StoreRefused
from collector.adapters.influxdb_commits import Commits
from collector.adapters.influxdb_lines import event_lines, reading_lines
from collector.adapters.influxdb_newest import decode_commit, encode_commit
from collector.adapters.influxdb_queries import InfluxQueries
from collector.adapters.influxdb_reader import InfluxReader
from collector.adapters.influxdb_records import DAY_MS, Commit, DirtyHour, Horizons, StoreRecords
from collector.adapters.influxdb_scan import Scan
from collector.adapters.influxdb_series import SeriesTags
from collector.adapters.influxdb_setup import ensure
from collector.adapters.influxdb_writes import InfluxWrites
from collector.intervals import IntervalSet
from collector.series import DERIVED_PATHS
from collector.settings import InfluxDbSettings, RetentionSettings
from collector.store import HOUR_MS, Audit, Buckets, Damage, Latency, SeriesRange, SeriesRow, Upkeep
from contracts.devices import GATEWAY
from contracts.errors import DependencyUnavailable
from contracts.pack import PackId
from contracts.readings import EventReading, ReadingBatch
from runtime.clock import Clock
from runtime.database import Database
from runtime.logs import get_logger

_log = get_logger(__name__)


class InfluxDbStore:
    """A :class:`collector.store.TimeSeriesStore` on an InfluxDB server.

    Args:
        settings: which server.
        retention: how long things are kept.
        database: ops database, with its tables.
        clock: stamps commits.
    """

    def __init__(
        self, settings: InfluxDbSettings, retention: RetentionSettings, database: Database, clock: Clock
    ) -> None:
        self._settings = settings
        self._retention = retention
        self._clock = clock
        self._records = StoreRecords(database, uuid.uuid4().hex)
        self._commits = Commits(self._records, settings.recent_readings)
        self._series = SeriesTags()
        self._queries: InfluxQueries | None = None
        self._writes: InfluxWrites | None = None
        self._is_set_up = False
        self._closed = False
        self._busy: set[DirtyHour] = set()  # of the commit under way
        self._touched: set[DirtyHour] = set()  # by commits since a roll-up began
        self._round: set[DirtyHour] | None = None  # what the upkeep under way is to roll up

    async def open(self) -> None:
        """Take from the ops database what is kept in memory. A server that does not answer yet is waited for by appends.

        Raises:
            DependencyUnavailable: the ops database does not answer, or the server refuses us.
        """
        await self._commits.load()
        self._series.add(await self._records.series())
        self._queries, self._writes = InfluxQueries(self._settings), InfluxWrites(self._settings)
        try:
            await self._set_up()
        except StoreRefused:
            raise
        except DependencyUnavailable as error:
            _log.warning("the store does not answer yet; the intake will wait for it", error=str(error))

    async def _set_up(self) -> None:
        if not self._is_set_up:
            for done in await ensure(self._asking, self._settings, self._retention, change=False):
                _log.info("store set up", done=done)
            self._is_set_up = True

    # -- writing -----------------------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        return self._commits.position

    @property
    def replayable_from(self) -> int:
        return self._commits.replayable_from

    async def append(self, batch: ReadingBatch, packs: Sequence[PackId], new_series: Sequence[SeriesRow]) -> int:
        writes, commits = self._writing, self._commits
        if await commits.settle():
            return commits.position
        known = commits.count(packs)
        if packs and known == len(packs):
            return commits.position
        if known:
            raise ValueError(
                f"append of {len(packs)} packs: {known} of them are committed already, expected none or all"
            )
        self._series.add(new_series)
        tags = self._series.tags
        self._busy = self._series.hours(batch)
        self._touched |= self._busy
        try:
            await self._set_up()
            await writes.write("readings", reading_lines(batch, tags))
            await writes.write("events", event_lines(batch.events, tags))
            commit = Commit(
                position=commits.position + 1,
                stored_at_ms=self._clock.now_ms(),
                readings=len(batch) + len(batch.events),
                content=await asyncio.to_thread(encode_commit, batch),
                new_series=new_series,
                dirty=sorted(self._busy),
                days=sorted(self._series.days(batch)),
            )
            await commits.make(commit, packs)
        finally:
            self._busy = set()
        return commits.position

    # -- upkeep ------------------------------------------------------------------------------------------------------

    async def maintain(self, now_ms: int) -> Upkeep:
        commits = self._commits
        if self._round is None:  # what becomes dirty meanwhile waits for the next round
            self._round = {hour for hour in commits.dirty if hour[0] >= commits.horizons.readings_ms}
        hours = upkeep.due(self._round & commits.dirty, self._busy, now_ms)
        if hours:
            return Upkeep(compacted=await self._roll_up(hours), more=True)
        self._round = None
        await self._expire(now_ms)
        await commits.forget(now_ms)
        return Upkeep()

    async def _roll_up(self, hours: Sequence[DirtyHour]) -> int:
        self._touched = set()
        summed_up = await upkeep.roll_up(self._asking, self._writing, hours)
        if self._round is not None:
            self._round.difference_update(hours)
        await self._commits.clean(set(hours), self._touched)
        return summed_up

    async def _expire(self, now_ms: int) -> None:
        """Move the ends of the retentions; the server deletes what is before them by itself."""
        kept, old = self._retention, self._commits.horizons

        def begin_ms(days: int, before_ms: int) -> int:
            at_ms = now_ms - days * DAY_MS
            return max(before_ms, at_ms - at_ms % HOUR_MS)

        horizons = Horizons(
            begin_ms(kept.readings_days, old.readings_ms), begin_ms(kept.minutes_days, old.minutes_ms),
            begin_ms(kept.hours_days, old.hours_ms), begin_ms(kept.events_days, old.events_ms),
        )  # fmt: skip
        if horizons != old:
            await self._commits.expire(horizons)
            self._touched = set(self._busy)
            gone = {hour for hour in self._commits.dirty if hour[0] < horizons.readings_ms}
            await self._commits.clean(gone, self._touched)

    # -- what goes by position ---------------------------------------------------------------------------------------

    async def load_series(self) -> Sequence[SeriesRow]:
        self._check()
        return await self._records.series()

    async def load_committed(self) -> Mapping[tuple[str, str], IntervalSet]:
        self._check()
        return {key: runs.copy() for key, runs in self._commits.committed.items()}

    def damages(self) -> Sequence[Damage]:
        return ()  # no files of ours

    async def latest(self) -> ReadingBatch:
        self._check()
        async with self._commits.replay():
            return (await self._commits.newest(self.position)).latest()

    async def newest_live(self, as_of_position: int) -> ReadingBatch:
        self._check()
        async with self._commits.replay():
            return (await self._commits.newest(as_of_position)).newest_live()

    async def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        self._check()
        async with self._commits.replay():
            async for page in self._commits.pages(position):
                for at, _, content in page:
                    yield at, decode_commit(content)

    async def latency(self) -> Latency:
        self._check()
        derived = await self._derived()
        took: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = [np.zeros(0, np.int64)]
        async with self._commits.replay():
            async for page in self._commits.pages(0):
                for _, stored_at_ms, content in page:
                    batch = decode_commit(content)
                    chosen = batch.live & ~np.isin(batch.series, derived)
                    took.append(stored_at_ms - batch.observed_at_ms[chosen])
        all_ms = np.concatenate(took)
        if not len(all_ms):
            return Latency(0, None, None)
        p50_ms, p99_ms = np.quantile(all_ms, [0.5, 0.99])
        return Latency(len(all_ms), float(p50_ms), float(p99_ms))

    async def _derived(self) -> list[int]:
        rows = await self._records.series()
        return [row.series for row in rows if row.kind == GATEWAY.name and row.path in DERIVED_PATHS]

    # -- what goes by time -------------------------------------------------------------------------------------------

    async def range(self, series: int, from_ms: int, to_ms: int, limit: int) -> SeriesRange:
        found = await self.ranges([series], from_ms, to_ms, limit)
        return found.get(series) or SeriesRange(np.zeros(0, np.int64), np.zeros(0))

    async def ranges(self, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Mapping[int, SeriesRange]:
        return await self._reader.ranges(
            series, max(from_ms, self._commits.horizons.readings_ms or from_ms), to_ms, limit
        )

    async def buckets(self, series: Sequence[int], from_ms: int, to_ms: int, bucket_ms: int) -> Mapping[int, Buckets]:
        if bucket_ms < 1:
            raise ValueError(f"bucket_ms {bucket_ms}: expected at least 1")
        return await self._reader.buckets(
            series, from_ms, to_ms, bucket_ms, set(self._commits.dirty), self._commits.horizons
        )

    async def events(self, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Sequence[EventReading]:
        return await self._reader.events(
            series, max(from_ms, self._commits.horizons.events_ms or from_ms), to_ms, limit
        )

    async def scan(self, from_ms: int, to_ms: int, series: Sequence[int] | None = None) -> AsyncIterator[ReadingBatch]:
        self._check()
        scan = Scan(self._asking, self._series, series, self._commits.horizons)
        async with aclosing(scan.run(set(self._commits.days), from_ms, to_ms)) as batches:
            async for batch in batches:
                yield batch

    async def audit(self) -> Audit:
        return await self._reader.count(self.position, self._commits.horizons, set(self._commits.days))

    # -- connections -------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Let go of the connections. Idempotent."""
        self._closed = True
        queries, writes = self._queries, self._writes
        self._queries = self._writes = None
        if queries is not None:
            await queries.close()
        if writes is not None:
            await writes.close()

    def _check(self) -> None:
        if self._closed or self._queries is None:
            raise DependencyUnavailable(
                f"store {self._settings.database} is {'closed' if self._closed else 'not open'}"
            )

    @property
    def _asking(self) -> InfluxQueries:
        self._check()
        assert self._queries is not None
        return self._queries

    @property
    def _writing(self) -> InfluxWrites:
        self._check()
        assert self._writes is not None
        return self._writes

    @property
    def _reader(self) -> InfluxReader:
        return InfluxReader(self._asking, self._series)
