"""Gaps: packs that were asked for as often as allowed and did not come."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from collector.intervals import Interval, IntervalSet
from collector.tables import intake_gap
from runtime.clock import Clock
from runtime.database import Database
from runtime.event_log import EventLog


class GapEventType(StrEnum):
    """Types of intake events in the event log."""

    RECORDED = "intake.gap_recorded"


class GapRecorded(BaseModel):
    """Payload of :attr:`GapEventType.RECORDED`: inclusive ranges of seq that were given up."""

    model_config = ConfigDict(frozen=True)

    branch_id: str
    boot: str
    ranges: tuple[tuple[int, int], ...]


class Gaps:
    """Gaps in the ops database, cached here. A pack that comes after all is stored like any other."""

    def __init__(self, database: Database, event_log: EventLog, clock: Clock) -> None:
        self._database = database
        self._event_log = event_log
        self._clock = clock
        self._by_boot: dict[tuple[str, str], IntervalSet] = {}
        self._insert: Any = sqlite.insert if database.is_sqlite else postgresql.insert

    async def load(self) -> None:
        """Read the cache afresh.

        Raises:
            DependencyUnavailable: the database does not answer.
        """
        columns = (intake_gap.c.branch_id, intake_gap.c.boot, intake_gap.c.low, intake_gap.c.high)
        async with self._database.read() as connection:
            rows = (await connection.execute(select(*columns))).all()
        self._by_boot = {}
        for branch_id, boot, low, high in rows:
            self._by_boot.setdefault((branch_id, boot), IntervalSet()).add(low, high)

    def of(self, branch_id: str, boot: str) -> IntervalSet:
        """Seqs given up so far."""
        return self._by_boot.get((branch_id, boot)) or IntervalSet()

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
                    {"branch_id": branch_id, "boot": boot, "low": low, "high": high, "recorded_at_ms": now_ms}
                    for low, high in new
                ],
            )
            event = GapRecorded(branch_id=branch_id, boot=boot, ranges=tuple(new))
            await self._event_log.append(connection, GapEventType.RECORDED, f"branch/{branch_id}", event)
        runs = self._by_boot.setdefault((branch_id, boot), IntervalSet())
        for low, high in new:
            runs.add(low, high)
        await self._event_log.announce()
