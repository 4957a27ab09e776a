"""What the InfluxDB store keeps in the ops database: series, pack identities, recent commits and hours to be rolled up.

A commit is one transaction here, made after its readings have been written to InfluxDB.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Table, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.intervals import IntervalSet
from collector.store import HOUR_MS, SeriesRow
from collector.tables import (
    store_commit,
    store_day,
    store_dirty_hour,
    store_newest,
    store_pack,
    store_series,
    store_state,
)
from contracts.pack import PackId
from runtime.database import Database

Runs = dict[tuple[str, str], IntervalSet]
DirtyHour = tuple[int, str]
"""Begin of an hour in ms, and a branch that has readings in it which are in no roll-up."""

DAY_MS: Final = 24 * HOUR_MS

_COMMITS_AT_ONCE: Final = 500
_ROWS_AT_ONCE: Final = 10_000


class AnotherWriterError(Exception):
    """Somebody else made the commit that was to be ours."""


@dataclass(frozen=True, slots=True)
class Horizons:
    """Times before which things are past their retention, in ms since 1970."""

    readings_ms: int = 0
    minutes_ms: int = 0
    hours_ms: int = 0
    events_ms: int = 0


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit writes here besides pack identities.

    Attributes:
        readings: readings and events in it.
        content: all of them as bytes.
        dirty: hours that become dirty with it.
        days: days that have had no readings before, begin in ms.
    """

    position: int
    stored_at_ms: int
    readings: int
    content: bytes
    new_series: Sequence[SeriesRow]
    dirty: Sequence[DirtyHour]
    days: Sequence[int]

    def leaving_out(self, dirty: set[DirtyHour], days: set[int]) -> "Commit":
        """The same without dirty hours and days that are recorded already."""
        return replace(
            self, dirty=[hour for hour in self.dirty if hour not in dirty], days=[d for d in self.days if d not in days]
        )


