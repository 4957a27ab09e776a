"""Whatever a broker does to the order and number of deliveries, each reading is stored and told once."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.topics import Channel
from runtime.clock import ManualClock
from runtime.database import Database, metadata, sqlite_url
from runtime.mqtt import Message
from tests.collector.parts import (
    ATM,
    BRANCH,
    NOW_MS,
    Witness,
    inventory,
    make_collector,
    message,
    pack,
    reading,
    receiving,
)

PACKS = 8
INVENTORY = -1
"""Stands for the branch's inventory among the seqs."""

deliveries = st.lists(st.integers(INVENTORY, PACKS - 1), max_size=40)
cuts = st.lists(st.integers(1, 6), min_size=1, max_size=8)


def delivered(number: int) -> Message:
    if number == INVENTORY:
        return message(Channel.INVENTORY, inventory(("atm-01", "atm"), ("ftf-01", "footfall_sensor")))
    at_ms = NOW_MS - 1000 * number
    readings = [
        reading("cdm/unit1/count", float(number), at_ms),
        reading("total/in", float(number), at_ms, f"{BRANCH}/ftf-01"),
    ]
    return message(Channel.BACKFILL if number % 3 else Channel.TELEMETRY, pack(number + 1, readings))


async def deliver(order: list[int], sizes: list[int], restart_after: int, directory: Path) -> None:
    database = Database(sqlite_url(directory / "ops.db"))
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    witness = Witness()
    batches: list[list[Message]] = []
    left = [delivered(number) for number in (*order, INVENTORY, *range(PACKS))]  # in the end all came at least once
    while left:
        size = sizes[len(batches) % len(sizes)]
        batches.append(left[:size])
        left = left[size:]
    for life in (batches[:restart_after], batches[restart_after:]):
        collector = make_collector(directory, database, ManualClock(NOW_MS), listener=witness)
        async with receiving(collector) as reception:
            for batch in life:
                await reception.take(batch)
            audit = await collector.audit()
            status = collector.intake_status()
            latest = collector.readings.latest(ATM)
    await database.close()
    assert (audit.stored, audit.doubled) == (2 * PACKS, 0)
    expected = {(device, NOW_MS - 1000 * number) for number in range(PACKS) for device in (ATM, f"{BRANCH}/ftf-01")}
    told = [(device, observed_at_ms) for device, _, observed_at_ms, _, _ in witness.readings]
    assert sorted(told) == sorted(expected)
    assert witness.positions == list(range(1, len(witness.positions) + 1))
    assert [(gateway.committed_packs, gateway.missing_packs) for gateway in status] == [(PACKS, 0)]
    assert [(found.observed_at_ms, found.value) for found in latest] == [(NOW_MS, 0.0)]


@settings(max_examples=25, deadline=None)
@given(deliveries, cuts, st.integers(0, 12))
def test_redelivered_reordered_and_cut_at_will_everything_takes_effect_once(
    order: list[int], sizes: list[int], restart_after: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(deliver(order, sizes, restart_after, Path(directory)))
