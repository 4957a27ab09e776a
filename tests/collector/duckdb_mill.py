"""A process that appends to a DuckDB store and keeps it up at the same time, until it is killed.

``python -m tests.collector.duckdb_mill <directory>``; the readings of each pack follow from its number alone, so that they can be
counted afterwards. Time goes by an hour every few packs, and some packs are late by days.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

from collector.settings import RetentionSettings
from collector.store import HOUR_MS
from contracts.pack import PackId
from contracts.readings import EventReading, ReadingBatch
from runtime.clock import ManualClock
from tests.collector.duckdb_parts import DAY_MS, SERIES, made
from tests.collector.stores import NOW_MS

READINGS: Final = 200
_BEGIN_MS: Final = NOW_MS - 400 * DAY_MS
_PACK_MS: Final = HOUR_MS // 2


def time_of(seq: int) -> int:
    """When a pack is committed."""
    return _BEGIN_MS + seq * _PACK_MS


def readings_of(seq: int) -> list[tuple[int, int, float]]:
    """Readings of a pack, no two packs with one of the same time."""
    begin_ms = time_of(seq) - (seq % 7 == 0) * (2 * DAY_MS + 1)
    return [(number % 2, begin_ms + number * 5_000, float(seq)) for number in range(READINGS)]


def event_of(seq: int) -> EventReading:
    """Its event."""
    return EventReading(0, time_of(seq), f"event {seq}")


async def run(directory: Path) -> None:
    clock = ManualClock(_BEGIN_MS)
    retention = RetentionSettings(readings_days=36_500, minutes_days=36_500, hours_days=36_500, events_days=36_500)
    store = made(directory, clock, recent_readings=2000, recent_hours=1.0, retention=retention)
    await store.open()
    known = (await store.load_committed()).get(("BR1", "boot"))
    seq = 0 if known is None or known.highest is None else known.highest
    clock.advance(time_of(seq) - clock.now_ms())

    async def append() -> None:
        nonlocal seq
        while True:
            seq += 1
            clock.advance(_PACK_MS)
            batch = ReadingBatch.of(readings_of(seq))
            whole = ReadingBatch(batch.series, batch.observed_at_ms, batch.value, batch.live, (event_of(seq),))
            new = [] if seq > 1 else SERIES
            assert await store.append(whole, [PackId("BR1", "boot", seq)], new) == seq
            print("committed", seq, flush=True)

    async def keep() -> None:
        while True:
            done = await store.maintain(clock.now_ms())
            if done.more:
                print("kept", done.compacted, flush=True)
            else:
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(append())
        tasks.create_task(keep())


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
