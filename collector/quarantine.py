"""Quarantine: what was refused, counted and kept for inspection, and held back where it only came too early."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.identities import QUARANTINE_BOOT
from collector.tables import quarantine, quarantine_count
from contracts.errors import NotFound, RefusalCode
from contracts.pack import PackId
from runtime.database import Database
from runtime.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """A message, or records of a pack that share a reason and a device, on the way into quarantine.

    Attributes:
        branch_id: branch of the topic, empty where it names none.
        topic: topic as received.
        code: why.
        detail: what was expected against what came, of the first record.
        record: index of the first refused record, ``None`` for the whole message.
        records: how many records, 1 for a whole message.
        payload: the message, or a pack of the refused records.
        live: whether it came on the live stream.
        received_at_ms: arrival.
        pack_id: the pack it came in; with it the same refusal is kept and counted once, however often it comes. ``None``
            where the pack is refused whole: that is kept and counted each time, because its seq need not be its own.
        device_id: device of the records, empty for a whole message.
    """

    branch_id: str
    topic: str
    code: RefusalCode
    detail: str
    record: int | None
    records: int
    payload: bytes
    live: bool
    received_at_ms: int
    pack_id: PackId | None
    device_id: str = ""


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


@dataclass(frozen=True, slots=True)
class Held:
    """Records that wait for their device, ready to be released.

    Attributes:
        id: row; it also names the released records in the store.
        pack_id: the pack they came in.
        payload: a pack of them.
    """

    id: int
    branch_id: str
    topic: str
    payload: bytes
    live: bool
    received_at_ms: int
    pack_id: PackId

    @property
    def released_as(self) -> PackId:
        """Identity under which the store takes these records, once."""
        return PackId(self.branch_id, QUARANTINE_BOOT, self.id)


class Quarantine:
    """Rows in the ops database, bounded for each gateway.

    Args:
        database: the ops database.
        sample_rows: refusals kept for each gateway, the newest.
        sample_bytes: of a payload, the first so many are kept.
        held_rows: rows for each gateway that wait for their device and are kept whole; past that they are a sample only.
    """

    def __init__(self, database: Database, sample_rows: int, sample_bytes: int, held_rows: int) -> None:
        self._database = database
        self._sample_rows = sample_rows
        self._sample_bytes = sample_bytes
        self._held_rows = held_rows
        self._insert: Any = sqlite.insert if database.is_sqlite else postgresql.insert

    async def keep(self, items: Sequence[Refused]) -> None:
        """Count and keep refusals, all or none. Idempotent for those that came in a readable pack.

        Raises:
            DependencyUnavailable: the database does not answer; nothing was kept.
        """
        if not items:
            return
        async with self._database.write() as connection:
            for item in items:
                await self._keep_one(connection, item)
            for branch_id in {item.branch_id for item in items}:
                await self._trim(connection, branch_id)

    async def _keep_one(self, connection: AsyncConnection, item: Refused) -> None:
        held = item.code is RefusalCode.UNKNOWN_DEVICE and item.pack_id is not None
        if held and await self._count_held(connection, item.branch_id) >= self._held_rows:
            held = False
            _log.error(
                "readings of an unknown device are lost: too many wait for the inventory",
                branch_id=item.branch_id, device_id=item.device_id, records=item.records,
            )  # fmt: skip
        pack_id = item.pack_id
        row = {
            "branch_id": item.branch_id,
            "topic": item.topic[:256],
            "code": str(item.code),
            "detail": item.detail[:1000],
            "record": item.record,
            "records": item.records,
            "received_at_ms": item.received_at_ms,
            "payload": item.payload if held else item.payload[: self._sample_bytes],
            "payload_bytes": len(item.payload),
            "held_device": item.device_id if held else None,
            "live": item.live,
            "boot": None if pack_id is None else pack_id.boot,
            "seq": None if pack_id is None else pack_id.seq,
            "device": item.device_id[:97],
        }
        inserted = await connection.execute(
            self._insert(quarantine).values(row).on_conflict_do_nothing().returning(quarantine.c.id)
        )
        if inserted.first() is None:
            return
        counted = self._insert(quarantine_count).values(
            branch_id=item.branch_id, code=str(item.code), refused=item.records, kept=1
        )
        await connection.execute(
            counted.on_conflict_do_update(
                index_elements=["branch_id", "code"],
                set_={
                    "refused": quarantine_count.c.refused + counted.excluded.refused,
                    "kept": quarantine_count.c.kept + 1,
                },
            )
        )

    @staticmethod
    async def _count_held(connection: AsyncConnection, branch_id: str) -> int:
        held = select(func.count()).where(quarantine.c.branch_id == branch_id, quarantine.c.held_device.is_not(None))
        return int((await connection.execute(held)).scalar_one())

    async def _trim(self, connection: AsyncConnection, branch_id: str) -> None:
        sample = (quarantine.c.branch_id == branch_id, quarantine.c.held_device.is_(None))
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
        query = (
            select(quarantine).where(quarantine.c.held_device.in_(device_ids)).order_by(quarantine.c.id).limit(limit)
        )
        async with self._database.read() as connection:
            return [
                Held(
                    row["id"], row["branch_id"], row["topic"], row["payload"], row["live"], row["received_at_ms"],
                    PackId(row["branch_id"], row["boot"], row["seq"]),
                )
                for row in (await connection.execute(query)).mappings()
            ]  # fmt: skip

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
                    row["received_at_ms"], row["payload_bytes"], row["held_device"] is not None,
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
