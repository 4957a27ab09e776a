"""The event stream: every event once and in order, however listeners come, stall and go."""

import asyncio
import json
from contextlib import aclosing

import pytest
from pydantic import BaseModel

from console.api.event_stream import EventStream
from runtime.database import Database
from runtime.event_log import EventLog


class Note(BaseModel):
    text: str


async def append(database: Database, log: EventLog, count: int) -> list[int]:
    ids = []
    for number in range(count):
        async with database.write() as connection:
            ids.append(await log.append(connection, "note.made", f"note/{number}", Note(text=f"第 {number}\ndata: x")))
    await log.announce()
    return ids


def events_in(frames: bytes) -> list[tuple[int, int]]:
    """(id of the frame, id inside its data) of each event, read as the standard says."""
    out = []
    for block in frames.decode().split("\n\n"):
        fields = [line.partition(": ") for line in block.splitlines() if not line.startswith(":")]
        named = {name: value for name, _, value in fields}
        if "data" in named and "event" not in named:
            out.append((int(named["id"]), json.loads(named["data"])["id"]))
    return out


async def collect(stream: EventStream, after: int | None, count: int) -> list[int]:
    found: list[tuple[int, int]] = []
    async with asyncio.timeout(10), aclosing(stream.listen(after, keep_alive_s=5)) as frames:
        async for frame in frames:
            found += events_in(frame)
            if len(found) >= count:
                break
    assert all(outer == inner for outer, inner in found)
    return [outer for outer, _ in found]


@pytest.fixture
async def stream(event_log: EventLog) -> EventStream:
    made = EventStream(event_log, kept=8, poll_s=0.05)
    await made.start()
    return made


async def test_a_listener_gets_what_it_missed_and_what_comes_each_once(
    database: Database, event_log: EventLog, stream: EventStream
) -> None:
    earlier = await append(database, event_log, 30)  # more than the stream keeps
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stream.run())
        waiting = group.create_task(collect(stream, earlier[4], 25 + 40))
        for _ in range(4):
            earlier += await append(database, event_log, 10)
        assert await waiting == earlier[5:]
        assert await collect(stream, earlier[-3], 2) == earlier[-2:]
        running.cancel()


async def test_without_a_position_only_new_events_come(
    database: Database, event_log: EventLog, stream: EventStream
) -> None:
    await append(database, event_log, 3)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stream.run())
        async with aclosing(stream.listen(None, keep_alive_s=5)) as frames:
            assert (await anext(frames)).startswith(b": from ")
            new = await append(database, event_log, 1)
            assert events_in(await anext(frames)) == [(new[0], new[0])]
        running.cancel()


async def test_a_position_from_another_log_is_answered_with_a_reset(event_log: EventLog, stream: EventStream) -> None:
    async with aclosing(stream.listen(999, keep_alive_s=0.05)) as frames:
        assert await anext(frames) == b'id: 0\nevent: reset\ndata: {"position":0}\n\n'
        assert await anext(frames) == b": alive\n\n"


async def test_a_silent_stream_is_kept_alive_and_ends_when_closed(stream: EventStream) -> None:
    async with aclosing(stream.listen(0, keep_alive_s=0.05)) as frames:
        await anext(frames)
        assert await anext(frames) == b": alive\n\n"
        await stream.close()
        with pytest.raises(StopAsyncIteration):
            await anext(frames)
