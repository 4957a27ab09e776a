"""The footfall driver against the simulated pushing counter, each written from the sensor's description alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest

from contracts.devices import FOOTFALL_SENSOR
from gateway.drivers.milesight import Settings, create
from runtime.clock import SystemClock
from runtime.settings import BrokerSettings
from runtime.supervisor import Backoff
from simulators.milesight import MilesightSimulator, MqttTarget, Quirks
from simulators.world import CHINA, World
from tests.conftest import free_port
from tests.gateway.sia_dc09.recording_sink import RecordingSink

HOURS_AHEAD = 12 - datetime.now(UTC).hour
"""The sensor's zone is where it is about noon now, so that no test meets a midnight."""

ZONE = f"{'-' if HOURS_AHEAD < 0 else '+'}{abs(HOURS_AHEAD):02d}:00"


class Door:
    """A counter that pushes every second, people who come an hour a second, and the driver that takes its pushes."""

    def __init__(self, broker: BrokerSettings | None = None, quirks: Quirks | None = None, **sensor: object) -> None:
        self.sink = RecordingSink(FOOTFALL_SENSOR)
        port = free_port()
        target: str | MqttTarget = f"http://127.0.0.1:{port}/push"
        self.settings: dict[str, object] = {"listen_port": port, "path": "/push", "interval_s": 5, "zone": ZONE}
        if broker is not None:
            target = MqttTarget(broker.host, broker.port, "door/$devid")
            self.settings = {
                "transport": "mqtt", "broker": broker, "topic": "door/door-01", "interval_s": 5, "zone": ZONE
            }  # fmt: skip
        world = World(seed=3, pace=3600, begin_at=datetime(2026, 11, 23, 9, 0, tzinfo=CHINA))
        chosen: dict[str, object] = {
            "period_s": 1, "boot_s": 0.2, "pause": Backoff(0.05, 0.2), "site_id": "BR0421"
        }  # fmt: skip
        self.sensor = MilesightSimulator(
            "door-01", world, target, zone=timezone(timedelta(hours=HOURS_AHEAD)), quirks=quirks,
            **{**chosen, **sensor},  # type: ignore[arg-type]
        )  # fmt: skip

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        await self.sensor.start()
        task = asyncio.create_task(self.sensor.run())
        try:
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.sensor.stop()

    @asynccontextmanager
    async def driving(self, **settings: object) -> AsyncIterator[None]:
        made = Settings.model_validate({**self.settings, **settings})
        told = len(self.sink.all("link/state"))
        task = asyncio.create_task(create(made, FOOTFALL_SENSOR, SystemClock()).run(self.sink))
        try:
            await self.until(lambda: len(self.sink.all("link/state")) > told)
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not true():
                await asyncio.sleep(0.01)

    def number(self, path: str) -> float:
        value = self.sink.last(path)
        return 0.0 if value is None else float(value)

    async def until_delivered(self) -> None:
        """Wait until what the sensor counted is in the sink; nobody passes a covered sensor."""
        await self.sensor.inject("covered")
        total = self.sensor.counter.total
        await self.until(
            lambda: self.number("total/in") >= total.people_in and self.number("total/out") >= total.people_out
        )

    def counted(self) -> tuple[float, float]:
        return self.number("total/in"), self.number("total/out")

    def truth(self) -> tuple[int, int]:
        return self.sensor.counter.total.people_in, self.sensor.counter.total.people_out


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(),
        Quirks(old_model=True),
        Quirks(local_time_without_offset=True),
        Quirks(custom_ids=True),
        Quirks(trigger_too=True),
    ],
    ids=lambda quirks: next((name for name in quirks.__slots__ if getattr(quirks, name)), "plain"),
)
async def test_every_variant_is_counted_to_the_person(quirks: Quirks) -> None:
    door = Door(quirks=quirks)
    async with door.driving(custom_device_id="door-01", custom_site_id="BR0421"), door.living():
        await door.until(lambda: door.number("total/in") >= 10)
        await door.until_delivered()
    assert door.counted() == door.truth()
    assert door.counted() == (door.number("line1/in"), door.number("line1/out"))
    assert door.sink.refused == []
    assert abs(door.number("clock/skew")) < 5
    assert door.sink.last("sensor/reboots") == 0
    assert door.sink.last("region1/count") is not None
    dwell_s = door.sink.last("region1/dwell")
    assert quirks.old_model or dwell_s is not None
    assert door.sink.identities[0].serial == door.sensor.serial


async def test_triggers_alone_count_to_the_person_too() -> None:
    door = Door(quirks=Quirks(trigger_too=True))
    async with door.driving(counting="trigger"), door.living():
        await door.until(lambda: door.number("total/in") >= 10)
        await door.until_delivered()
    assert door.counted() == door.truth()


async def test_lost_and_repeated_reports_are_repaired_by_the_totals() -> None:
    door = Door(lose=0.4, repeat=0.6)
    await door.sensor.inject("covered")
    async with door.driving(), door.living():
        await door.until(lambda: door.sink.last("total/in") == 0)  # counting begins where the sensor's does
        await door.sensor.repair("covered")
        await door.until(lambda: door.number("sensor/missing_intervals") >= 1 and door.number("sensor/duplicates") >= 1)
        await door.until(lambda: door.number("total/in") >= 10)
        await door.until_delivered()
    assert door.counted() == door.truth()


