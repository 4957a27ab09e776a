"""The outbox reaches its size bound while nothing can be sent: what goes is worth the least, is counted, and is told."""

from pathlib import Path

from contracts.identity import device_id
from tests.loss.branch import ATM, BRANCH, Branch, numbers, until
from tests.loss.witness import GAUGE

GATEWAY = device_id(BRANCH, "gateway")
MOST_BYTES = 100_000
COUNT = 800


async def test_what_is_stored_and_what_is_told_as_dropped_is_all_that_was_produced(tmp_path: Path) -> None:
    async with Branch(tmp_path, through_a_line=True).standing() as branch, branch.serving() as collector:
        assert branch.line is not None
        async with branch.reading(pause_s=0.002, last=COUNT, max_bytes=MOST_BYTES) as gateway:
            await branch.say(20)
            await branch.whole(collector)
            await branch.line.cut()
            await until("everything is said", lambda: len(branch.told) == COUNT)
            assert branch.figures().bytes > MOST_BYTES * 1.1
            await gateway.outbox.prune()
            await branch.line.restore()
            await branch.whole(collector)

            def noted() -> bool:
                return branch.intake(collector).dropped_readings == branch.figures().dropped_readings > 0

            async def told() -> bool:
                events = await collector.readings.events(GATEWAY, 0, 2**53, 10_000)
                gaps = [event.text for event in events if event.text.startswith("gap: ")]
                return sum(int(text.split()[1]) for text in gaps) == branch.figures().dropped_readings

            await until("the collector notes what packs have lost", noted)
            await until("the gap is an event", told)

            async def raised() -> bool:
                assert branch.faults is not None
                return len(await branch.faults.list(device_id=GATEWAY, rule_id="gw.outbox_dropped")) == 1

            await until("the fault is raised", raised)
        await branch.drained(collector)
        figures, audit = branch.figures(), await collector.audit()
        assert (audit.stored + figures.dropped_readings, audit.doubled) == (figures.produced, 0)
        assert branch.intake(collector).dropped_readings == figures.dropped_readings < COUNT
        events = await numbers(collector)
        assert set(branch.told) <= set(events), "an event was dropped where gauges would have done"
        assert set(events.values()) == {1}
        values = await collector.readings.history(ATM, GAUGE, 0, 2**53, 1_000_000)
        missing = set(branch.told) - {int(point.value) for point in values.points}
        assert 0 < len(missing) <= figures.dropped_readings, "what is missing is not what was dropped"
