"""Batches that are read while the one before is being committed: order, duplicates under way, what is cut short."""

from pathlib import Path

import pytest

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
    reading,
    receiving,
)

ATM_INVENTORY = message(Channel.INVENTORY, inventory(("atm-01", "atm")))
WRONG = message(Channel.TELEMETRY, pack(9, [reading("cdm/mood", 1)]))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS + 10)


def live(seq: int, value: float | str = 1.0, path: str = "cdm/unit1/count") -> Message:
    return message(Channel.TELEMETRY, pack(seq, [reading(path, value, NOW_MS + seq)]))


async def test_a_pack_that_comes_again_while_its_first_copy_is_under_way_is_stored_once(
    tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, ops, clock, listener=witness)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        first = await reception.prepare([live(1), live(2)])
        second = await reception.prepare([live(2), live(3), live(1)])
        assert witness.positions == [], "preparing commits nothing"
        assert reception.duplicates[BRANCH] == 2
        await reception.commit(first)
        assert [observed for _, _, observed, _, _ in witness.readings] == [NOW_MS + 1, NOW_MS + 2]
        await reception.commit(second)
        await reception.take([live(3)])
        assert reception.duplicates[BRANCH] == 3
        assert [observed for _, _, observed, _, _ in witness.readings] == [NOW_MS + seq for seq in (1, 2, 3)]
        assert witness.positions == [1, 2]
        audit = await collector.audit()
        assert (audit.readings, audit.doubled) == (3, 0)


async def test_another_pack_of_a_seq_under_way_is_refused(tmp_path: Path, ops: Database, clock: ManualClock) -> None:
    collector = make_collector(tmp_path, ops, clock)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        batches = [await reception.prepare([live(1)]), await reception.prepare([live(1, 2.0)])]
        for batch in batches:
            await reception.commit(batch)
        assert [entry.code for entry in await collector.quarantine.entries()] == ["seq_reused"]
        assert (await collector.audit()).readings == 1


async def test_a_pack_that_is_refused_whole_twice_under_way_is_settled_once(
    tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, ops, clock)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        batches = [await reception.prepare([WRONG]), await reception.prepare([WRONG])]
        for batch in batches:
            await reception.commit(batch)
        assert len(await collector.quarantine.entries()) == 2
        assert (await collector.audit()).stored == 0


async def test_batches_are_committed_in_the_order_in_which_they_were_prepared(
    tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, ops, clock)
    async with receiving(collector) as reception:
        first, second = await reception.prepare([live(1)]), await reception.prepare([live(2)])
        with pytest.raises(ValueError, match="out of turn"):
            await reception.commit(second)
        await reception.commit(first)
        with pytest.raises(ValueError, match="out of turn"):
            await reception.commit(first)
        await reception.commit(second)


async def test_readings_held_by_the_batch_before_are_released_by_an_inventory_prepared_meanwhile(
    tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, ops, clock, listener=witness)
    async with receiving(collector) as reception:
        early = await reception.prepare([live(1)])
        announced = await reception.prepare([ATM_INVENTORY, live(2)])
        await reception.commit(early)
        assert witness.readings == []
        assert [entry.held for entry in await collector.quarantine.entries()] == [True]
        assert witness.devices == [], "told of with the batch that brings them"
        await reception.commit(announced)
        assert witness.devices == [ATM, f"{BRANCH}/gateway"]
        assert [observed for _, _, observed, _, _ in witness.readings] == [NOW_MS + 1, NOW_MS + 2]
        assert await collector.quarantine.entries() == []


class Cut(BaseException):
    """Stands for a cancellation."""


async def test_a_batch_that_is_cut_short_is_taken_when_it_comes_again(
    tmp_path: Path, ops: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = make_collector(tmp_path, ops, clock)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        notice = reception._presence.notice
        told: list[str] = []

        def cut(branch_id: str, boot: str, now_ms: int) -> None:
            notice(branch_id, boot, now_ms)
            told.append(boot)
            if len(told) == 2:
                raise Cut

        monkeypatch.setattr(reception._presence, "notice", cut)
        with pytest.raises(Cut):
            await reception.prepare([live(1), live(2)])
        await reception.take([live(1), live(2)])
        assert reception.duplicates[BRANCH] == 0
        assert (await collector.audit()).readings == 2