class StoreRecords:
    """Rows of the store's tables.

    Args:
        database: ops database, with its tables.
        writer: names this run of the collector, so that it knows its own commits.
    """

    def __init__(self, database: Database, writer: str) -> None:
        self._database = database
        self._writer = writer
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def state(self) -> tuple[int, int, Horizons]:
        """Position of the newest commit, the position from which on commits are kept, and the horizons."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(store_state))).first()
            newest = (await connection.execute(select(func.max(store_commit.c.position)))).scalar()
        if row is None:
            return newest or 0, 0, Horizons()
        horizons = Horizons(row.readings_from_ms, row.minutes_from_ms, row.hours_from_ms, row.events_from_ms)
        return max(newest or 0, row.replayable_from), row.replayable_from, horizons

    async def series(self, from_number: int = 0) -> list[SeriesRow]:
        """Series from a number on, ordered."""
        query = select(store_series).where(store_series.c.series >= from_number).order_by(store_series.c.series)
        async with self._database.read() as connection:
            return [SeriesRow(*row) for row in await connection.execute(query)]

    async def packs(self) -> Runs:
        """Committed packs."""
        found: Runs = {}
        async with self._database.read() as connection:
            for branch_id, boot, low, high in await connection.execute(select(store_pack)):
                found.setdefault((branch_id, boot), IntervalSet()).add(low, high)
        return found

    async def dirty_hours(self) -> set[DirtyHour]:
        """Hours whose roll-ups are not up to date."""
        async with self._database.read() as connection:
            return {(hour_ms, branch_id) for hour_ms, branch_id in await connection.execute(select(store_dirty_hour))}

    async def days(self) -> set[int]:
        """Begins of the UTC days that have readings or events."""
        async with self._database.read() as connection:
            return set((await connection.execute(select(store_day.c.day_ms))).scalars())

    async def commit(self, commit: Commit, before: Runs, after: Runs) -> None:
        """One transaction.

        Args:
            commit: what is committed.
            before: packs committed so far of those gateways and boots that have new ones.
            after: the same with the new ones.

        Raises:
            AnotherWriterError: another process made a commit of this position or gave these series their numbers.
            DependencyUnavailable: the outcome is unknown; :meth:`made` tells it.
        """
        gone, come = _changed_runs(before, after)
        row = {
            "position": commit.position, "stored_at_ms": commit.stored_at_ms, "readings": commit.readings,
            "writer": self._writer, "content": commit.content,
        }  # fmt: skip
        series = [
            {"series": item.series, "device_id": item.device_id, "kind": item.kind, "path": item.path}
            for item in commit.new_series
        ]
        dirty = [{"hour_ms": hour_ms, "branch_id": branch_id} for hour_ms, branch_id in commit.dirty]
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(store_commit), row)
                for begin in range(0, len(series), _ROWS_AT_ONCE):
                    await connection.execute(insert(store_series), series[begin : begin + _ROWS_AT_ONCE])
                for run in gone:
                    await connection.execute(delete(store_pack).where(*_is(store_pack, run)))
                if come:
                    query = self._insert(store_pack)
                    keys = [store_pack.c.branch_id, store_pack.c.boot, store_pack.c.low]
                    update = query.on_conflict_do_update(index_elements=keys, set_={"high": query.excluded.high})
                    await connection.execute(update, come)
                if commit.days:
                    days = [{"day_ms": day_ms} for day_ms in commit.days]
                    await connection.execute(self._insert(store_day).on_conflict_do_nothing(), days)
                if dirty:
                    await connection.execute(self._insert(store_dirty_hour).on_conflict_do_nothing(), dirty)
        except IntegrityError as error:
            raise AnotherWriterError from error

    async def made(self, position: int) -> bool:
        """Whether this process made the commit of a position.

        Raises:
            AnotherWriterError: another process did.
        """
        query = select(store_commit.c.writer).where(store_commit.c.position == position)
        async with self._database.read() as connection:
            writer = (await connection.execute(query)).scalar()
        if writer is not None and writer != self._writer:
            raise AnotherWriterError
        return writer is not None

    async def commits(
        self, after: int, to: int | None, most_readings: int
    ) -> AsyncIterator[list[tuple[int, int, bytes]]]:
        """Commits in order as (position, stored_at_ms, content), in pages of so many readings at most, but one commit.

        Args:
            after: position before the first.
            to: position of the last, ``None`` for all.
            most_readings: of a page.
        """
        columns = store_commit.c
        while True:
            window = [columns.position > after] if to is None else [columns.position > after, columns.position <= to]
            sizes = select(columns.position, columns.readings).where(*window).order_by(columns.position)
            async with self._database.read() as connection:
                rows = (await connection.execute(sizes.limit(_COMMITS_AT_ONCE))).all()
                if not rows:
                    return
                last = _last_within([(row.position, row.readings) for row in rows], most_readings)
                query = select(columns.position, columns.stored_at_ms, columns.content).where(
                    columns.position > after, columns.position <= last
                )
                page = [(*row,) for row in await connection.execute(query.order_by(columns.position))]
            yield page
            after = last

    async def newest(self) -> AsyncIterator[bytes]:
        """Parts of the newest readings as of ``replayable_from``."""
        part = 0
        while True:
            query = select(store_newest.c.content).where(store_newest.c.part == part)
            async with self._database.read() as connection:
                content = (await connection.execute(query)).scalar()
            if content is None:
                return
            yield content
            part += 1

    async def sizes(self) -> list[tuple[int, int, int]]:
        """(position, stored_at_ms, readings) of the commits that are kept, in order."""
        columns = store_commit.c
        query = select(columns.position, columns.stored_at_ms, columns.readings).order_by(columns.position)
        async with self._database.read() as connection:
            return [(*row,) for row in await connection.execute(query)]

    async def forget_commits(self, to: int, newest: Iterable[bytes], horizons: Horizons) -> None:
        """Put the newest readings as of a commit in the place of the commits up to it."""
        parts = [{"part": number, "content": content} for number, content in enumerate(newest)]
        async with self._database.write() as connection:
            await connection.execute(delete(store_newest))
            for part in parts:
                await connection.execute(insert(store_newest), part)
            await connection.execute(delete(store_commit).where(store_commit.c.position <= to))
            await self._put_state(connection, {"replayable_from": to}, horizons)

    async def put_horizons(self, replayable_from: int, horizons: Horizons) -> None:
        """Note what is past its retention."""
        async with self._database.write() as connection:
            await connection.execute(delete(store_day).where(store_day.c.day_ms < oldest_day_ms(horizons)))
            await self._put_state(connection, {"replayable_from": replayable_from}, horizons)

    async def rolled_up(self, hours: Sequence[DirtyHour]) -> None:
        """These hours are dirty no longer."""
        async with self._database.write() as connection:
            for hour_ms, branch_id in hours:
                where = (store_dirty_hour.c.hour_ms == hour_ms, store_dirty_hour.c.branch_id == branch_id)
                await connection.execute(delete(store_dirty_hour).where(*where))

    async def _put_state(self, connection: AsyncConnection, row: dict[str, Any], horizons: Horizons) -> None:
        row |= {
            "readings_from_ms": horizons.readings_ms, "minutes_from_ms": horizons.minutes_ms,
            "hours_from_ms": horizons.hours_ms, "events_from_ms": horizons.events_ms,
        }  # fmt: skip
        query = self._insert(store_state).values(one=1, **row)
        await connection.execute(query.on_conflict_do_update(index_elements=[store_state.c.one], set_=row))


def oldest_day_ms(horizons: Horizons) -> int:
    """Begin of the oldest day, or a later moment of the day before it, of which anything is kept."""
    return min(horizons.readings_ms, horizons.events_ms) - DAY_MS


def with_packs(committed: Mapping[tuple[str, str], IntervalSet], packs: Sequence[PackId]) -> tuple[Runs, Runs]:
    """The runs of those (branch, boot) that packs belong to, without them and with them; ``committed`` stays as it is."""
    before: Runs = {}
    after: Runs = {}
    for pack in packs:
        key = (pack.branch_id, pack.boot)
        if key not in after:
            before[key] = committed.get(key) or IntervalSet()
            after[key] = before[key].copy()
        after[key].add(pack.seq)
    return before, after


def _changed_runs(before: Runs, after: Runs) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Runs that begin no more where one began, and runs that are new or longer."""
    gone: list[dict[str, Any]] = []
    come: list[dict[str, Any]] = []
    for (branch_id, boot), runs in after.items():
        old, new = dict(before[branch_id, boot]), dict(runs)
        key = {"branch_id": branch_id, "boot": boot}
        gone += [{**key, "low": low} for low in old if low not in new]
        come += [{**key, "low": low, "high": high} for low, high in new.items() if old.get(low) != high]
    return gone, come


def _is(table: Table, row: Mapping[str, Any]) -> list[Any]:
    return [table.c[name] == value for name, value in row.items()]


def _last_within(commits: Sequence[tuple[int, int]], most: int) -> int:
    """Position of the last commit so that all up to it hold at most ``most`` readings, but at least one commit."""
    total, last = 0, commits[0][0]
    for position, readings in commits:
        total += readings
        if total > most:
            break
        last = position
    return last
