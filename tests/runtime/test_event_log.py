"""The event log on SQLite and PostgreSQL: one effect an event, whatever fails in between."""

import asyncio

import pytest
from pydantic import BaseModel
from sqlalchemy import Column, Integer, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from runtime.clock import SystemClock
from runtime.database import Database, metadata
from runtime.event_log import Consumer, Event, EventLog

effect = Table("test_effect", metadata, Column("event_id", Integer, primary_key=True))


class Note(BaseModel):
    text: str


async def append(database: Database, log: EventLog, text: str, type_: str = "note.made") -> int:
    async with database.write() as connection:
        return await log.append(connection, type_, "note/1", Note(text=text))


async def effects(database: Database) -> list[int]:
    async with database.read() as connection:
        return list((await connection.execute(select(effect.c.event_id).order_by(effect.c.event_id))).scalars())


async def store_effect(connection: AsyncConnection, event: Event) -> None:
    await connection.execute(insert(effect).values(event_id=event.id))


async def test_events_come_back_in_order_and_by_type(database: Database, event_log: EventLog) -> None:
    first = await append(database, event_log, "a")
    await append(database, event_log, "b", "other.made")
    last = await append(database, event_log, "c")
    assert [event.data["text"] for event in await event_log.read(0)] == ["a", "b", "c"]
    assert [event.id for event in await event_log.read(first, ["note.made"])] == [last]
    assert await event_log.last_id() == last


async def test_a_rolled_back_change_leaves_no_event(database: Database, event_log: EventLog) -> None:
    async def stop_half_way() -> None:
        async with database.write() as connection:
            await event_log.append(connection, "note.made", "note/1", Note(text="never"))
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        await stop_half_way()
    assert await event_log.read(0) == []


async def test_a_handler_that_fails_once_has_one_effect(database: Database, event_log: EventLog) -> None:
    event_id = await append(database, event_log, "a")
    tries = 0

    async def fail_once(connection: AsyncConnection, event: Event) -> None:
        nonlocal tries
        tries += 1
        await store_effect(connection, event)
        if tries == 1:
            raise RuntimeError("after its effect, before the commit")

    consumer = Consumer("test", ["note.made"], fail_once, database, event_log)
    await consumer.start()
    with pytest.raises(RuntimeError):
        await consumer.step()
    assert await effects(database) == []
    assert await consumer.step()
    assert not await consumer.step()
    assert await effects(database) == [event_id]


async def test_a_second_consumer_of_a_name_goes_on_where_the_first_stopped(
    database: Database, event_log: EventLog
) -> None:
    ids = [await append(database, event_log, str(number)) for number in range(4)]
    for _ in range(2):  # two lives of one process
        consumer = Consumer("test", ["note.made"], store_effect, database, event_log)
        await consumer.start()
        assert await consumer.step()
        assert await consumer.step()
    assert await effects(database) == ids


async def test_writers_at_once_leave_no_event_behind_a_reader(database: Database, event_log: EventLog) -> None:
    """Ids become visible in order, so a reader that saw an id will never find a smaller one later."""

    async def write(count: int) -> None:
        for _ in range(count):
            await append(database, event_log, "x")

    seen: list[int] = []

    async def follow(total: int) -> None:
        while len(seen) < total:
            seen.extend(event.id for event in await event_log.read(seen[-1] if seen else 0))
            await asyncio.sleep(0)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(follow(40))
        for _ in range(4):
            group.create_task(write(10))
    assert seen == sorted(seen)
    assert len(set(seen)) == 40


async def test_a_waiting_reader_is_woken_by_an_announcement(database: Database, event_log: EventLog) -> None:
    loop = asyncio.get_running_loop()
    waiter = loop.create_task(event_log.wait(30))
    await asyncio.sleep(0.05)
    began = loop.time()
    await event_log.announce()
    await waiter
    assert loop.time() - began < 5


async def test_the_clock_stamps_events(database: Database) -> None:
    log = EventLog(database, SystemClock())
    before = SystemClock().now_ms()
    await append(database, log, "a")
    (event,) = await log.read(0)
    assert before <= event.at_ms <= SystemClock().now_ms()
    assert event.actor == "system"
