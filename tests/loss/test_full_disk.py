"""The gateway's disk takes nothing for a while: what polled and pushed devices tell waits, a panel is not answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

import pytest

from collector.app import Collector
from runtime.supervisor import Backoff
from simulators.alarm_panel import AlarmPanelSimulator
from simulators.alarm_panel.day import WITHOUT_MISHAPS
from simulators.world import CHINA, World
from tests.conftest import free_port
from tests.loss.branch import BRANCH, Branch, until
from tests.loss.full_disk import FullDisk, can_mount, no_more_bytes, no_more_room, small_file_system
from tests.loss.life import life

PANEL = f"{BRANCH}/alarm-01"
ACCOUNT = "4021"

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("how", [no_more_bytes, *([no_more_room] if can_mount() else [])])
async def test_a_full_disk_loses_and_doubles_nothing(how: FullDisk, tmp_path: Path) -> None:
    with ExitStack() as mounts:
        if how is no_more_room:
            mounts.enter_context(small_file_system(tmp_path / "gateway"))
        await without_disk(tmp_path, how, 2.0)


async def test_an_outbox_that_became_read_only_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with Branch(tmp_path).standing() as branch, branch.serving() as collector:
        async with branch.reading() as gateway:
            await branch.say(30)
            await gateway.outbox._call(gateway.outbox._file._sql.connection.execute, "PRAGMA query_only = ON")
            produced = branch.figures().produced
            await branch.say(60)
            assert branch.figures().produced == produced, "the outbox was written"
            await gateway.outbox._call(gateway.outbox._file._sql.connection.execute, "PRAGMA query_only = OFF")
            await branch.say(30)
            await branch.whole(collector)
        await branch.drained(collector)
        await branch.count(collector, at_least=120)


async def without_disk(directory: Path, how: FullDisk, hold_s: float) -> None:
    port = free_port()
    panel = AlarmPanelSimulator(
        "alarm-01",
        World(seed=7, begin_at=datetime(2026, 11, 23, 12, 0, tzinfo=CHINA)),
        ("127.0.0.1", port),
        ACCOUNT,
        habits=WITHOUT_MISHAPS,
        supervision_s=1.0,
        reply_timeout_s=1.0,
        pause=Backoff(0.1, 0.5),
        clock_offset_s=0.0,
    )
    async with Branch(directory).standing() as branch, branch.serving() as collector:
        options = ("--pause", "0.05", "--panel", f"{port}:{ACCOUNT}")
        async with life(branch.broker.port, directory, branch.told, *options) as gateway, living(panel):
            await branch.say(20)
            await alarm(panel)
            await until("the panel is answered", lambda: panel.waiting == 0)
            with how(gateway.pid, directory / "gateway"):
                await branch.say(1)  # one may have been on its way
                produced, answered = branch.figures().produced, len(panel.acknowledged)
                await alarm(panel)
                await branch.say(20)
                await asyncio.sleep(hold_s)
                assert branch.figures().produced == produced, "the disk was not full"
                assert len(panel.acknowledged) == answered, "an event was answered that is on no disk"
            await until("the panel is answered", lambda: panel.waiting == 0)
            assert len(panel.acknowledged) > answered
            await branch.say(20)
            await branch.whole(collector)
        await branch.drained(collector)
        await branch.count(collector)
        assert await told_by_panel(collector) == len(panel.acknowledged) > 2


@asynccontextmanager
async def living(panel: AlarmPanelSimulator) -> AsyncIterator[None]:
    await panel.start()
    task = asyncio.create_task(panel.run())
    try:
        yield
    finally:
        assert not task.done(), task
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await panel.stop()


async def alarm(panel: AlarmPanelSimulator) -> None:
    """An intrusion and its end: events that a gateway must not lose once it has answered."""
    await panel.inject("intrusion")
    await panel.repair("intrusion")


async def told_by_panel(collector: Collector) -> int:
    events = await collector.readings.events(PANEL, 0, 2**53, 1_000_000)
    return sum(event.path == "panel/event" for event in events)
