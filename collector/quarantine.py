"""Quarantine: what was refused, counted and kept for inspection, and held back where it only came too early."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, delete, func, not_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.identities import released_as
from collector.refusals import Held, Refused
from collector.tables import quarantine, quarantine_count, quarantine_identity
from contracts.errors import NotFound, RefusalCode
from contracts.pack import PackId
from runtime.database import Database
from runtime.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """A row as the console shows it; the bytes come apart (:meth:`Quarantine.payload`)."""

    id: int
    branch_id: str
    topic: str
    code: str
    detail: str
    record: int | None
    records: int
    received_at_ms: int
    payload_bytes: int
    held: bool


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How much of a gateway was refused for a reason: records or whole messages, and rows kept, since ever."""

    branch_id: str
    code: str
    refused: int
    kept: int


NEVER_MS: Final = 2**63 - 1
"""Stands for the time of records that are kept whole and have no time to wait for: theirs is before 2000."""

_ROWS_AT_ONCE: Final = 100
"""Rows of one statement: a few of these hold what a batch may have to refuse."""

_IS_HELD = or_(quarantine.c.held_device.is_not(None), quarantine.c.held_until_ms.is_not(None))


class Quarantine:
    """Rows in the ops database, bounded for each gateway.

    Args:
        database: the ops database.
        sample_rows: refusals kept for each gateway, the newest.
        sample_bytes: of a payload, the first so many are kept.
        held_rows: rows for each gateway and reason that are kept whole, because they wait for their device or their time or
            because only a clock was wrong; past that they are a sample only.
    """

    def __init__(self, database: Database, sample_rows: int, sample_bytes: int, held_rows: int) -> None:
        self._database = database
        self._sample_rows = sample_rows
        self._sample_bytes = sample_bytes
        self._held_rows = held_rows
        self._identity: str | None = None
        self._insert: Any = sqlite.insert if database.is_sqlite else postgresql.insert

    async def load(self) -> None:
        """Read which quarantine this is, or make it one of its own; once, before anything is released.

        Raises:
            DependencyUnavailable: the database does not answer.
        """
        async with self._database.write() as connection:
            made = self._insert(quarantine_identity).values(one=1, identity=uuid4().hex)
            await connection.execute(made.on_conflict_do_nothing())
            self._identity = str((await connection.execute(select(quarantine_identity.c.identity))).scalar_one())

    async def keep(self, items: Sequence[Refused]) -> None:
        """Count and keep refusals, all or none. Idempotent for those that came in a readable pack.

        Raises:
            DependencyUnavailable: the database does not answer; nothing was kept.
        """
        if not items:
            return
        async with self._database.write() as connection:
            rows = await self._rows(connection, items)
            found: list[tuple[str, str, int]] = []
            for begin in range(0, len(rows), _ROWS_AT_ONCE):
                inserted = self._insert(quarantine).values(rows[begin : begin + _ROWS_AT_ONCE])
                of_row = (quarantine.c.branch_id, quarantine.c.code, quarantine.c.records)
                told = await connection.execute(inserted.on_conflict_do_nothing().returning(*of_row))
                found += [(row.branch_id, row.code, row.records) for row in told]
            await self._count(connection, found)
            for branch_id in {branch_id for branch_id, _, _ in found}:
                await self._trim(connection, branch_id)

    async def _rows(self, connection: AsyncConnection, items: Sequence[Refused]) -> list[dict[str, Any]]:
        """Rows to insert; what waits but is too much is a sample only."""
        held: dict[tuple[str, RefusalCode], int] = {}
        rows = []
        for item in items:
            held_device, held_until_ms = _held_for(item)
            is_held = held_device is not None or held_until_ms is not None
            if is_held:
                reason = (item.branch_id, item.code)
                if reason not in held:
                    held[reason] = await self._count_held(connection, *reason)
                is_held = held[reason] < self._held_rows
                held[reason] += is_held
                if not is_held:
                    held_device, held_until_ms = None, None
                    _log.error(
                        "refused readings are lost: too many are kept for this reason",
                        branch_id=item.branch_id, code=str(item.code), device_id=item.device_id, records=item.records,
                    )  # fmt: skip
            pack_id = item.pack_id
            rows.append(
                {
                    "branch_id": item.branch_id,
                    "topic": item.topic[:256],
                    "code": str(item.code),
                    "detail": item.detail[:1000],
                    "record": item.record,
                    "records": item.records,
                    "received_at_ms": item.received_at_ms,
                    "payload": item.payload if is_held else item.payload[: self._sample_bytes],
                    "payload_bytes": len(item.payload),
                    "held_device": held_device,
                    "held_until_ms": held_until_ms,
                    "live": item.live,
                    "boot": None if pack_id is None else pack_id.boot,
                    "seq": None if pack_id is None else pack_id.seq,
                    "device": item.device_id[:97],
                }
            )
        return rows

    async def _count(self, connection: AsyncConnection, kept: Sequence[tuple[str, str, int]]) -> None:
        """Add rows that were kept, each (branch_id, code, records), to the counts."""
        sums: dict[tuple[str, str], tuple[int, int]] = {}
        for branch_id, code, records in kept:
            refused, rows = sums.get((branch_id, code), (0, 0))
            sums[branch_id, code] = (refused + records, rows + 1)
        for (branch_id, code), (refused, rows) in sorted(sums.items()):
            counted = self._insert(quarantine_count).values(branch_id=branch_id, code=code, refused=refused, kept=rows)
            await connection.execute(
                counted.on_conflict_do_update(
                    index_elements=["branch_id", "code"],
                    set_={
                        "refused": quarantine_count.c.refused + counted.excluded.refused,
                        "kept": quarantine_count.c.kept + counted.excluded.kept,
                    },
                )
            )

    @staticmethod
    async def _count_held(connection: AsyncConnection, branch_id: str, code: RefusalCode) -> int:
        held = select(func.count()).where(quarantine.c.branch_id == branch_id, quarantine.c.code == str(code), _IS_HELD)
        return int((await connection.execute(held)).scalar_one())

    async def _trim(self, connection: AsyncConnection, branch_id: str) -> None:
        sample = (quarantine.c.branch_id == branch_id, not_(_IS_HELD))
        oldest_kept = (
            select(quarantine.c.id)
            .where(*sample)
            .order_by(quarantine.c.id.desc())
            .limit(1)
            .offset(self._sample_rows - 1)
        ).scalar_subquery()
        await connection.execute(delete(quarantine).where(*sample, quarantine.c.id < oldest_kept))

    # -- release -----------------------------------------------------------------------------------------------------

    async def held(self, device_ids: Collection[str], limit: int = 100) -> list[Held]:
        """Rows that wait for one of these devices, oldest first, at most ``limit``.

        Raises:
            DependencyUnavailable: the database does not answer.
        """
        return await self._select_held(quarantine.c.held_device.in_(device_ids), limit)

    async def due(self, branch_ids: Collection[str], now_ms: int, limit: int = 100) -> list[Held]:
        """Rows of these branches whose time has come, oldest first, at most ``limit``.

        Raises:
            DependencyUnavailable: the database does not answer.
        """
        has_come = and_(quarantine.c.branch_id.in_(branch_ids), quarantine.c.held_until_ms <= now_ms)
        return await self._select_held(has_come, limit)

    async def _select_held(self, condition: ColumnElement[bool], limit: int) -> list[Held]:
        identity = self._identity
        if identity is None:
            raise RuntimeError("quarantine: load() comes before a release")
        query = select(quarantine).where(condition).order_by(quarantine.c.id).limit(limit)
        async with self._database.read() as connection:
            return [
                Held(
                    row["id"], row["branch_id"], row["topic"], row["payload"], row["live"],
                    PackId(row["branch_id"], row["boot"], row["seq"]),
                    released_as(row["branch_id"], identity, row["id"]),
                )
                for row in (await connection.execute(query)).mappings()
            ]  # fmt: skip

    async def due_branches(self, now_ms: int) -> set[str]:
        """Branches with rows whose time has come."""
        async with self._database.read() as connection:
            query = select(quarantine.c.branch_id).where(quarantine.c.held_until_ms <= now_ms).distinct()
            return set((await connection.execute(query)).scalars())

    async def waiting_for_time(self) -> list[tuple[int, PackId]]:
        """Rows that wait for their time, with the packs they came in."""
        query = select(quarantine.c.id, quarantine.c.branch_id, quarantine.c.boot, quarantine.c.seq).where(
            quarantine.c.held_until_ms < NEVER_MS
        )
        async with self._database.read() as connection:
            return [(row.id, PackId(row.branch_id, row.boot, row.seq)) for row in await connection.execute(query)]

    async def awaited_devices(self) -> set[str]:
        """Full ids of the devices that rows wait for."""
        async with self._database.read() as connection:
            query = select(quarantine.c.held_device).where(quarantine.c.held_device.is_not(None)).distinct()
            return set((await connection.execute(query)).scalars())

    async def discard(self, ids: Collection[int]) -> None:
        """Delete rows: released, or sure to come again in their pack. Counts stay.

        Raises:
            DependencyUnavailable: the database does not answer; nothing was deleted.
        """
        async with self._database.write() as connection:
            await connection.execute(delete(quarantine).where(quarantine.c.id.in_(ids)))

    # -- for the console ---------------------------------------------------------------------------------------------

    async def entries(
        self,
        branch_id: str | None = None,
        code: str | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[QuarantineEntry]:
        """Rows, newest first.

        Args:
            branch_id: of one gateway; empty text for messages whose topic named none.
            code: of one reason.
            before_id: only older ones: the last id of the page before.
            limit: rows at most.
        """
        query = select(quarantine).order_by(quarantine.c.id.desc()).limit(limit)
        if branch_id is not None:
            query = query.where(quarantine.c.branch_id == branch_id)
        if code is not None:
            query = query.where(quarantine.c.code == code)
        if before_id is not None:
            query = query.where(quarantine.c.id < before_id)
        async with self._database.read() as connection:
            return [
                QuarantineEntry(
                    row["id"], row["branch_id"], row["topic"], row["code"], row["detail"], row["record"], row["records"],
                    row["received_at_ms"], row["payload_bytes"],
                    row["held_device"] is not None or row["held_until_ms"] is not None,
                )
                for row in (await connection.execute(query)).mappings()
            ]  # fmt: skip

    async def payload(self, entry_id: int) -> bytes:
        """The kept bytes of a row.

        Raises:
            NotFound: no such row; older ones make room for newer ones.
        """
        async with self._database.read() as connection:
            found = (
                await connection.execute(select(quarantine.c.payload).where(quarantine.c.id == entry_id))
            ).scalar_one_or_none()
        if found is None:
            raise NotFound(f"quarantine entry {entry_id}: not kept; it may have made room for newer ones")
        return bytes(found)

    async def counts(self) -> list[RefusalCount]:
        """Refusals since ever, by gateway and reason."""
        query = select(quarantine_count).order_by(quarantine_count.c.branch_id, quarantine_count.c.code)
        async with self._database.read() as connection:
            return [RefusalCount(**row) for row in (await connection.execute(query)).mappings()]


def _held_for(item: Refused) -> tuple[str | None, int | None]:
    """The device or the time that records wait for; neither for what is only a sample."""
    if item.code is RefusalCode.UNKNOWN_DEVICE and item.pack_id is not None:
        return item.device_id, None
    if item.code is RefusalCode.TIME_OUT_OF_RANGE:
        return None, NEVER_MS if item.due_ms is None or item.pack_id is None else item.due_ms
    return None, None
