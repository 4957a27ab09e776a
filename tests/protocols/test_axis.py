"""The footfall driver against the simulated counter, each written from the interface's description alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest

from contracts.devices import FOOTFALL_SENSOR
from contracts.errors import DeviceRefused, DeviceUnreachable
from gateway.driver import Driver
from gateway.drivers.axis import Settings, create
from runtime.clock import SystemClock
from simulators.footfall import FootfallSimulator
from simulators.world import CHINA, World
from tests.conftest import free_port
from tests.gateway.sia_dc09.recording_sink import RecordingSink

HOURS_AHEAD = 12 - datetime.now(UTC).hour
"""The sensor's zone is where it is about noon now, so that no test meets a midnight."""


class Door:
    """A counter and its driver over a real connection; people come an hour a second."""

    def __init__(self, **sensor: object) -> None:
        self.port = free_port()
        self.sink = RecordingSink(FOOTFALL_SENSOR)
        world = World(seed=3, pace=3600, begin_at=datetime(2026, 11, 23, 9, 0, tzinfo=CHINA))
        zone = timezone(timedelta(hours=HOURS_AHEAD))
        self.sensor = FootfallSimulator("door-01", world, self.port, zone=zone, boot_s=0.1, **sensor)  # type: ignore[arg-type]
        self.driver = self.driver_with()

    def driver_with(self, **settings: object) -> Driver:
        zone = f"{'-' if HOURS_AHEAD < 0 else '+'}{abs(HOURS_AHEAD):02d}:00"
        chosen = {"host": "127.0.0.1", "port": self.port, "poll_s": 0.05, "timeout_s": 2, "zone": zone, **settings}
        return create(Settings.model_validate(chosen), FOOTFALL_SENSOR, SystemClock())

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        await self.sensor.start()
        task = asyncio.create_task(self.sensor.run())
        try:
            yield
        finally:
            assert not task.done(), task
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.sensor.stop()

    @asynccontextmanager
    async def driving(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.driver.run(self.sink))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, DeviceUnreachable, DeviceRefused):
                await task

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                await asyncio.sleep(0.01)

    def number(self, path: str) -> float:
        value = self.sink.last(path)
        return 0.0 if value is None else float(value)


async def test_the_counters_follow_the_people() -> None:
    door = Door()
    async with door.living(), door.driving():
        await door.until(lambda: door.number("total/in") >= 20)
        seen_in, counted_in = door.number("total/in"), door.sensor.counter.total.people_in
        assert seen_in <= counted_in
        await door.until(lambda: door.number("total/in") > seen_in and door.number("total/out") > 0)
    assert door.sink.refused == []
    assert door.sink.last("link/state") == "up"
    assert abs(door.number("clock/skew")) <= 1.5
    assert door.sink.last("sensor/reboots") == 0
    assert door.sink.last("sensor/missing_intervals") == 0


async def test_a_covered_sensor_stops_counting_and_its_last_count_grows_old() -> None:
    door = Door()
    async with door.living(), door.driving():
        await door.until(lambda: door.number("total/in") >= 5)
        await door.sensor.inject("covered")
        stood_at = door.sensor.counter.total.people_in + door.sensor.counter.total.people_out
        await door.until(lambda: door.number("sensor/last_count_age") > 0.4)
        assert door.sensor.counter.total.people_in + door.sensor.counter.total.people_out == stood_at
        await door.sensor.repair("covered")
        await door.until(lambda: door.number("sensor/last_count_age") < 0.1)


async def test_a_frozen_clock_shows_as_skew() -> None:
    door = Door()
    async with door.living(), door.driving():
        await door.until(lambda: door.sink.last("clock/skew") is not None)
        await door.sensor.inject("frozen_clock")
        await door.until(lambda: door.number("clock/skew") < -1.6)


async def test_a_clock_that_is_off_is_measured() -> None:
    door = Door(clock_offset_s=75.0)
    async with door.living(), door.driving():
        await door.until(lambda: door.sink.last("clock/skew") is not None)
    assert 73.5 <= door.number("clock/skew") <= 75.5


async def test_a_swapped_sensor_is_another_identity_and_no_restart() -> None:
    door = Door()
    async with door.living(), door.driving():
        await door.until(lambda: door.number("total/in") >= 5)
        await door.sensor.inject("sensor_swap")
        await door.until(lambda: len(door.sink.identities) == 2)
        counted = door.number("total/in")
        await door.until(lambda: door.number("total/in") > counted)
    assert len({identity.serial for identity in door.sink.identities}) == 2
    assert door.sink.last("sensor/reboots") == 0


async def test_http_errors_make_it_unreachable_and_the_counts_are_caught_up() -> None:
    door = Door()
    async with door.living():
        async with door.driving() as task:
            await door.until(lambda: door.number("total/in") >= 5)
            await door.sensor.inject("http_errors")
            with pytest.raises(DeviceUnreachable, match="answers 500"):
                await task
        counted = door.number("total/in")
        await door.sensor.repair("http_errors")
        async with door.driving():
            await door.until(lambda: door.number("total/in") > counted)
    assert door.sink.last("link/reconnects") == 1
    assert door.number("link/protocol_errors") == 3


async def test_a_restart_is_counted_and_the_counters_do_not_fall() -> None:
    door = Door()
    door.driver = door.driver_with(failures_to_unreachable=100)
    async with door.living(), door.driving():
        await door.until(lambda: door.number("total/in") >= 10)
        await door.sensor.inject("restart")
        await door.until(lambda: door.sink.last("sensor/reboots") == 1)
        counted = door.number("total/in")
        await door.until(lambda: door.number("total/in") > counted)
    totals = [float(value) for value in door.sink.all("total/in")]
    assert totals == sorted(totals)


async def test_the_sensors_credentials_are_asked_for_and_given() -> None:
    door = Door(credentials=("viewer", "secret"))
    async with door.living():
        async with door.driving() as task:
            with pytest.raises(DeviceRefused, match="username and password"):
                await task
        door.driver = door.driver_with(username="viewer", password="secret")
        async with door.driving():
            await door.until(lambda: door.sink.last("link/state") == "up")
