"""One gateway's rubbish: said twice, claimed twice, without end. It costs the others nothing and takes nothing with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from collector.decoding import _NO_SIGNALS_KEPT
from contracts.topics import Channel
from runtime.clock import ManualClock
from runtime.database import Database
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
    raw_pack,
    reading,
    receiving,
)

ATM_INVENTORY = message(Channel.INVENTORY, inventory(("atm-01", "atm")))
COUNT = {"n": "cdm/unit1/count", "u": "count", "v": 155, "bt": NOW_MS / 1000}
ELSEWHERE = "BR0001"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


def live(payload: bytes, branch: str = BRANCH) -> Message:
    return message(Channel.TELEMETRY, payload, branch)


@pytest.mark.parametrize("odd", [{}, {"vendor": 1}], ids=["read together", "read by itself"])
async def test_of_two_values_of_a_signal_at_one_time_the_first_stands(
    odd: dict[str, Any], tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, ops, clock, listener=witness)
    async with receiving(collector) as reception:
        rows = [{"n": "cdm/unit1/count", "u": "count", "v": value} for value in (156, 155, 157)]
        payload = raw_pack({**COUNT, **odd}, *rows, {**rows[0], "t": 0.001})
        await reception.take([ATM_INVENTORY, live(raw_pack({**COUNT, "t": -9}, seq=7)), live(payload)])
        told = [(observed - NOW_MS, value) for _, _, observed, value, _ in witness.readings]
        assert told == [(-9000, 155.0), (0, 155.0), (1, 156.0)]
        (entry,) = await collector.quarantine.entries()
        assert (entry.code, entry.record, entry.records) == ("name_clash", 4, 2)
        assert "156 at" in entry.detail
        assert "155 before it in the same pack" in entry.detail
        assert [kept["v"] for kept in json.loads(await collector.quarantine.payload(entry.id))] == [156, 157]
        audit = await collector.audit()
        assert (audit.readings, audit.doubled) == (3, 0)


async def test_a_reading_said_twice_in_one_pack_is_stored_once_and_refused_never(
    tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, ops, clock, listener=(witness := Witness()))
    async with receiving(collector) as reception:
        jam, other = {"n": "cdm/error", "vs": "a note is stuck"}, {"n": "cdm/error", "vs": "two notes are stuck"}
        word = {"n": "cdm/device", "vs": "online"}
        await reception.take([ATM_INVENTORY, live(raw_pack(COUNT, word, jam, {**COUNT}, word, jam, other))])
        assert sorted(path for _, path, *_ in witness.readings) == ["cdm/device", "cdm/unit1/count"]
        assert [text for _, text, _ in witness.events] == ["a note is stuck", "two notes are stuck"], "both of one time"
        assert await collector.quarantine.entries() == []


async def test_an_inventory_that_lists_a_device_twice_is_refused_and_the_one_before_stays(
    tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, ops, clock)
    async with receiving(collector) as reception:
        twice = inventory(("atm-01", "atm"), ("atm-01", "camera"))
        await reception.take([ATM_INVENTORY, message(Channel.INVENTORY, twice), live(raw_pack(COUNT))])
        (entry,) = await collector.quarantine.entries()
        assert (entry.code, "'atm-01' is listed twice" in entry.detail) == ("bad_inventory", True)
        device = collector.fleet.device(ATM)
        assert device is not None
        assert device.kind == "atm"
        assert (await collector.audit()).readings == 1


async def test_a_flood_of_one_gateways_rubbish_is_counted_sampled_and_takes_nothing_with_it(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, database, clock, quarantine_sample_rows=5)
    async with receiving(collector) as reception:
        await reception.take(
            [ATM_INVENTORY, message(Channel.INVENTORY, inventory(("atm-01", "atm"), branch=ELSEWHERE), ELSEWHERE)]
        )
        flood, packs = [], 250
        for seq in range(1, packs + 1):
            made_up = [{"n": f"made/up{seq}x{number}", "v": 1} for number in range(20)]
            flood.append(
                live(
                    raw_pack(
                        {"bt": NOW_MS / 1000, **made_up[0]}, *made_up[1:], {"n": "cdm/device", "vs": "tired"}, seq=seq
                    )
                )
            )
            good = reading("cdm/unit1/count", seq, NOW_MS - seq, f"{ELSEWHERE}/atm-01")
            flood.append(live(pack(seq, [good], branch=ELSEWHERE), ELSEWHERE))
            flood.append(live(b"rubbish"))
        await reception.take(flood)
        counts = {(count.branch_id, count.code): count.refused for count in await collector.quarantine.counts()}
        assert counts == {
            (BRANCH, "unknown_signal"): 20 * packs,
            (BRANCH, "bad_value"): packs,
            (BRANCH, "not_json"): packs,
        }
        assert len(await collector.quarantine.entries()) == 5
        assert (await collector.audit()).readings == packs
        assert len(reception._decoder._no_signals) <= _NO_SIGNALS_KEPT


async def test_what_no_signal_has_is_not_remembered_without_end(
    tmp_path: Path, ops: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.decoding._NO_SIGNALS_KEPT", 10)
    collector = make_collector(tmp_path, ops, clock)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        for seq in range(1, 40):
            await reception.take([live(pack(seq, [reading(f"made/up{seq}", 1)]))])
        assert 1 <= len(reception._decoder._no_signals) <= 10
        (count,) = await collector.quarantine.counts()
        assert count.refused == 39
