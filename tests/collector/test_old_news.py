"""What a broker delivers again behind newer news changes nothing, and what was given up is asked for once more."""

from pathlib import Path

import pytest

from collector.reception import Reception
from contracts.topics import Channel
from runtime.clock import ManualClock
from runtime.database import Database
from tests.collector.parts import (
    ATM,
    BOOT,
    BRANCH,
    NOW_MS,
    Witness,
    inventory,
    make_collector,
    message,
    pack,
    reading,
    receiving,
    status,
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


async def test_an_offline_delivered_again_behind_online_leaves_the_gateway_online(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, database, clock, listener=witness)
    will = message(Channel.STATUS, status(False, NOW_MS - 9_000))
    async with receiving(collector) as reception:
        await reception.take([message(Channel.STATUS, status(True, NOW_MS - 9_000)), will])
        await reception.take([message(Channel.STATUS, status(True, NOW_MS - 1_000))])
        clock.advance(3_000)
        await reception.take([will])
        assert collector.fleet.gateways[BRANCH].online
        assert [value for _, path, _, value, _ in witness.readings if path == "uplink/state"] == [0.0, 1.0, 0.0]
    again = make_collector(tmp_path, database, clock, listener=(later := Witness()))
    async with receiving(again) as reception:
        await reception.take([will])
        assert again.fleet.gateways[BRANCH].online, "also after a restart"
        assert later.readings == []


async def test_an_inventory_delivered_again_does_not_drop_a_device_added_since(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    old = message(Channel.INVENTORY, inventory(("atm-01", "atm"), announced_at=NOW_MS - 9_000))
    new = inventory(("atm-01", "atm"), ("ftf-01", "footfall_sensor"), announced_at=NOW_MS - 1_000)
    collector = make_collector(tmp_path, database, clock)
    async with receiving(collector) as reception:
        await reception.take([old])
        await reception.take([message(Channel.INVENTORY, new)])
        clock.advance(3_000)
        await reception.take([old])
        assert ATM in {device.device_id for device in collector.fleet.devices()}
        assert f"{BRANCH}/ftf-01" in {device.device_id for device in collector.fleet.devices()}
    again = make_collector(tmp_path, database, clock)
    async with receiving(again) as reception:
        await reception.take([old])
        assert f"{BRANCH}/ftf-01" in {device.device_id for device in again.fleet.devices()}, "also after a restart"


async def test_an_inventory_that_repeats_the_last_one_overtakes_those_between(
    tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, ops, clock)
    async with receiving(collector) as reception:
        for announced_at in (NOW_MS - 9_000, NOW_MS - 1_000):
            await reception.take([message(Channel.INVENTORY, inventory(("atm-01", "atm"), announced_at=announced_at))])
        between = inventory(("ftf-01", "footfall_sensor"), announced_at=NOW_MS - 5_000)
        await reception.take([message(Channel.INVENTORY, between)])
        assert [device.local_id for device in collector.fleet.devices()] == ["atm-01", "gateway"]


async def test_inventories_written_by_hand_need_no_time_and_count_as_they_arrive(
    tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, ops, clock)
    async with receiving(collector) as reception:
        ahead = inventory(("atm-01", "atm"), announced_at=NOW_MS + 60_000)
        await reception.take([message(Channel.INVENTORY, ahead)])
        await reception.take([message(Channel.INVENTORY, inventory(("ftf-01", "footfall_sensor")))])
        assert [device.local_id for device in collector.fleet.devices()] == ["ftf-01", "gateway"]
        await reception.take([message(Channel.INVENTORY, inventory(("atm-01", "atm")))])
        assert [device.local_id for device in collector.fleet.devices()] == ["atm-01", "gateway"]


async def test_a_gateway_that_vanished_with_its_broker_is_counted_disconnected_and_loses_no_holes(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, database, clock, listener=witness)
    review = collector._intake._review
    async with receiving(collector) as reception:
        await take_live(reception, clock, 1, 3)
        for second in range(3000):
            clock.advance(1000)
            # Ten minutes without a broker, in which no will is published; then it is back, and the gateway is not.
            await review.review(connected=second >= 600)
        assert [gateway.gap_packs for gateway in collector.intake_status()] == [0]
        (gateway,) = collector.intake_status()
        assert (gateway.online, gateway.since_ms) == (False, NOW_MS)
        assert witness.readings[-1][1:4:2] == ("uplink/state", 1.0)
        assert collector.fleet.gateways[BRANCH].silent
    again = make_collector(tmp_path, database, clock, listener=(later := Witness()))
    async with receiving(again):
        await again._intake._review.review(connected=True)
        assert 0.0 not in [value for _, path, _, value, _ in later.readings if path == "uplink/state"]
        assert not again.fleet.gateways[BRANCH].online, "a restart of ours does not bring it back"


async def test_gaps_are_asked_for_once_more_when_their_gateway_comes_online_again(
    tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, ops, clock, hole_tries=2)
    review = collector._intake._review
    seq = 3
    async with receiving(collector) as reception:
        await take_live(reception, clock, 1, 3)
        while collector.intake_status()[0].gap_packs == 0:
            clock.advance(1000)
            await review.review(connected=True)
        await reception.take([message(Channel.STATUS, status(False))])
        clock.advance(60_000)
        await reception.take([message(Channel.STATUS, status(True, NOW_MS + 50_000))])
        asked = []
        for _ in range(120):
            clock.advance(1000)
            seq += 1
            await take_live(reception, clock, seq)
            asked += [request.resend for _, request in await review.review(connected=True)]
        assert asked == [((2, 2),)]
        back = pack(2, [reading("cdm/unit1/count", 2, NOW_MS + 1)])
        await reception.take([message(Channel.BACKFILL, back)])
        assert [gateway.gap_packs for gateway in collector.intake_status()] == [0]


async def take_live(reception: Reception, clock: ManualClock, *seqs: int) -> None:
    """Say hello and send live packs with these numbers."""
    hello = [message(Channel.STATUS, status(True)), message(Channel.INVENTORY, inventory(("atm-01", "atm")))]
    now_ms = clock.now_ms()
    packs = [
        message(Channel.TELEMETRY, pack(seq, [reading("cdm/unit1/count", seq, now_ms + seq)], BOOT)) for seq in seqs
    ]
    await reception.take([*hello, *packs] if 1 in seqs else packs)
