"""SIGKILL at any moment of appends, compaction, merges and roll-ups: nothing is lost and nothing doubled.

``KILLS`` is how often, 8 where it is not set; `make trials` sets 50.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest

from collector.settings import RetentionSettings
from collector.store import HOUR_MS
from runtime.clock import ManualClock
from tests.collector.duckdb_mill import READINGS, event_of, readings_of, time_of
from tests.collector.duckdb_parts import DAY_MS, at, history_files
from tests.collector.stores import keep_up

KILLS = int(os.environ.get("KILLS", "8"))
LONG = RetentionSettings(readings_days=36_500, minutes_days=36_500, hours_days=36_500, events_days=36_500)


async def killed_at_a_random_moment(directory: Path, chance: random.Random) -> tuple[int, int]:
    """Let the process work for a while; the newest pack it told of, and the pieces of upkeep it did."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.collector.duckdb_mill", str(directory), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines: list[bytes] = []
    try:
        async with asyncio.timeout(60):
            wanted = chance.randrange(1, 4)  # pieces of upkeep, and then somewhere in the next one or in a commit
            while sum(line.startswith(b"kept") for line in lines) < wanted:
                line = await process.stdout.readline()
                assert line, "the process ended by itself"
                lines.append(line)
            await asyncio.sleep(chance.random() * 0.05)
    finally:
        process.kill()
        rest = await process.stdout.read()
        await process.wait()
    lines += rest.split(b"\n")[:-1]
    committed = [int(line.split()[1]) for line in lines if line.startswith(b"committed")]
    return max(committed, default=0), sum(line.startswith(b"kept") for line in lines)


@pytest.mark.timeout(300)
async def test_killed_again_and_again_while_it_appends_and_keeps_up(tmp_path: Path) -> None:
    chance = random.Random(20)
    told = kept = 0
    for kill in range(KILLS):
        committed, pieces = await killed_at_a_random_moment(tmp_path, chance)
        told, kept = max(told, committed), kept + pieces
        if kill in {KILLS // 2, KILLS - 1}:
            await nothing_is_lost_or_doubled(tmp_path, told)
    assert kept >= KILLS, "too little upkeep to have been killed in"
    assert len(history_files(tmp_path)) > 2


async def nothing_is_lost_or_doubled(directory: Path, told: int) -> None:
    clock = ManualClock(time_of(told) + DAY_MS)
    async with at(directory, clock, recent_readings=2000, recent_hours=1.0, memory_mb=256, retention=LONG) as store:
        assert store.damages() == ()
        ((low, high),) = (await store.load_committed())["BR1", "boot"]
        assert low == 1
        assert told <= high <= told + 1, "what was told as committed is there, and at most the one under way besides"
        assert store.position == high
        expected = [row for seq in range(1, high + 1) for row in readings_of(seq)]
        for turn in range(2):
            audit = await store.audit()
            assert (audit.readings, audit.events, audit.doubled) == (high * READINGS, high, 0)
            for series in (0, 1):
                found = await store.range(series, 0, 2**60, 10_000_000)
                pairs = list(zip(found.observed_at_ms.tolist(), found.value.tolist(), strict=True))
                assert pairs == sorted((at_ms, value) for number, at_ms, value in expected if number == series)
                hours = (await store.buckets([series], 0, 2**60, HOUR_MS))[series]
                assert int(hours.count.sum()) == len(pairs)
            texts = [event.text for event in await store.events([0], 0, 2**60, 10_000_000)]
            assert texts == [event_of(seq).text for seq in range(1, high + 1)]
            if turn == 0:
                await keep_up(store, clock.now_ms())
        assert {path.name.rpartition(".")[2] for path in directory.rglob("*") if path.is_file()} <= {"duckdb", "wal"}
