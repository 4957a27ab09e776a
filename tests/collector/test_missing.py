"""What is missing of a gateway, from the leap in its seqs to the record, less what has come since."""

from pathlib import Path
from typing import Any

import pytest

from collector.app import Collector
from collector.missing import Missing, MissingState
from collector.reception import Reception
from contracts.errors import NotFound
from contracts.pack import Header, PackId, encode_pack, encode_readings
from contracts.topics import Channel
from runtime.clock import ManualClock
from runtime.database import Database
from tests.collector.parts import (
    ATM,
    BOOT,
    BRANCH,
    NOW_MS,
    inventory,
    make_collector,
    message,
    pack,
    reading,
    receiving,
    status,
)

HOUR_MS = 3_600_000
FAST: Any = {"hole_grace_s": 0, "hole_retry_first_s": 1, "hole_retry_most_s": 1, "hole_tries": 1}


async def begin(reception: Reception) -> None:
    await reception.take(
        [
            message(Channel.INVENTORY, inventory(("atm-01", "atm"))),
            message(Channel.STATUS, status(online=True)),
        ]
    )


async def send(
    reception: Reception, seq: int, sent_at_ms: int, channel: Channel = Channel.TELEMETRY, dropped: int = 0
) -> None:
    header = Header(PackId(BRANCH, BOOT, seq), sent_at_ms, dropped)
    payload = encode_pack(header, [encode_readings([reading("cdm/unit1/count", seq, sent_at_ms - 500)])])
    await reception.take([message(channel, payload)])


async def review(collector: Collector) -> None:
    await collector._intake._review.review(connected=True)


def bounds(found: list[Missing]) -> list[tuple[MissingState, tuple[tuple[int, int], ...], int | None, int | None]]:
    return [(item.state, tuple(item.ranges), item.after_ms, item.before_ms) for item in found]


async def test_a_hole_is_shown_while_it_is_asked_for_then_as_given_up_with_its_bounds_in_time(
    tmp_path: Path, ops: Database
) -> None:
    clock = ManualClock(NOW_MS)
    collector = make_collector(tmp_path, ops, clock, **FAST)
    async with receiving(collector) as reception:
        await begin(reception)
        await send(reception, 1, NOW_MS - 2 * HOUR_MS)
        await send(reception, 5, NOW_MS - HOUR_MS)
        await review(collector)
        asked = await collector.missing.of_gateway(BRANCH)
        assert bounds(asked) == [(MissingState.ASKED_FOR, ((2, 4),), NOW_MS - 2 * HOUR_MS, NOW_MS - HOUR_MS)]
        assert (asked[0].id, asked[0].packs, asked[0].noticed_at_ms) == (None, 3, NOW_MS)
        assert await collector.missing.within(BRANCH, NOW_MS - 90 * 60_000, NOW_MS) == asked
        assert await collector.missing.within(BRANCH, NOW_MS - HOUR_MS + 1, NOW_MS) == []
        assert await collector.missing.within(BRANCH, 0, NOW_MS - 2 * HOUR_MS) == []
        clock.advance(2_000)
        await review(collector)
        given_up = await collector.missing.of_gateway(BRANCH)
        assert bounds(given_up) == [(MissingState.GIVEN_UP, ((2, 4),), NOW_MS - 2 * HOUR_MS, NOW_MS - HOUR_MS)]
        assert (given_up[0].noticed_at_ms, given_up[0].readings) == (NOW_MS + 2_000, None)
        await send(reception, 3, NOW_MS, Channel.BACKFILL)
        (left,) = await collector.missing.of_gateway(BRANCH)
        assert (tuple(left.ranges), left.packs) == (((2, 2), (4, 4)), 2)
        assert await collector.missing.within(BRANCH, NOW_MS - 90 * 60_000, NOW_MS) == [left]
    again = make_collector(tmp_path, ops, clock, **FAST)
    async with receiving(again) as reception:
        assert await again.missing.of_gateway(BRANCH) == [left], "a restart forgets nothing of it"
        for seq in (2, 4):
            await send(reception, seq, NOW_MS, Channel.BACKFILL)
        assert await again.missing.of_gateway(BRANCH) == []
        assert await again.missing.within(BRANCH, 0, 2**52) == []


async def test_a_leap_over_a_restart_begins_with_the_newest_stored_reading(tmp_path: Path, ops: Database) -> None:
    clock = ManualClock(NOW_MS)
    async with receiving(make_collector(tmp_path, ops, clock, **FAST)) as reception:
        await begin(reception)
        await send(reception, 1, NOW_MS - HOUR_MS)
    clock.advance(60_000)
    collector = make_collector(tmp_path, ops, clock, **FAST)
    async with receiving(collector) as reception:
        await send(reception, 3, NOW_MS + 50_000)
        await review(collector)
        found = await collector.missing.of_gateway(BRANCH)
    assert bounds(found) == [(MissingState.ASKED_FOR, ((2, 2),), NOW_MS - HOUR_MS - 500, NOW_MS + 50_000)]


async def test_dropped_readings_are_shown_with_the_time_of_their_pack(tmp_path: Path, ops: Database) -> None:
    collector = make_collector(tmp_path, ops, ManualClock(NOW_MS))
    async with receiving(collector) as reception:
        await begin(reception)
        await send(reception, 1, NOW_MS - 2 * HOUR_MS)
        await send(reception, 3, NOW_MS - HOUR_MS)
        await send(reception, 2, NOW_MS, Channel.BACKFILL, dropped=17)
        (found,) = await collector.missing.of_gateway(BRANCH)
    assert (found.state, found.readings, found.packs, tuple(found.ranges)) == (MissingState.DROPPED, 17, 0, ())
    assert (found.low, found.high) == (2, 2)
    assert (found.after_ms, found.before_ms) == (NOW_MS - 2 * HOUR_MS, NOW_MS - HOUR_MS)


async def test_records_come_newest_first_and_in_pages(tmp_path: Path, ops: Database) -> None:
    collector = make_collector(tmp_path, ops, ManualClock(NOW_MS))
    async with receiving(collector) as reception:
        await begin(reception)
        await reception.take(
            [
                message(Channel.TELEMETRY, pack(seq, [reading("cdm/unit1/count", seq, device=ATM)], dropped=seq))
                for seq in range(1, 6)
            ]
        )
        first = await collector.missing.of_gateway(BRANCH, limit=2)
        rest = await collector.missing.of_gateway(BRANCH, first[-1].id, limit=10)
    assert [item.readings for item in (*first, *rest)] == [5, 4, 3, 2, 1]


async def test_a_branch_without_a_gateway_has_no_list(tmp_path: Path, ops: Database) -> None:
    collector = make_collector(tmp_path, ops, ManualClock(NOW_MS))
    async with receiving(collector):
        with pytest.raises(NotFound, match="BR9999"):
            await collector.missing.of_gateway("BR9999")
