"""The event log: who did what, when, from which state to which.

An append-only table written in the transaction of the change it records, and read by named consumers that store their
position in the transaction of their own effect. Ids grow in commit order: on PostgreSQL a lock held to the end of the
transaction keeps a later id from becoming visible before an earlier one, which a consumer would otherwise step over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import JSON, BigInteger, Column, Integer, String, Table, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import DependencyUnavailable
from runtime.clock import Clock
from runtime.database import Database, metadata
from runtime.logs import get_logger
from runtime.supervisor import Backoff

_log = get_logger(__name__)

SYSTEM: Final = "system"
"""Actor of what no person did."""

_LOCK_KEY: Final = 0x62_77_6C_6F_67  # "bwlog"

event_log = Table(
    "event_log",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False, comment="milliseconds since 1970 UTC"),
    Column("type", String(64), nullable=False, index=True),
    Column("subject", String(160), nullable=False, index=True, comment="what it is about: fault/12, work_order/7"),
    Column("actor", String(128), nullable=False),
    Column("data", JSON, nullable=False),
    sqlite_autoincrement=True,
)

event_consumer = Table(
    "event_consumer",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False, comment="id of the last event whose effect is committed"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log."""

    id: int
    at_ms: int
    type: str
    subject: str
    actor: str
    data: dict[str, Any]


class EventLog:
    """Appends and reads events; wakes the consumers of this process after a commit."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._news = asyncio.Condition()

    async def append(
        self, connection: AsyncConnection, type_: str, subject: str, data: BaseModel, actor: str = SYSTEM
    ) -> int:
        """Record a change inside the transaction that makes it; call :meth:`announce` after the commit.

        Returns:
            The event's id, which is also the resume point of live updates.
        """
        if not self._database.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        result = await connection.execute(
            insert(event_log)
            .values(
                at_ms=self._clock.now_ms(), type=type_, subject=subject, actor=actor, data=data.model_dump(mode="json")
            )
            .returning(event_log.c.id)
        )
        return int(result.scalar_one())

    async def announce(self) -> None:
        """Wake the waiting readers of this process; other processes find new events by polling."""
        async with self._news:
            self._news.notify_all()

    async def wait(self, timeout_s: float) -> None:
        """Wait for an announcement, at most ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait()
        except TimeoutError:
            return

    async def read(self, after: int, types: Collection[str] = (), limit: int = 500) -> list[Event]:
        """Events after an id in order, at most ``limit``; of all types where none is given."""
        async with self._database.read() as connection:
            return await self._read(connection, after, types, limit)

    async def about(self, subject: str) -> list[Event]:
        """Everything recorded about one thing, oldest first."""
        query = select(event_log).where(event_log.c.subject == subject).order_by(event_log.c.id)
        async with self._database.read() as connection:
            return [Event(*row) for row in await connection.execute(query)]

    async def last_id(self) -> int:
        """Id of the newest event, 0 where there is none."""
        async with self._database.read() as connection:
            return int((await connection.execute(select(func.coalesce(func.max(event_log.c.id), 0)))).scalar_one())

    @staticmethod
    async def _read(connection: AsyncConnection, after: int, types: Collection[str], limit: int) -> list[Event]:
        query = select(event_log).where(event_log.c.id > after).order_by(event_log.c.id).limit(limit)
        if types:
            query = query.where(event_log.c.type.in_(types))
        return [Event(*row) for row in await connection.execute(query)]


Handler = Callable[[AsyncConnection, Event], Awaitable[None]]
"""Effect of one event, made on the connection given: it commits together with the consumer's position, or not at all."""


class Consumer:
    """Hands each event of the given types to a handler, effectively once.

    Handler and position share a transaction, so a crash repeats neither. One consumer of a name runs at a time: the
    position row is locked while an event is handled, and a second process waits.
    """

    def __init__(
        self,
        name: str,
        types: Collection[str],
        handler: Handler,
        database: Database,
        log: EventLog,
        *,
        poll_s: float = 0.5,
    ) -> None:
        self._name = name
        self._types = tuple(types)
        self._handler = handler
        self._database = database
        self._log = log
        self._poll_s = poll_s
        self._backoff = Backoff()

    @property
    def name(self) -> str:
        return f"consumer {self._name}"

    async def start(self) -> None:
        """Create the position row where it is missing."""
        async with self._database.write() as connection:
            known = await connection.execute(
                select(event_consumer.c.position).where(event_consumer.c.name == self._name)
            )
            if known.first() is None:
                await connection.execute(insert(event_consumer).values(name=self._name, position=0))

    async def run(self) -> None:
        """Handle events as they come. A handler's error is retried with growing waits: an event is never stepped over."""
        failures = 0
        while True:
            try:
                while await self.step():
                    failures = 0
            except Exception as error:  # noqa: BLE001  (a failed event is tried again; it neither is lost nor ends the rest)
                failures += 1
                unexpected = None if isinstance(error, DependencyUnavailable) else error
                _log.error("consumer waits", consumer=self._name, error=str(error), tries=failures, exc_info=unexpected)
                await asyncio.sleep(self._backoff.delay_s(failures))
            else:
                await self._log.wait(self._poll_s)

    async def stop(self) -> None:
        """Nothing is held between events."""

    async def step(self) -> bool:
        """Handle the next event in one transaction; ``False`` where there is none."""
        position = event_consumer.c.position
        async with self._database.read() as connection:
            seen = (await connection.execute(select(position).where(event_consumer.c.name == self._name))).scalar_one()
            if not await EventLog._read(connection, seen, self._types, 1):  # noqa: SLF001  (same module)
                return False
        async with self._database.write() as connection:
            row = select(position).where(event_consumer.c.name == self._name).with_for_update()
            seen = (await connection.execute(row)).scalar_one()
            events = await EventLog._read(connection, seen, self._types, 1)  # noqa: SLF001  (same module)
            if not events:
                return False
            await self._handler(connection, events[0])
            await connection.execute(
                update(event_consumer).where(event_consumer.c.name == self._name).values(position=events[0].id)
            )
        await self._log.announce()
        return True
