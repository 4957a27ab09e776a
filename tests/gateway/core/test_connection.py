"""What waits in memory while the outbox cannot be written: in order, once each, within bounds, whoever hands it over."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from contracts.devices import ATM, SELF_SERVICE_TERMINAL
from contracts.gateway_messages import DeviceEntry
from contracts.pack import Header, PackId
from gateway.connection import HELD_LIMIT, Connection
from gateway.driver import Driver, Identity, Observation
from gateway.intake import DeviceIntake
from gateway.links import Links
from gateway.metrics import GatewayMetrics
from gateway.outbox import Outbox
from gateway.refused import RefusedInputs
from gateway.supervision import SupervisedDevice, SupervisedDriver
from runtime.clock import ManualClock, SystemClock
from tests.gateway.core.test_app import TinyDriver
from tests.gateway.core.wire import BRANCH, NOW_MS, new_outbox, readings_of


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    made = new_outbox(tmp_path / "outbox.db", pack_readings=1000)
    await made.start()
    yield made
    await made.stop()


def connection(outbox: Outbox) -> Connection:
    intake = DeviceIntake(BRANCH, DeviceEntry(id="atm-01", kind="atm", driver="xfs"), ATM, outbox, SystemClock())
    metrics = GatewayMetrics(CollectorRegistry())
    return Connection(intake, "xfs", Links(), RefusedInputs(), SystemClock(), metrics, holds=True)


async def allow(outbox: Outbox, *, writing: bool) -> None:
    state = "OFF" if writing else "ON"
    await outbox._submit(lambda: outbox._file._sql.connection.execute(f"PRAGMA query_only = {state}"))


async def stored(outbox: Outbox, path: str) -> list[object]:
    await outbox.cut(everything=True)
    packs = await outbox.unacknowledged(0, 2**53, 10_000)
    header = Header(PackId(BRANCH, outbox.boot, 1), NOW_MS)
    rows = [row for pack in packs for row in readings_of(header, pack.fragments)]
    return [value for name, value, _ in rows if name.endswith(path)]


async def test_releases_at_the_same_time_store_each_observation_once(outbox: Outbox) -> None:
    sink = connection(outbox)
    await allow(outbox, writing=False)
    for number in range(500):
        await sink.observe([Observation("cdm/error", f"e{number}")], {"last": str(number)})
    assert dict(await sink.recall()) == {"last": "499"}, "what waits is remembered, too"
    await allow(outbox, writing=True)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(sink.release())
        for number in range(500, 520):
            tasks.create_task(sink.observe([Observation("cdm/error", f"e{number}")]))
    await sink.release()
    assert await stored(outbox, "cdm/error") == [f"e{number}" for number in range(520)]
    assert dict(await sink.recall()) == {"last": "499"}


async def test_a_release_that_is_cancelled_loses_and_doubles_nothing(outbox: Outbox) -> None:
    sink = connection(outbox)
    await allow(outbox, writing=False)
    for number in range(900):
        await sink.observe([Observation("cdm/error", f"e{number}")])
    await allow(outbox, writing=True)
    for pause_s in (0.0, 0.001, 0.002):
        task = asyncio.create_task(sink.release())
        await asyncio.sleep(pause_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await sink.release()
    assert await stored(outbox, "cdm/error") == [f"e{number}" for number in range(900)]


async def test_what_waits_is_bounded_and_what_gives_way_is_counted_and_its_memory_kept(outbox: Outbox) -> None:
    sink = connection(outbox)
    await allow(outbox, writing=False)
    for number in range(HELD_LIMIT):
        await sink.observe([Observation("cdm/error", "x" * 10_000)] if number % 2 else [], {f"key{number % 7}": "1"})
    assert sink._held_weight <= HELD_LIMIT
    assert sink.overrun > 0
    await allow(outbox, writing=True)
    await sink.release()
    assert len(await stored(outbox, "cdm/error")) + sink.overrun == HELD_LIMIT // 2
    assert set(await sink.recall()) == {f"key{number}" for number in range(7)}


async def test_an_identity_told_while_the_disk_refuses_is_known_afterwards(outbox: Outbox) -> None:
    sink = connection(outbox)
    await allow(outbox, writing=False)
    await sink.identify(Identity(serial="77"))
    assert sink.intake.entry.serial == ""
    await allow(outbox, writing=True)
    await sink.release()
    assert sink.intake.entry.serial == "77"
    assert (await outbox.identities())[f"{BRANCH}/atm-01"].serial == "77"


async def test_of_two_drivers_the_one_that_is_gone_is_not_repeated_as_current(outbox: Outbox) -> None:
    clock, links = ManualClock(NOW_MS), Links()
    entry = DeviceEntry(id="sst-01", kind="self_service_terminal", driver="xfs+snmp")
    intake = DeviceIntake(BRANCH, entry, SELF_SERVICE_TERMINAL, outbox, clock)

    def sink(driver: str) -> Connection:
        made = Connection(intake, driver, links, RefusedInputs(), clock, GatewayMetrics(CollectorRegistry()))
        made.began()
        return made

    xfs, snmp = sink("xfs"), sink("snmp")
    driver: Driver = TinyDriver([])
    device = SupervisedDevice(intake, (SupervisedDriver(driver, xfs), SupervisedDriver(driver, snmp)))
    await xfs.observe([Observation("link/state", "up"), Observation("idc/media", "notPresent")])
    await snmp.observe([Observation("link/state", "up"), Observation("host/cpu", 0.2)])
    xfs.ended()
    await xfs.link_down()
    clock.advance(3_600_000)
    await device.beat()
    await device.snapshot()
    assert await stored(outbox, "idc/media") == ["notPresent"], "nobody knows it any longer"
    assert await stored(outbox, "host/cpu") == [0.2, 0.2, 0.2]
    assert (await stored(outbox, "link/state"))[-1] == "degraded"
