"""The footfall driver catches up from the simulated counter's own history; hours pass by a clock that both are given."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import pytest
from aiohttp import ClientSession

from contracts.devices import FOOTFALL_SENSOR
from contracts.errors import DeviceRefused, DeviceUnreachable
from gateway.drivers.axis import Settings
from gateway.drivers.axis.driver import AxisDriver
from runtime.clock import ManualClock
from simulators.footfall import FootfallSimulator, Quirks
from simulators.world import CHINA, World
from tests.gateway.sia_dc09.recording_sink import RecordingSink

TEN = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)
"""A Monday."""


class Door:
    """A counter over a busy door, and a gateway that lives when it is told to."""

    def __init__(self, begin_at: datetime = TEN, quirks: Quirks | None = None, **settings: object) -> None:
        self.clock = ManualClock(round(begin_at.timestamp() * 1000))
        world = World(seed=5, clock=self.clock)
        self.sensor = FootfallSimulator("door-01", world, 0, visitors_a_day=2000, quirks=quirks)
        self.sink = RecordingSink(FOOTFALL_SENSOR)
        self.settings = settings

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        await self.sensor.start()
        try:
            yield
        finally:
            await self.sensor.stop()

    def pass_by(self, **time: float) -> None:
        """Let time pass, minute by minute, in which nobody asks the sensor."""
        for _ in range(round(timedelta(**time) / timedelta(minutes=1))):
            self.clock.advance(60_000)
            assert self.sensor.counter.days()

    def reboots(self) -> float:
        return float(self.sink.last("sensor/reboots") or 0)

    async def poll(self) -> None:
        """One life of the gateway: a new driver, which knows only what the sink kept, answered at least twice."""
        chosen = {"host": "127.0.0.1", "port": self.sensor.port, "poll_s": 0.02, **self.settings}
        driver = AxisDriver(Settings.model_validate(chosen), self.clock, lambda: self.clock.now_ms() / 1000)
        told = len(self.sink.all("total/in"))
        task = asyncio.create_task(driver.run(self.sink))
        try:
            async with asyncio.timeout(20):
                while (
                    len([seen for seen in self.sink.taken if seen.path == "total/in" and not seen.observed_at_ms]) < 2
                ):
                    assert not task.done(), task
                    await asyncio.sleep(0.005)
                while len(self.sink.all("total/in")) < told + 2:
                    await asyncio.sleep(0.005)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, DeviceUnreachable, DeviceRefused):
                await task

    def truth(self) -> tuple[int, int]:
        lifetime = self.sensor.counter.lifetime
        return lifetime.people_in, lifetime.people_out

    def counted(self) -> tuple[float | str | None, float | str | None]:
        return self.sink.last("total/in"), self.sink.last("total/out")

    def history(self, path: str) -> list[tuple[int, float]]:
        return [
            (seen.observed_at_ms, float(seen.value))
            for seen in self.sink.taken
            if seen.path == path and seen.observed_at_ms is not None
        ]


@pytest.mark.parametrize("old_paths", [False, True])
async def test_an_outage_of_hours_is_told_interval_by_interval(old_paths: bool) -> None:
    door = Door(quirks=Quirks(old_paths=old_paths))
    async with door.living():
        await door.poll()
        first = door.truth()
        at_ends: dict[int, int] = {}
        for _ in range(13):
            door.pass_by(minutes=15)
            at_ends[door.clock.now_ms()] = door.truth()[0] - first[0]
        door.pass_by(minutes=7)
        await door.poll()
    assert door.counted() == (door.truth()[0] - first[0], door.truth()[1] - first[1])
    told = {round(at_ms / 1000): people for at_ms, people in door.history("total/in")}
    assert told == {at_ms // 1000: people for at_ms, people in at_ends.items()}
    assert len(told) == 13
    assert door.sink.last("sensor/missing_intervals") == 0
    assert door.sink.refused == []


async def test_days_and_midnights_without_a_gateway_lose_nobody() -> None:
    door = Door(begin_at=TEN.replace(hour=16))
    async with door.living():
        await door.poll()
        first = door.truth()
        door.pass_by(days=2, hours=1)
        for _ in range(2):  # the second time nothing comes twice
            await door.poll()
            assert door.counted() == (door.truth()[0] - first[0], door.truth()[1] - first[1])
    told = door.history("total/in")
    assert told == sorted(told)
    assert len(told) in {195, 196}  # 49 hours, an end of an interval may be the moment of a poll
    assert door.sink.last("sensor/reboots") == 0


async def test_whoever_passed_in_the_last_minute_before_midnight_counts() -> None:
    door = Door(begin_at=TEN.replace(hour=17))
    async with door.living():
        await door.poll()
        first = door.truth()
        door.pass_by(hours=12)  # beyond midnight, with the staff's way home after the last poll of the day
        await door.poll()
    assert door.counted() == (door.truth()[0] - first[0], door.truth()[1] - first[1])
    assert door.truth()[1] > first[1]


async def test_cleared_data_counts_nobody_twice() -> None:
    door = Door()
    async with door.living():
        await door.poll()
        first = door.truth()
        door.pass_by(minutes=20)
        await door.poll()
        seen = door.truth()
        async with ClientSession() as client:
            url = f"http://127.0.0.1:{door.sensor.port}/local/people-counter/.apioperator?clear-data"
            async with client.get(url) as response:
                assert response.status == 200
        door.pass_by(minutes=10)
        await door.poll()
        assert door.reboots() == 1
        assert door.counted() == (door.truth()[0] - first[0], door.truth()[1] - first[1])
        assert door.truth()[0] >= seen[0]


async def test_a_restart_in_an_outage_loses_nobody_the_history_has() -> None:
    door = Door()
    async with door.living():
        await door.poll()
        first = door.truth()
        door.pass_by(minutes=40)
        await door.sensor.inject("restart")
        await door.sensor.repair("restart")
        door.pass_by(minutes=8)
        await door.poll()
        assert float(door.sink.last("total/in") or 0) <= door.truth()[0] - first[0]
        door.pass_by(hours=20)
        await door.poll()
        assert door.counted() == (door.truth()[0] - first[0], door.truth()[1] - first[1])


async def test_an_inverted_sensor_is_turned_everywhere() -> None:
    door = Door(quirks=Quirks(swapped_direction=True), invert=True)
    async with door.living():
        await door.poll()
        first = door.truth()
        door.pass_by(hours=3)
        await door.poll()
    people_out, people_in = door.truth()[0] - first[0], door.truth()[1] - first[1]
    assert door.counted() == (people_in, people_out)
    told = [value for _, value in door.history("total/in")]
    assert told == sorted(told)
    assert told[-1] <= people_in


async def test_a_sensor_out_of_reach_is_caught_up_from_its_history() -> None:
    door = Door()
    async with door.living():
        await door.poll()
        first = door.truth()
        await door.sensor.inject("offline")
        door.pass_by(hours=1)
        await door.sensor.repair("offline")
        await door.poll()
    assert door.counted() == (door.truth()[0] - first[0], door.truth()[1] - first[1])
    assert len(door.history("total/out")) in {3, 4}
