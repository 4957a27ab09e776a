"""Gaps: packs that were asked for as often as allowed and did not come, and readings a full gateway had to drop from packs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Select, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from collector.hole_times import HoleTimes
from collector.intervals import Interval, IntervalSet
from collector.tables import intake_gap
from contracts.pack import PackId
from runtime.clock import Clock
from runtime.database import Database
from runtime.event_log import EventLog


class GapEventType(StrEnum):
    """Types of intake events in the event log."""

    RECORDED = "intake.gap_recorded"
    DROPPED = "intake.readings_dropped"


class GapRecorded(BaseModel):
    """Payload of the intake's gap events: inclusive ranges of seq, and how many readings are missing from them.

    ``readings`` is ``None`` where whole packs are missing, of which nobody knows how much they held.
    """

    model_config = ConfigDict(frozen=True)

    branch_id: str
    boot: str
    ranges: tuple[tuple[int, int], ...]
    readings: int | None = None


@dataclass(frozen=True, slots=True)
class RecordedGap:
    """A gap as it was recorded.

    Attributes:
        id: number, ascending with time.
        boot: identity of the gateway's outbox.
        low: first seq.
        high: last seq.
        recorded_at_ms: when it was given up, or noted.
        readings: how many readings the gateway dropped; ``None`` where packs did not come at all.
        after_ms: the packs were made after this, by the gateway's clock; ``None`` where nobody knows.
        before_ms: and before this; ``None`` where nobody knows.
    """

    id: int
    boot: str
    low: int
    high: int
    recorded_at_ms: int
    readings: int | None
    after_ms: int | None
    before_ms: int | None


_NONE: Final = IntervalSet()
_COLUMNS: Final = (
    intake_gap.c.id, intake_gap.c.boot, intake_gap.c.low, intake_gap.c.high, intake_gap.c.recorded_at_ms,
    intake_gap.c.readings, intake_gap.c.after_ms, intake_gap.c.before_ms,
)  # fmt: skip


class Gaps:
    """Gaps in the ops database, cached here. A pack that comes after all is stored like any other.

    Attributes:
        times: when missing packs were made.
    """

    def __init__(self, database: Database, event_log: EventLog, clock: Clock) -> None:
        self._database = database
        self._event_log = event_log
        self._clock = clock
        self._by_boot: dict[tuple[str, str], IntervalSet] = {}
        self._dropped: Counter[str] = Counter()
        self.times = HoleTimes()
        self._insert: Any = sqlite.insert if database.is_sqlite else postgresql.insert

    async def load(self) -> None:
        """Read the cache afresh.

        Raises:
            DependencyUnavailable: the database does not answer.
        """
        columns = (
            intake_gap.c.branch_id,
            intake_gap.c.boot,
            intake_gap.c.low,
            intake_gap.c.high,
            intake_gap.c.readings,
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(select(*columns))).all()
        self._by_boot = {}
        self._dropped = Counter()
        for branch_id, boot, low, high, readings in rows:
            if readings is None:
                self._by_boot.setdefault((branch_id, boot), IntervalSet()).add(low, high)
            else:
                self._dropped[branch_id] += readings

    def of(self, branch_id: str, boot: str) -> IntervalSet:
        """Seqs given up so far."""
        return self._by_boot.get((branch_id, boot), _NONE)

    def dropped(self, branch_id: str) -> int:
        """Readings that the gateway of a branch had to drop."""
        return self._dropped[branch_id]

    async def note_dropped(self, packs: Sequence[tuple[PackId, int]]) -> None:
        """Note packs that came without some of their readings. A pack noted before is left out.

        Args:
            packs: packs, and how many readings each has lost.

        Raises:
            DependencyUnavailable: the database does not answer; nothing was noted.
        """
        if not packs:
            return
        now_ms = self._clock.now_ms()
        rows = [
            {
                "branch_id": pack.branch_id,
                "boot": pack.boot,
                "low": pack.seq,
                "high": pack.seq,
                "recorded_at_ms": now_ms,
                "readings": readings,
                **self._bounds(pack.branch_id, pack.boot, pack.seq, pack.seq, now_ms),
            }
            for pack, readings in packs
        ]
        async with self._database.write() as connection:
            query = (
                self._insert(intake_gap)
                .on_conflict_do_nothing()
                .returning(intake_gap.c.branch_id, intake_gap.c.boot, intake_gap.c.low, intake_gap.c.readings)
            )
            noted = (await connection.execute(query, rows)).all()
            for branch_id, boot in sorted({(row.branch_id, row.boot) for row in noted}):
                mine = [row for row in noted if (row.branch_id, row.boot) == (branch_id, boot)]
                ranges = tuple(IntervalSet((row.low, row.low) for row in mine))
                event = GapRecorded(
                    branch_id=branch_id, boot=boot, ranges=ranges, readings=sum(row.readings for row in mine)
                )
                await self._event_log.append(connection, GapEventType.DROPPED, f"branch/{branch_id}", event)
        for row in noted:
            self._dropped[row.branch_id] += row.readings
        await self._event_log.announce()

    async def record(self, branch_id: str, boot: str, ranges: Sequence[Interval]) -> None:
        """Give up ranges, with an entry in the event log. Those already given up are left out.

        Raises:
            DependencyUnavailable: the database does not answer; nothing was recorded.
        """
        known = self.of(branch_id, boot)
        new = [part for low, high in ranges for part in known.missing(low, high)]
        if not new:
            return
        now_ms = self._clock.now_ms()
        async with self._database.write() as connection:
            await connection.execute(
                self._insert(intake_gap).on_conflict_do_nothing(),  # a commit whose answer was lost is made again
                [
                    {
                        "branch_id": branch_id,
                        "boot": boot,
                        "low": low,
                        "high": high,
                        "recorded_at_ms": now_ms,
                        **self._bounds(branch_id, boot, low, high, now_ms),
                    }
                    for low, high in new
                ],
            )
            event = GapRecorded(branch_id=branch_id, boot=boot, ranges=tuple(new))
            await self._event_log.append(connection, GapEventType.RECORDED, f"branch/{branch_id}", event)
        runs = self._by_boot.setdefault((branch_id, boot), IntervalSet())
        for low, high in new:
            runs.add(low, high)
        await self._event_log.announce()

    def _bounds(self, branch_id: str, boot: str, low: int, high: int, now_ms: int) -> dict[str, int | None]:
        span = self.times.span(branch_id, boot, low, high)
        return {"after_ms": span.after_ms, "before_ms": now_ms if span.before_ms is None else span.before_ms}

    async def recorded(self, branch_id: str, before_id: int | None = None, limit: int = 100) -> list[RecordedGap]:
        """What was recorded of a gateway, newest first.

        Raises:
            DependencyUnavailable: the database does not answer.
        """
        query = select(*_COLUMNS).where(intake_gap.c.branch_id == branch_id)
        if before_id is not None:
            query = query.where(intake_gap.c.id < before_id)
        return await self._find(query.order_by(intake_gap.c.id.desc()).limit(limit))

    async def within(self, branch_id: str, from_ms: int, to_ms: int, limit: int = 100) -> list[RecordedGap]:
        """What was recorded of a gateway and may concern a time, newest first; bounds nobody knows reach any time.

        Raises:
            DependencyUnavailable: the database does not answer.
        """
        after, before = intake_gap.c.after_ms, intake_gap.c.before_ms
        query = select(*_COLUMNS).where(
            intake_gap.c.branch_id == branch_id,
            or_(after.is_(None), after < to_ms),
            or_(before.is_(None), before >= from_ms),
        )
        return await self._find(query.order_by(intake_gap.c.id.desc()).limit(limit))

    async def _find(self, query: Select[Any]) -> list[RecordedGap]:
        async with self._database.read() as connection:
            return [RecordedGap(*row) for row in (await connection.execute(query)).all()]
