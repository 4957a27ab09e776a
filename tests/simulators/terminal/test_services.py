"""The terminal's modules over XFS4IoT, with a plain WebSocket client."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientError

from simulators.device import SimulatedDevice
from simulators.terminal import FAILURES, Quirks
from simulators.world import World
from tests.simulators.atm.xfs_client import Json, XfsClient, connect
from tests.simulators.terminal.conftest import MORNING, Serve

SERVICES = [
    "CardReader1", "PinPad1", "ReceiptPrinter1", "PassbookPrinter1", "Scanner1", "CodeScanner1", "Biometric1",
    "IdCardReader1", "Auxiliaries1", "VendorMode1", "Camera1",
]  # fmt: skip

STATES = {
    "CardReader1": ("cardReader.media", "notPresent"),
    "PinPad1": ("keyManagement.encryptionState", "ready"),
    "ReceiptPrinter1": ("printer.paper.upper", "full"),
    "PassbookPrinter1": ("printer.ink", "full"),
    "Scanner1": ("printer.media", "notPresent"),
    "CodeScanner1": ("barcodeReader.scanner", "off"),
    "Biometric1": ("biometric.subject", "notPresent"),
    "IdCardReader1": ("cardReader.media", "notPresent"),
    "Auxiliaries1": ("auxiliaries.operatorSwitch", "run"),
    "VendorMode1": ("vendorMode.service", "inactive"),
    "Camera1": ("camera.cameras.room", "ok"),
}

WIRE = {
    "passbook_jam": ("PassbookPrinter1", "printer.media", "jammed", "notPresent"),
    "ribbon_low": ("PassbookPrinter1", "printer.ink", "low", "full"),
    "scanner_fault": ("Scanner1", "common.device", "hardwareError", "online"),
    "code_scanner_fault": ("CodeScanner1", "barcodeReader.scanner", "inoperative", "off"),
    "card_jam": ("CardReader1", "cardReader.media", "jammed", "notPresent"),
    "id_card_jam": ("IdCardReader1", "cardReader.media", "jammed", "notPresent"),
    "skimmer": ("CardReader1", "common.antiFraudModule", "deviceDetected", "ok"),
    "epp_tamper": ("PinPad1", "common.device", "hardwareError", "online"),
    "paper_low": ("ReceiptPrinter1", "printer.paper.upper", "low", "full"),
    "paper_out": ("ReceiptPrinter1", "printer.paper.upper", "out", "full"),
    "receipt_jam": ("ReceiptPrinter1", "printer.media", "jammed", "notPresent"),
    "display_error": ("Auxiliaries1", "auxiliaries.consumerDisplaySensor", "displayError", "on"),
    "cabinet_open": ("Auxiliaries1", "auxiliaries.cabinetDoor", "open", "closed"),
    "forgotten_mode": ("VendorMode1", "vendorMode.service", "active", "inactive"),
    "mains_failure": ("Auxiliaries1", "auxiliaries.UPS.engaged", True, False),
}
"""Failure → service, property, its value while broken, its value when whole."""


def at(payload: Json, path: str) -> Any:
    value: Any = payload
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


async def asked(client: XfsClient, path: str) -> Any:
    return at((await client.ask("Common.Status"))["payload"], path)


async def told(client: XfsClient, path: str, value: object) -> None:
    await client.event("Common.StatusChangedEvent", lambda payload: at(payload, path) == value)


@pytest.mark.parametrize("major", [1, 2, 3])
async def test_a_client_finds_every_module_and_its_state(serve: Serve, major: int) -> None:
    async with serve(quirks=Quirks(message_major=major)) as terminal:
        async with connect(terminal.uri, major) as publisher:
            listed = (await publisher.ask("ServicePublisher.GetServices"))["payload"]["services"]
        assert [entry["serviceURI"] for entry in listed] == [f"{terminal.uri}/{name}" for name in SERVICES]
        for name in SERVICES:
            async with connect(f"{terminal.uri}/{name}", major) as client:
                path, value = STATES[name]
                assert await asked(client, path) == value
                assert await asked(client, "common.device") == "online"


async def test_capabilities_tell_one_printer_from_another(serve: Serve) -> None:
    kinds = {}
    async with serve() as terminal:
        for name in ("ReceiptPrinter1", "PassbookPrinter1", "Scanner1"):
            async with connect(f"{terminal.uri}/{name}") as client:
                kinds[name] = (await client.ask("Common.Capabilities"))["payload"]["printer"]["type"]
    assert kinds == {
        "ReceiptPrinter1": {"receipt": True}, "PassbookPrinter1": {"passbook": True}, "Scanner1": {"scanner": True},
    }  # fmt: skip


@pytest.mark.parametrize("failure", WIRE)
async def test_a_failure_is_told_and_answered_and_so_is_its_repair(serve: Serve, failure: str) -> None:
    service, path, broken, whole = WIRE[failure]
    async with serve() as terminal, connect(f"{terminal.uri}/{service}") as client:
        await client.ask("Common.Status")
        await terminal.inject(failure)
        await told(client, path, broken)
        assert await asked(client, path) == broken
        await terminal.repair(failure)
        await told(client, path, whole)
        assert await asked(client, path) == whole


@pytest.mark.parametrize(("failure", "level"), [("card_stock_low", "low"), ("card_stock_empty", "empty")])
async def test_the_card_stock_runs_down_and_is_filled(serve: Serve, failure: str, level: str) -> None:
    async with serve() as terminal, connect(f"{terminal.uri}/CardReader1") as client:
        unit = (await client.ask("Storage.GetStorage"))["payload"]["storage"]["unitSTOCK"]
        assert unit["card"]["capabilities"]["type"] == "dispense"
        assert unit["card"]["status"]["count"] == 200
        for expected in (level, "ok"):
            await (terminal.inject(failure) if expected == level else terminal.repair(failure))
            told_level = await client.event("Storage.StorageThresholdEvent")
            assert told_level["unitSTOCK"]["card"]["status"]["replenishmentStatus"] == expected


async def test_a_crashed_service_refuses_and_a_host_that_is_down_refuses_everything(serve: Serve) -> None:
    async def refused(service: str) -> bool:
        try:
            async with connect(f"{terminal.uri}/{service}") as client:
                await client.ask("Common.Status")
        except ClientError:
            return True
        return False

    async with serve() as terminal:
        await terminal.inject("service_crash")
        assert [await refused("Scanner1"), await refused("PinPad1")] == [True, False]
        await terminal.repair("service_crash")
        await terminal.inject("host_down")
        assert [await refused("Scanner1"), await refused("PinPad1")] == [True, True]
        await terminal.repair("host_down")
        assert [await refused("Scanner1"), await refused("PinPad1")] == [False, False]


async def test_a_silent_agent_leaves_the_modules_talking(serve: Serve) -> None:
    async with serve() as terminal:
        await terminal.inject("snmp_silent")
        async with connect(f"{terminal.uri}/PinPad1") as client:
            assert await asked(client, "common.device") == "online"


async def test_customers_come_and_use_what_they_came_for(serve: Serve) -> None:
    async with serve(living=True, world=World(pace=2000, begin_at=MORNING), sessions_per_day=2000) as terminal:
        async with connect(f"{terminal.uri}/CardReader1") as client:
            await client.event("CardReader.MediaRemovedEvent")
        async with asyncio.timeout(30):
            while terminal.witness.pages == 0 or terminal.witness.receipts_printed == 0:
                await asyncio.sleep(0.05)
        assert terminal.witness.sessions > 1


async def test_every_failure_can_be_injected_and_repaired_twice(serve: Serve) -> None:
    async with serve(work_step_s=0.001, world=World(pace=100_000, begin_at=MORNING)) as terminal:
        device: SimulatedDevice = terminal
        assert set(device.failures) == set(FAILURES)
        for _ in range(2):
            for failure in device.failures:
                await device.inject(failure)
                await device.inject(failure)
            for failure in device.failures:
                await device.repair(failure)
        await asyncio.sleep(0.05)  # four minutes of the world: the restart that ends the memory leak
        terminal.tick()
        model = terminal.terminal
        assert not model.attended
        assert model.office_printer.works
        assert model.computer.app_works
        assert model.office_printer.errors() == []
        assert not any((model.power.battery_bad, model.power.charger_failed, model.power.fan_failed))
        async with connect(f"{terminal.uri}/CardReader1") as client:
            assert await asked(client, "common.device") == "online"


async def test_an_unknown_failure_is_named_with_those_there_are(serve: Serve) -> None:
    async with serve() as terminal:
        for attempt in (terminal.inject, terminal.repair):
            with pytest.raises(ValueError, match="no failure 'meteor', expected one of toner_low, toner_out"):
                await attempt("meteor")
