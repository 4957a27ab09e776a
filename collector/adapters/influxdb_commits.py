"""The commits of the InfluxDB store, as the ops database has them and as they are mirrored in memory."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from collector.adapters.influxdb_access import StoreRefused
from collector.adapters.influxdb_newest import Newest, decode_commit
from collector.adapters.influxdb_records import (
    AnotherWriterError,
    Commit,
    DirtyHour,
    Horizons,
    Runs,
    StoreRecords,
    oldest_day_ms,
    with_packs,
)
from collector.store import HOUR_MS
from contracts.errors import DependencyUnavailable
from contracts.pack import PackId

REPLAY_MS: Final = HOUR_MS
"""Age that commits reach at least before they are forgotten, unless they are too many; twice as old at most."""

_PAGE_READINGS: Final = 200_000


class Commits:
    """One writer's commits; the ops database is changed first, the mirror after it.

    Args:
        records: rows of the ops database.
        most_readings: readings in the commits that are kept, at most.

    Attributes:
        position: number of the newest commit.
        replayable_from: commits up to this one are forgotten.
        horizons: what is past its retention.
        committed: pack identities.
        dirty: hours whose roll-ups are not up to date.
        days: begins of UTC days that have readings or events.
    """

    def __init__(self, records: StoreRecords, most_readings: int) -> None:
        self._records = records
        self._most_readings = most_readings
        self.position = 0
        self.replayable_from = 0
        self.horizons = Horizons()
        self.committed: Runs = {}
        self.dirty: set[DirtyHour] = set()
        self.days: set[int] = set()
        self._kept: deque[tuple[int, int, int]] = deque()  # (position, stored_at_ms, readings) of commits that are kept
        self._doubtful: tuple[Commit, Runs] | None = None  # the outcome of this one is unknown
        self._changing = asyncio.Lock()  # held while rows and mirror change
        self._replaying = 0

    async def load(self) -> None:
        """Take over what the ops database has."""
        self.position, self.replayable_from, self.horizons = await self._records.state()
        self.committed = await self._records.packs()
        self.dirty = await self._records.dirty_hours()
        self.days = await self._records.days()
        self._kept = deque(await self._records.sizes())

    def count(self, packs: Sequence[PackId]) -> int:
        """How many of some packs are committed."""
        return sum(pack.seq in self.committed.get((pack.branch_id, pack.boot), ()) for pack in packs)

    async def settle(self) -> bool:
        """Whether the last commit, whose outcome was unknown, was made after all; ``False`` where none was in doubt."""
        if self._doubtful is None:
            return False
        commit, after = self._doubtful
        async with self._changing:
            try:
                made = await self._records.made(commit.position)
            except AnotherWriterError as error:
                raise _foreign(commit) from error
            if made:
                self._take(commit, after)
            self._doubtful = None
            return made

    async def make(self, commit: Commit, packs: Sequence[PackId]) -> None:
        """Make the next commit; of its dirty hours and days those are recorded that are new.

        Raises:
            DependencyUnavailable: the outcome is unknown; call :meth:`settle` next.
        """
        async with self._changing:
            commit = commit.leaving_out(self.dirty, self.days)
            before, after = with_packs(self.committed, packs)
            self._doubtful = commit, after
            try:
                await self._records.commit(commit, before, after)
            except AnotherWriterError as error:
                raise _foreign(commit) from error
            self._take(commit, after)

    def _take(self, commit: Commit, after: Runs) -> None:
        self.position = commit.position
        self.committed.update(after)
        self._kept.append((commit.position, commit.stored_at_ms, commit.readings))
        self.dirty.update(commit.dirty)
        self.days.update(commit.days)
        self._doubtful = None

    async def clean(self, hours: set[DirtyHour], touched: set[DirtyHour]) -> None:
        """These hours are dirty no longer, but for those that a commit has touched.

        Args:
            hours: that were rolled up, or need not be.
            touched: filled by commits while this waits.
        """
        async with self._changing:
            clean = hours - touched
            self.dirty -= clean  # first: if the rows stay, the hours are merely rolled up once more
            await self._records.rolled_up(sorted(clean))

    async def expire(self, horizons: Horizons) -> None:
        """Move the ends of the retentions."""
        async with self._changing:
            await self._records.put_horizons(self.replayable_from, horizons)
            self.days = {day_ms for day_ms in self.days if day_ms >= oldest_day_ms(horizons)}
            self.horizons = horizons

    # -- replay ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def replay(self) -> AsyncIterator[None]:
        """While this lasts no commit is forgotten."""
        async with self._changing:
            self._replaying += 1
        try:
            yield
        finally:
            self._replaying -= 1

    async def pages(self, after: int, to: int | None = None) -> AsyncIterator[list[tuple[int, int, bytes]]]:
        """Commits that are kept, as (position, stored_at_ms, content), in pages of bounded size."""
        async for page in self._records.commits(max(after, self.replayable_from), to, _PAGE_READINGS):
            yield page

    async def newest(self, as_of: int) -> Newest:
        """The newest readings as of a commit; of the newest forgotten one, where it is older."""
        newest = Newest()
        async for part in self._records.newest():
            await asyncio.to_thread(newest.add_part, part)
        async for page in self.pages(self.replayable_from, as_of):
            await asyncio.to_thread(_take_all, newest, page)
        return newest

    async def forget(self, now_ms: int) -> None:
        """Fold old commits into the newest readings, where that pays."""
        to = self._forgettable(now_ms)
        if to is None or self._replaying:
            return
        newest = await self.newest(to)
        async with self._changing:
            if not self._replaying:
                await self._records.forget_commits(to, newest.parts(), self.horizons)
                self.replayable_from = to
                while self._kept and self._kept[0][0] <= to:
                    self._kept.popleft()

    def _forgettable(self, now_ms: int) -> int | None:
        """Position up to which commits are forgotten now; ``None`` where it does not pay yet."""
        readings = sum(size for _, _, size in self._kept)
        is_old = bool(self._kept) and self._kept[0][1] < now_ms - 2 * REPLAY_MS
        is_much = readings > self._most_readings
        to = None
        for position, stored_at_ms, size in self._kept:
            if not (is_old and stored_at_ms < now_ms - REPLAY_MS) and not (
                is_much and readings > self._most_readings // 2
            ):
                break
            to = position
            readings -= size
        return to


def _foreign(commit: Commit) -> DependencyUnavailable:
    return StoreRefused(
        f"store in InfluxDB: commit {commit.position} was made by another process; stop one of the two collectors and start"
        " the other again"
    )


def _take_all(newest: Newest, page: Sequence[tuple[int, int, bytes]]) -> None:
    for _, _, content in page:
        newest.take(decode_commit(content))
