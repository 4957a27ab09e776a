"""Readings of a gateway whose clock is wrong: kept whole, released once when their time has come, and never lost for that."""

import json
from pathlib import Path

import pytest

from collector.settings import CollectorSettings
from contracts.topics import Channel
from runtime.clock import ManualClock
from runtime.database import Database, metadata, sqlite_url
from runtime.mqtt import Message
from runtime.settings import BrokerSettings
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
from tests.collector.test_intake import gateway, running, send, until
from tests.collector.test_reception import ATM_INVENTORY, Crash, crash

HOUR_MS = 3_600_000
LONG_AGO_MS = 900_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


def ahead(seq: int, by_ms: int = HOUR_MS) -> Message:
    found = [reading("cdm/unit1/count", seq, NOW_MS + by_ms), reading("cdm/error", f"jam {seq}", NOW_MS + by_ms + 1)]
    return message(Channel.TELEMETRY, pack(seq, found))


async def test_readings_and_events_ahead_of_their_time_are_kept_and_released_once_when_it_comes(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, database, clock, listener=witness, quarantine_sample_bytes=1)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY, ahead(1)])
        await reception.release_due()
        assert (witness.readings, witness.events) == ([], [])
        (entry,) = await collector.quarantine.entries()
        assert (entry.code, entry.records, entry.held) == ("time_out_of_range", 2, True)
        assert len(json.loads(await collector.quarantine.payload(entry.id))) == 2, "whole, however short a sample is"
    clock.advance(HOUR_MS - 1)
    again = make_collector(tmp_path, database, clock, listener=witness)
    async with receiving(again) as reception:
        await reception.release_due()
        assert witness.readings == []
        clock.advance(1)
        for _ in range(2):
            await reception.release_due()
            await reception.take([ahead(1)])
        assert witness.readings == [(ATM, "cdm/unit1/count", NOW_MS + HOUR_MS, 1.0, True)]
        assert witness.events == [("cdm/error", "jam 1", True)]
        assert await again.quarantine.entries() == []
        assert (await again.audit()).doubled == 0
        assert [(count.code, count.refused) for count in await again.quarantine.counts()] == [("time_out_of_range", 2)]
        assert [found.committed_packs for found in again.intake_status()] == [1]


async def test_of_a_pack_that_spans_days_each_reading_is_released_in_its_time(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, database, clock, listener=witness)
    hours = [reading("cdm/unit1/count", hour, NOW_MS + hour * HOUR_MS) for hour in (48, 0, 1, 24)]
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY, message(Channel.TELEMETRY, pack(1, hours))])
        seen = []
        for _ in range(49):
            await reception.release_due()
            seen.append([value for *_, value, _ in witness.readings])
            clock.advance(HOUR_MS)
        assert (seen[0], seen[1], seen[23], seen[24]) == ([0], [0, 1], [0, 1], [0, 1, 24])
        assert (seen[47], seen[48]) == ([0, 1, 24], [0, 1, 24, 48])
        assert await collector.quarantine.entries() == []
        assert (await collector.audit()).doubled == 0


async def test_readings_of_an_unknown_device_that_are_early_too_wait_for_both(
    tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, ops, clock, listener=witness)
    async with receiving(collector) as reception:
        await reception.take([ahead(1)])
        await reception.take([ATM_INVENTORY])
        assert witness.readings == []
        clock.advance(HOUR_MS)
        await reception.release_due()
        assert [value for *_, value, _ in witness.readings] == [1.0]


async def test_what_was_read_before_a_clock_was_set_is_kept_whole(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, database, clock, quarantine_sample_rows=2, quarantine_sample_bytes=4)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        for seq in range(1, 6):
            found = [reading("cdm/unit1/count", seq, LONG_AGO_MS + seq), reading("cdm/unit1/count", seq, NOW_MS + seq)]
            await reception.take([message(Channel.TELEMETRY, pack(seq, found))])
        await reception.take([message(Channel.TELEMETRY, b"rubbish %d" % number) for number in range(5)])
        clock.advance(HOUR_MS)
        await reception.release_due()
        kept = await collector.quarantine.entries(code="time_out_of_range")
        assert [entry.held for entry in kept] == [True] * 5
        values = [json.loads(await collector.quarantine.payload(entry.id))[0]["v"] for entry in kept]
        assert values == [5, 4, 3, 2, 1]
        assert len(await collector.quarantine.entries(code="not_json")) == 2


