"""The driver subscribed at a broker in the branch."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from contracts.devices import FOOTFALL_SENSOR
from contracts.errors import DeviceUnreachable
from gateway.drivers.milesight import Settings, create
from runtime.clock import SystemClock
from runtime.settings import BrokerSettings
from tests.conftest import free_port
from tests.gateway.milesight.pushes import encoded, push
from tests.gateway.milesight.test_http import until
from tests.gateway.sia_dc09.recording_sink import RecordingSink
from tests.mosquitto import mosquitto_pub

TOPIC = "people/door"


@asynccontextmanager
async def reading(sink: RecordingSink, broker: BrokerSettings, **chosen: object) -> AsyncIterator[None]:
    made = Settings.model_validate({"transport": "mqtt", "topic": TOPIC, "broker": broker, **chosen})
    told = len(sink.all("link/state"))
    task = asyncio.create_task(create(made, FOOTFALL_SENSOR, SystemClock()).run(sink))
    try:
        await until(lambda: len(sink.all("link/state")) > told or task.done())
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_published_pushes_are_counted_and_repetitions_are_not(mosquitto: BrokerSettings) -> None:
    sink = RecordingSink(FOOTFALL_SENSOR)
    async with reading(sink, mosquitto):
        for minute in (0, 0, 1):
            await mosquitto_pub(mosquitto, TOPIC, encoded(push(minute, {1: (2, 1)}, {1: (2 * minute + 2, minute + 1)})))
        await until(lambda: sink.last("total/in") == 4)
    assert (sink.last("total/out"), sink.last("sensor/duplicates")) == (2, 1)
    assert sink.last("link/state") == "up"


async def test_what_comes_while_the_gateway_is_down_is_taken_when_it_is_back(mosquitto: BrokerSettings) -> None:
    sink = RecordingSink(FOOTFALL_SENSOR)
    async with reading(sink, mosquitto):
        await mosquitto_pub(mosquitto, TOPIC, encoded(push(0, {1: (1, 0)})))
        await until(lambda: sink.last("total/in") == 1)
    for minute in (1, 2, 3):
        await mosquitto_pub(mosquitto, TOPIC, encoded(push(minute, {1: (1, 0)})))
    async with reading(sink, mosquitto):
        await until(lambda: sink.last("total/in") == 4)
    assert [sink.last(f"sensor/{name}") for name in ("missing_intervals", "duplicates")] == [0, 0]


async def test_what_cannot_be_stored_is_not_acknowledged_and_comes_again(mosquitto: BrokerSettings) -> None:
    sink = RecordingSink(FOOTFALL_SENSOR)
    async with reading(sink, mosquitto):
        sink.is_full = True
        for minute in (0, 1):
            await mosquitto_pub(mosquitto, TOPIC, encoded(push(minute, {1: (1, 0)})))
        await until(lambda: sink.turned_away >= 2)
    assert sink.last("total/in") is None  # this life ended without having stored anything
    sink.is_full = False
    async with reading(sink, mosquitto):
        await until(lambda: sink.last("total/in") == 2)
    assert sink.last("sensor/duplicates") == 0


async def test_an_outbox_that_comes_back_takes_what_waited(mosquitto: BrokerSettings) -> None:
    sink = RecordingSink(FOOTFALL_SENSOR)
    async with reading(sink, mosquitto):
        sink.is_full = True
        await mosquitto_pub(mosquitto, TOPIC, encoded(push(0, {1: (1, 0)})))
        await until(lambda: sink.turned_away >= 1)
        sink.is_full = False
        await until(lambda: sink.last("total/in") == 1)


async def test_random_payloads_are_refused_and_other_sensors_are_let_be(mosquitto: BrokerSettings) -> None:
    sink = RecordingSink(FOOTFALL_SENSOR)
    async with reading(sink, mosquitto, device_sn="AAA", topic="people/#"):
        for junk in (b"{}", b"\x00", os.urandom(300), b"x" * 200_000):
            await mosquitto_pub(mosquitto, "people/elsewhere", junk)
        await mosquitto_pub(mosquitto, "people/window", encoded(push(0, {1: (7, 0)}, serial="BBB")))
        await mosquitto_pub(mosquitto, TOPIC, encoded(push(0, {1: (1, 0)}, serial="AAA")))
        await until(lambda: sink.last("total/in") == 1)
    assert len(sink.refused) == sink.last("link/protocol_errors") == 4
    assert all(len(raw) <= 4096 for raw, _ in sink.refused)
    assert {identity.serial for identity in sink.identities} == {"AAA"}


async def test_a_flood_of_payloads_leaves_nothing_behind(mosquitto: BrokerSettings) -> None:
    sink = RecordingSink(FOOTFALL_SENSOR)
    flood = b"\n".join([b'{"device_info": 5}'] * 1500)
    async with reading(sink, mosquitto):
        sender = await asyncio.create_subprocess_exec(
            "mosquitto_pub", "-h", mosquitto.host, "-p", str(mosquitto.port), "-q", "1", "-t", TOPIC, "-l",
            stdin=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            await sender.communicate(flood)
            while len(sink.refused) < 1500:
                await asyncio.sleep(0.05)
        await mosquitto_pub(mosquitto, TOPIC, encoded(push(0, {1: (1, 0)})))
        await until(lambda: sink.last("total/in") == 1)


async def test_a_broker_that_is_not_there_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.drivers.milesight.driver._CONNECT_TIMEOUT_S", 0.2)
    made = Settings(transport="mqtt", topic=TOPIC, broker=BrokerSettings(port=free_port()))
    with pytest.raises(DeviceUnreachable, match=r"topic 'people/door': broker .* is it running"):
        await create(made, FOOTFALL_SENSOR, SystemClock()).run(RecordingSink(FOOTFALL_SENSOR))
