"""The fault scripts as a client on the wire sees them: what is told, what is answered, and how it ends."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientError

from runtime.clock import ManualClock
from simulators.world import CHINA, World
from tests.simulators.atm.conftest import Serve
from tests.simulators.atm.xfs_client import Json, XfsClient, connect

WIRE = {
    "skimmer": ("CardReader1", "common.antiFraudModule", "deviceDetected", "ok"),
    "black_box": ("CashDispenser1", "common.device", "offline", "online"),
    "forgotten_mode": ("VendorMode1", "vendorMode.service", "active", "inactive"),
    "epp_tamper": ("PinPad1", "keyManagement.encryptionState", "notInitialized", "ready"),
    "paper_out": ("ReceiptPrinter1", "printer.paper.upper", "out", "full"),
    "reader_dead": ("CardReader1", "cardReader.chipModule", "inoperable", "ok"),
    "safe_open": ("Auxiliaries1", "auxiliaries.safeDoor", "open", "locked"),
    "explosive": ("Auxiliaries1", "auxiliaries.seismicSensor", "on", "off"),
    "display_error": ("Auxiliaries1", "auxiliaries.consumerDisplaySensor", "displayError", "on"),
    "camera_dead": ("Camera1", "camera.cameras.person", "inop", "ok"),
    "recording_full": ("Camera1", "camera.media.room", "full", "ok"),
    "mains_failure": ("Auxiliaries1", "auxiliaries.UPS.powering", True, False),
    "deposit_jam": ("CashRecycler1", "cashManagement.acceptor", "stop", "ok"),
    "validator_dead": ("CashRecycler1", "cashAcceptor.banknoteReader", "inoperable", "ok"),
}
"""Failure → service, property, its value while broken, its value when whole."""

ERRORS = {
    "skimmer": ("fraudAttempt", "suspend"),
    "epp_tamper": ("hardware", "maintenance"),
    "reader_dead": ("hardware", "maintenance"),
    "deposit_jam": ("hardware", "clear"),
    "validator_dead": ("hardware", "maintenance"),
}


def at(payload: Json, path: str) -> Any:
    value: Any = payload
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


async def told(client: XfsClient, path: str, value: object) -> None:
    await client.event("Common.StatusChangedEvent", lambda payload: at(payload, path) == value)


async def asked(client: XfsClient, path: str) -> Any:
    return at((await client.ask("Common.Status"))["payload"], path)


@pytest.mark.parametrize("failure", WIRE)
async def test_a_failure_is_told_and_answered_and_so_is_its_repair(serve: Serve, failure: str) -> None:
    service, path, broken, whole = WIRE[failure]
    async with serve(recycler=service == "CashRecycler1") as atm, connect(f"{atm.uri}/{service}") as client:
        assert await asked(client, path) == whole
        await atm.inject(failure)
        if failure in ERRORS:
            error = await client.event("Common.ErrorEvent")
            assert (error["eventId"], error["action"]) == ERRORS[failure]
        await told(client, path, broken)
        assert await asked(client, path) == broken
        await atm.repair(failure)
        await told(client, path, whole)
        assert await asked(client, path) == whole


@pytest.mark.parametrize("failure", sorted(set(WIRE) - {"safe_open"}))
async def test_the_first_format_answers_the_same(serve: Serve, failure: str) -> None:
    service, path, broken, whole = WIRE[failure]
    path = path.replace("consumerDisplaySensor", "displaySensor")
    options: dict[str, Any] = {"recycler": service == "CashRecycler1", "message_major": 1}
    async with serve(**options) as atm, connect(f"{atm.uri}/{service}", 1) as client:
        await atm.inject(failure)
        assert await asked(client, path) == broken
        await atm.repair(failure)
        assert await asked(client, path) == whole


async def test_a_tampered_pin_pad_tells_of_keys_and_stops_withdrawals(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/PinPad1") as client:
        await client.ask("Common.Status")
        await atm.inject("epp_tamper")
        assert (await client.event("KeyManagement.IllegalKeyAccessEvent"))["keyName"] == "TerminalMasterKey"
        for _ in range(50):
            for _move in atm.next_script():
                continue
        assert atm.witness.presents == 0
        await atm.repair("epp_tamper")
        await client.event("KeyManagement.InitializedEvent")
        while atm.witness.presents == 0:
            for _move in atm.next_script():
                continue


async def test_a_cassette_that_is_not_seated_is_missing_until_it_is_reseated(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await client.ask("Common.Status")
        await atm.inject("cassette_not_seated")
        assert await client.event("Storage.StorageChangedEvent") == {"unit2": {"status": "missing"}}
        assert await asked(client, "cashManagement.dispenser") == "attention"
        await atm.repair("cassette_not_seated")
        assert await client.event("Storage.StorageChangedEvent") == {"unit2": {"status": "ok"}}


async def test_a_trap_makes_three_retracts_and_the_notes_come_back_with_it(serve: Serve) -> None:
    async with serve(living=True) as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await client.ask("Common.Status")
        await atm.inject("cash_trap")
        errors = 0
        while errors < 3:
            error = await client.event("Common.ErrorEvent")
            errors += error["vendorDescription"].startswith("retract failed")
        units = (await client.ask("Storage.GetStorage"))["payload"]["storage"]
        assert units["unit6"]["cash"]["status"]["in"] == {"retractOperations": 3, "retracted": {"unrecognized": 0}}
        assert atm.witness.notes_taken == 0
        assert atm.machine.dispenser.trapped == atm.witness.notes_presented
        await atm.repair("cash_trap")
        assert atm.machine.dispenser.trapped == 0
        assert atm.machine.dispenser.balance() == 0


def world_from(clock: ManualClock) -> World:
    return World(begin_at=datetime(2026, 3, 2, 10, 0, tzinfo=CHINA), clock=clock)


async def test_poor_notes_creep_into_the_reject_bin_over_six_days(serve: Serve) -> None:
    clock = ManualClock(1_770_000_000_000)
    async with serve(world=world_from(clock)) as atm, connect(f"{atm.uri}/CashDispenser1") as client:

        async def rejected_of_a_thousand() -> int:
            atm.machine.tick(clock.now_ms(), world.local_time())
            before = (await client.ask("Storage.GetStorage"))["payload"]["storage"]["unit1"]["cash"]["status"]["out"]
            for _ in range(25):
                atm.machine.dispenser.stack(40)
                atm.machine.dispenser.present()
                atm.machine.dispenser.take()
            after = (await client.ask("Storage.GetStorage"))["payload"]["storage"]["unit1"]["cash"]["status"]["out"]
            note = "typeCNY100A"
            return int(after["rejected"][note]["fit"]) - int(before["rejected"][note]["fit"])

        world = atm._world
        await atm.inject("reject_creep")
        assert await rejected_of_a_thousand() < 20
        clock.advance(6 * 86_400_000)
        assert await rejected_of_a_thousand() > 25
        for _ in range(200):
            atm.machine.dispenser.stack(40)
            atm.machine.dispenser.reject_stacked()
        units = (await client.ask("Storage.GetStorage"))["payload"]["storage"]
        assert units["unit5"]["cash"]["status"]["replenishmentStatus"] == "full"
        await atm.repair("reject_creep")
        atm.machine.tick(clock.now_ms(), world.local_time())
        assert atm.machine.dispenser.poor_notes_share == 0


async def test_dust_makes_short_insertions_frequent_over_five_weeks(serve: Serve) -> None:
    clock = ManualClock(1_770_000_000_000)
    world = world_from(clock)
    async with serve(world=world) as atm:
        await atm.inject("dirty_reader")
        assert atm.machine.card_reader.failed_read_share() < 0.03
        for week, least in ((2, 0.07), (3, 0.17)):
            clock.advance(int(timedelta(weeks=week) / timedelta(milliseconds=1)))
            atm.machine.tick(clock.now_ms(), world.local_time())
            assert atm.machine.card_reader.failed_read_share() > least
        await atm.repair("dirty_reader")
        atm.machine.tick(clock.now_ms(), world.local_time())
        assert atm.machine.card_reader.failed_read_share() == pytest.approx(0.02)


async def test_a_decay_can_be_hurried(serve: Serve) -> None:
    clock = ManualClock(1_770_000_000_000)
    world = world_from(clock)
    async with serve(world=world, decay_pace=35 * 24) as atm:
        await atm.inject("dirty_reader")
        clock.advance(3_600_000)
        atm.machine.tick(clock.now_ms(), world.local_time())
        assert atm.machine.card_reader.failed_read_share() == pytest.approx(0.18)


async def test_a_black_box_opens_the_door_and_ends_the_camera(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/Auxiliaries1") as sensors:
        async with connect(f"{atm.uri}/Camera1") as camera:
            await camera.ask("Common.Status")
            await atm.inject("black_box")
            assert await camera.is_cut_off()
        assert await asked(sensors, "auxiliaries.cabinetDoor") == "open"
        assert await asked(sensors, "auxiliaries.operatorSwitch") == "run"
        await atm.repair("black_box")
        assert await asked(sensors, "auxiliaries.cabinetDoor") == "closed"
        async with connect(f"{atm.uri}/Camera1") as camera:
            assert await asked(camera, "camera.cameras.room") == "ok"


async def refused(uri: str) -> bool:
    try:
        async with connect(uri):
            return False
    except ClientError:
        return True


async def test_an_explosion_is_told_by_the_sensors_and_then_there_is_silence(serve: Serve) -> None:
    async with serve(living=True) as atm, connect(f"{atm.uri}/Auxiliaries1") as client:
        await client.ask("Common.Status")
        await atm.inject("explosive")
        changed = await client.event("Common.StatusChangedEvent", lambda payload: "seismicSensor" in str(payload))
        assert changed["auxiliaries"] == {
            "seismicSensor": "on", "tamperSensor": "on", "safeDoor": "tampered", "audibleAlarm": "on",
        }  # fmt: skip
        assert await client.is_cut_off()
        assert await refused(atm.uri)
        await atm.repair("explosive")
        async with connect(f"{atm.uri}/Auxiliaries1") as again:
            assert await asked(again, "auxiliaries.safeDoor") == "locked"


async def test_an_atm_off_the_net_breaks_every_connection_and_returns_to_its_port(serve: Serve) -> None:
    async with serve() as atm, connect(atm.uri) as publisher, connect(f"{atm.uri}/PinPad1") as client:
        uri = atm.uri
        await atm.inject("offline")
        assert await client.is_cut_off()
        assert await publisher.is_cut_off()
        assert await refused(uri)
        await atm.repair("offline")
        assert atm.uri == uri
        async with connect(f"{uri}/PinPad1") as again:
            assert await asked(again, "common.device") == "online"


async def test_a_mains_failure_drains_the_battery_until_the_machine_is_dark(serve: Serve) -> None:
    clock = ManualClock(1_770_000_000_000)
    async with serve(living=True, world=world_from(clock)) as atm, connect(f"{atm.uri}/Auxiliaries1") as client:
        await client.ask("Common.Status")
        await atm.inject("mains_failure")
        await told(client, "auxiliaries.UPS.engaged", value=True)
        clock.advance(35 * 60_000)
        await told(client, "auxiliaries.UPS.low", value=True)
        clock.advance(10 * 60_000)
        assert await client.is_cut_off()
        await atm.repair("mains_failure")
        async with connect(f"{atm.uri}/Auxiliaries1") as again:
            assert await asked(again, "auxiliaries.UPS.powering") is False


async def test_a_frozen_screen_presents_nothing_and_looks_well(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await atm.inject("frozen_screen")
        for _ in range(100):
            for _move in atm.next_script():
                continue
        assert atm.witness.presents == 0
        assert await asked(client, "common.device") == "online"
        assert await asked(client, "cashManagement.dispenser") == "ok"
        await atm.repair("frozen_screen")
        while atm.witness.presents == 0:
            for _move in atm.next_script():
                continue


async def test_a_hanging_service_acknowledges_and_never_answers(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/ReceiptPrinter1") as client:
        await atm.inject("service_hang")
        await client.send("Common.Status")
        assert (await client.reply())["header"]["type"] == "acknowledge"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.reply()
    async with serve() as atm:
        await atm.inject("service_hang")
        await atm.repair("service_hang")
        async with connect(f"{atm.uri}/ReceiptPrinter1") as client:
            assert await asked(client, "common.device") == "online"


async def test_a_full_retain_bin_is_told_and_emptied(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CardReader1") as client:
        await client.ask("Common.Status")
        await atm.inject("retain_bin_full")
        level = await client.event("Storage.StorageThresholdEvent")
        assert level == {"unitRETAIN": {"card": {"status": {"replenishmentStatus": "full"}}}}
        await atm.repair("retain_bin_full")
        level = await client.event("Storage.StorageThresholdEvent")
        assert level == {"unitRETAIN": {"card": {"status": {"replenishmentStatus": "empty"}}}}