async def test_what_waits_for_its_time_is_bounded_and_counted(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, database, clock, quarantine_held_rows=3, quarantine_sample_rows=2)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        for seq in range(1, 10):
            await reception.take([ahead(seq, HOUR_MS + seq)])
        unknown = reading("total/in", 3, device=f"{BRANCH}/ftf-01")
        await reception.take([message(Channel.TELEMETRY, pack(20, [unknown]))])
        held = [(entry.code, entry.held) for entry in await collector.quarantine.entries()]
        assert held.count(("time_out_of_range", True)) == 3
        assert held.count(("time_out_of_range", False)) == 2
        assert held.count(("unknown_device", True)) == 1, "one reason does not take the other's room"
        counts = {count.code: count.refused for count in await collector.quarantine.counts()}
        assert counts == {"time_out_of_range": 18, "unknown_device": 1}


@pytest.mark.parametrize("point", ["append", "discard", "take"])
@pytest.mark.parametrize("is_late", [False, True], ids=["pack comes again early", "pack comes again in its time"])
async def test_a_crash_at_any_point_neither_loses_nor_doubles_early_readings(
    point: str,
    is_late: bool,
    tmp_path: Path,
    database: Database,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, database, clock, listener=witness)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        if point == "append":  # refusals kept, store not yet
            monkeypatch.setattr(collector.store, "append", crash)
            with pytest.raises(Crash):
                await reception.take([ahead(1)])
        else:
            await reception.take([ahead(1)])
            clock.advance(HOUR_MS)
            monkeypatch.setattr(collector.quarantine if point == "discard" else witness, point, crash)
            with pytest.raises(Crash):
                await reception.release_due()
    monkeypatch.undo()
    if is_late:
        clock.advance(HOUR_MS)
    again = make_collector(tmp_path, database, clock)
    async with receiving(again) as reception:
        await reception.take([ahead(1)])  # never acknowledged
        clock.advance(HOUR_MS)
        await reception.release_due()
        audit = await again.audit()
        assert (audit.stored, audit.doubled) == (2, 0)
        assert await again.quarantine.entries() == []


async def test_a_new_ops_database_beside_an_old_store_loses_nothing_it_holds(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Its entries are numbered from 1 again, and the store remembers what came out under those numbers before."""
    for number in (1, 2):
        ops = Database(sqlite_url(tmp_path / f"ops-{number}.db"))
        async with ops.write() as connection:
            await connection.run_sync(metadata.create_all)
        collector = make_collector(tmp_path, ops, clock)
        async with receiving(collector) as reception:
            event = reading("cdm/error", f"jam {number}", NOW_MS + number)
            await reception.take([message(Channel.TELEMETRY, pack(number, [event]))])
            (entry,) = await collector.quarantine.entries()
            assert (entry.id, entry.held) == (1, True)
            await reception.take([ATM_INVENTORY])
            events = await collector.readings.events(ATM, 0, NOW_MS + HOUR_MS)
            assert [event.text for event in events] == ["jam 1", "jam 2"][:number]
        await ops.close()


async def test_another_slots_entries_are_left_to_it(tmp_path: Path, ops: Database, clock: ManualClock) -> None:
    slot = next(slot for slot in range(2) if CollectorSettings(slots=2, slot=slot).owns(BRANCH))
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    unknown = message(Channel.TELEMETRY, pack(2, [reading("cdm/unit1/count", 2, NOW_MS)]))
    ours = make_collector(tmp_path / "ours", ops, clock, slots=2, slot=slot)
    async with receiving(ours) as reception:
        await reception.take([unknown])
        await reception.take([ATM_INVENTORY, ahead(1)])
        await reception.take([message(Channel.INVENTORY, inventory(("atm-01", "atm"), ("ftf-01", "footfall_sensor")))])
    clock.advance(HOUR_MS)
    theirs = make_collector(tmp_path / "theirs", ops, clock, slots=2, slot=1 - slot)
    async with receiving(theirs) as reception:
        await reception.release_due()
        assert (await theirs.audit()).stored == 0
    ours = make_collector(tmp_path / "ours", ops, clock, slots=2, slot=slot)
    async with receiving(ours) as reception:
        await reception.release_due()
        assert (await ours.audit()).stored == 3


async def test_the_running_intake_releases_what_is_due(broker: BrokerSettings, ops: Database, tmp_path: Path) -> None:
    clock, witness = ManualClock(NOW_MS), Witness()
    collector = make_collector(tmp_path, ops, clock, broker=broker, listener=witness, review_s=0.05)
    async with running(collector), gateway(broker) as client:
        await send(client, Channel.INVENTORY, inventory(("atm-01", "atm")))
        await send(client, Channel.TELEMETRY, ahead(1).payload)
        await until(lambda: [found.committed_packs for found in collector.intake_status()] == [1])
        assert witness.events == []
        clock.advance(HOUR_MS + 1)
        await until(lambda: witness.events == [("cdm/error", "jam 1", True)])
