"""The gateway's clock jumps by two years and back, both ways."""

from pathlib import Path

from collector.app import Collector
from contracts.errors import RefusalCode
from tests.loss.branch import BRANCH, Branch, ShiftedClock, numbers, until

TWO_YEARS_MS = 2 * 365 * 24 * 3_600_000


async def test_a_clock_put_back_two_years_and_right_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with Branch(tmp_path).standing() as branch, branch.serving() as collector:
        async with branch.reading(clock) as gateway:
            for offset_ms in (0, -TWO_YEARS_MS, 0, -TWO_YEARS_MS):
                clock.offset_ms = offset_ms
                await branch.say(30)
                await gateway.outbox.prune()
        clock.offset_ms = 0  # put right while the gateway is off
        async with branch.reading(clock):
            await branch.say(30)
            await branch.whole(collector)
        await branch.drained(collector)
        await branch.count(collector, at_least=150)


async def test_readings_of_a_clock_two_years_ahead_wait_in_quarantine_until_their_time_comes(tmp_path: Path) -> None:
    """They are counted meanwhile: what was produced is either stored or held, and nothing is in both."""
    clock = ShiftedClock()
    async with Branch(tmp_path).standing() as branch:
        async with branch.serving() as collector:
            async with branch.reading(clock) as gateway:
                await branch.say(30)
                ahead: set[int] = set()
                for offset_ms in (TWO_YEARS_MS, 0, TWO_YEARS_MS):
                    clock.offset_ms = offset_ms
                    said = len(branch.told)
                    await branch.say(30)
                    await gateway.outbox.prune()
                    if offset_ms:
                        ahead |= set(branch.told[said + 1 : said + 29])
            clock.offset_ms = 0
            async with branch.reading(clock):
                await branch.say(30)
            await branch.drained(collector)
            early = await held(collector)
            assert early > 2 * len(ahead)
            stored = set(await numbers(collector))
            assert not stored & ahead, "a reading of the future is in the store"
            audit = await collector.audit()
            assert (audit.stored + early, audit.doubled) == (branch.figures().produced, 0)
        two_years_later = ShiftedClock()
        two_years_later.offset_ms = TWO_YEARS_MS + 60_000
        async with branch.serving(two_years_later) as collector:

            async def released() -> bool:
                return (await collector.audit()).stored == branch.figures().produced

            await until("everything has been released", released)
            await branch.count(collector, at_least=150)


async def held(collector: Collector) -> int:
    """Readings refused because their time lies ahead."""
    counts = await collector.quarantine.counts()
    return sum(
        count.refused for count in counts if count.branch_id == BRANCH and count.code == RefusalCode.TIME_OUT_OF_RANGE
    )