async def test_an_unreachable_gateway_loses_nothing() -> None:
    door = Door()
    async with door.living():
        async with door.driving():
            await door.until(lambda: door.number("total/in") >= 5)
        await door.until(lambda: door.sensor.waiting >= 2)
        async with door.driving():
            await door.until_delivered()
    assert door.counted() == door.truth()
    assert door.sink.last("sensor/missing_intervals") == 0


async def test_a_sensor_that_was_offline_comes_back_with_what_it_kept() -> None:
    door = Door()
    async with door.driving(interval_s=0.5), door.living():
        await door.until(lambda: door.number("total/in") >= 5)
        await door.sensor.inject("offline")
        await door.until(lambda: door.sink.last("link/state") == "down")
        await door.sensor.repair("offline")
        await door.until(lambda: door.number("link/reconnects") >= 1)
        await door.until_delivered()
    assert door.counted() == door.truth()


async def test_a_full_outbox_loses_nothing_and_doubles_nothing() -> None:
    door = Door(repeat=0.5)
    async with door.driving(), door.living():
        await door.until(lambda: door.number("total/in") >= 5)
        door.sink.is_full = True
        await door.until(lambda: door.sensor.waiting >= 2)
        door.sink.is_full = False
        await door.until_delivered()
    assert door.counted() == door.truth()


async def test_a_frozen_clock_counts_on_and_shows_as_skew() -> None:
    door = Door()
    async with door.driving(), door.living():
        await door.until(lambda: door.number("total/in") >= 3)
        await door.sensor.inject("clock_frozen")
        await door.until(lambda: door.number("clock/skew") < -3)
        counted = door.number("total/in")
        await door.until(lambda: door.number("total/in") > counted + 3)
        await door.sensor.repair("clock_frozen")
        await door.until(lambda: door.number("clock/skew") > -2)
        await door.until_delivered()
    assert door.counted() == door.truth()
    assert door.number("sensor/missing_intervals") <= 1  # of an interval that froze half way nobody knows the end


async def test_a_clock_that_is_off_is_measured() -> None:
    door = Door(clock_offset_s=75.0)
    async with door.driving(), door.living():
        await door.until(lambda: door.sink.last("clock/skew") is not None)
    assert 70 <= door.number("clock/skew") <= 76


async def test_an_inverted_line_is_turned() -> None:
    door = Door(quirks=Quirks(swapped_direction=True))
    async with door.driving(invert_lines=[1]), door.living():
        await door.until(lambda: door.number("total/in") >= 10)
        await door.sensor.inject("covered")
        witness, (people_out, people_in) = door.sensor.people_in, door.truth()
        await door.until(lambda: door.counted() == (people_in, people_out))
    assert abs(people_in - witness) <= 0.1 * witness + 4  # a sensor misses a few


async def test_a_swapped_sensor_is_another_identity_and_no_restart() -> None:
    door = Door()
    async with door.driving(custom_device_id="door-01"), door.living():
        await door.until(lambda: door.number("total/in") >= 5)
        await door.sensor.inject("swapped")
        await door.until(lambda: len(door.sink.identities) == 2)
        counted = door.number("total/in")
        await door.until(lambda: door.number("total/in") > counted)
    assert len({identity.serial for identity in door.sink.identities}) == 2
    assert door.sink.last("sensor/reboots") == 0
    totals = [float(value) for value in door.sink.all("total/in")]
    assert totals == sorted(totals)


async def test_a_restart_is_counted() -> None:
    door = Door()
    async with door.driving(), door.living():
        await door.until(lambda: door.number("sensor/uptime") >= 3)
        await door.sensor.inject("restart")
        await door.until(lambda: door.sink.last("sensor/reboots") == 1)
        counted = door.number("total/in")
        await door.until(lambda: door.number("total/in") > counted)
    assert door.sink.last("sensor/reboots") == 1


async def test_the_sensors_credentials_are_asked_for() -> None:
    door = Door(credentials=("cam", "secret"))
    async with door.living():
        async with door.driving(username="cam", password="other"):
            await door.until(lambda: len(door.sink.refused) > 0)
            assert door.sink.last("total/in") is None
        async with door.driving(username="cam", password="secret"):
            await door.until(lambda: door.number("total/in") > 0)


async def test_over_mqtt_everybody_counts_once_though_the_gateway_was_away(mosquitto: BrokerSettings) -> None:
    door = Door(mosquitto, repeat=0.5)
    async with door.living():
        async with door.driving():
            await door.until(lambda: door.number("total/in") >= 5)
        before = door.sensor.counts.delivered
        await door.until(lambda: door.sensor.counts.delivered >= before + 2)
        async with door.driving():
            await door.until_delivered()
    assert door.counted() == door.truth()
    assert door.sink.last("sensor/missing_intervals") == 0
