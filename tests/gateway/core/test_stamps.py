"""Times of what a gateway says of itself grow, whatever becomes of clock, process and disk."""

import shutil
from pathlib import Path

from gateway.stamps import Stamps
from runtime.clock import ManualClock
from tests.gateway.core.wire import BRANCH, NOW_MS, new_outbox


async def test_times_grow_while_the_clock_stands_or_goes_back(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    outbox = new_outbox(tmp_path / "outbox.db")
    await outbox.start()
    stamps = Stamps(BRANCH, outbox, clock)
    given = [await stamps.next_ms(), await stamps.next_ms()]
    clock.advance(-3_600_000)
    given.append(await stamps.next_ms())
    clock.advance(7_200_000)
    given.append(await stamps.next_ms())
    await outbox.stop()
    assert given == [NOW_MS, NOW_MS + 1, NOW_MS + 2, NOW_MS + 3_600_000]


async def test_times_grow_over_a_restart_with_a_clock_that_was_put_back(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    given = []
    for now_ms in (NOW_MS, NOW_MS - 86_400_000):
        outbox = new_outbox(path)
        await outbox.start()
        given.append(await Stamps(BRANCH, outbox, ManualClock(now_ms)).next_ms())
        await outbox.stop()
    assert given == [NOW_MS, NOW_MS + 1]


async def test_an_outbox_that_takes_nothing_keeps_nobody_waiting(tmp_path: Path) -> None:
    outbox = new_outbox(tmp_path / "made" / "outbox.db")
    (tmp_path / "made").mkdir()
    await outbox.start()
    await outbox.stop()
    shutil.rmtree(tmp_path / "made")
    stamps = Stamps(BRANCH, outbox, ManualClock(NOW_MS))
    assert [await stamps.next_ms(), await stamps.next_ms()] == [NOW_MS, NOW_MS + 1]
