"""Failures and repairs as a client on the wire sees them, and customers in between."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from simulators.atm import FAILURES, AtmSimulator
from simulators.device import SimulatedDevice
from simulators.world import CHINA, World
from tests.simulators.atm.conftest import Serve
from tests.simulators.atm.xfs_client import XfsClient, connect

MORNING = datetime(2026, 3, 6, 10, 0, tzinfo=CHINA)


def position(payload: dict[str, Any]) -> dict[str, Any]:
    positions: list[dict[str, Any]] = payload.get("cashDispenser", {}).get("positions", [{}])
    return positions[0]


async def dispenser_status(client: XfsClient) -> dict[str, Any]:
    payload: dict[str, Any] = (await client.ask("Common.Status"))["payload"]
    return payload


async def test_a_note_jam_is_told_as_error_then_state(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await client.ask("Common.Status")
        await atm.inject("note_jam")
        error, changed, counts = [await client.next() for _ in range(3)]

        assert error["header"]["name"] == "Common.ErrorEvent"
        assert (error["payload"]["eventId"], error["payload"]["action"]) == ("hardware", "clear")
        assert changed["header"] == {"type": "unsolicited", "name": "Common.StatusChangedEvent", "version": "3.0"}
        assert set(changed["payload"]) == {"cashDispenser", "cashManagement"}
        assert position(changed["payload"])["transport"] == "inoperative"
        assert position(changed["payload"])["transportStatus"] == "notEmpty"
        assert changed["payload"]["cashManagement"] == {"dispenser": "stop"}
        assert counts["header"]["name"] == "Storage.CountsChangedEvent"
        assert counts["payload"] == {"unit1": {"cash": {"status": {"out": {"transport": {"typeCNY100A": {"fit": 1}}}}}}}
        assert atm.witness.errors == 1


async def test_the_first_format_tells_of_a_jam_by_its_error_alone(serve: Serve) -> None:
    async with serve(message_major=1) as atm, connect(f"{atm.uri}/CashDispenser1", 1) as client:
        await client.ask("Common.Status")
        await atm.inject("note_jam")
        error, counts = await client.next(), await client.next()
        assert error["header"]["name"] == "Common.ErrorEvent"
        assert counts["header"]["name"] == "Storage.CountsChangedEvent"
        assert position(await dispenser_status(client))["transport"] == "inoperative"
        atm.machine.dispenser.hardware_error = True
        await atm.inject("shutter_jam")
        assert await client.event("Common.StatusChangedEvent") == {"device": "hardwareError"}


@pytest.mark.parametrize("major", [1, 2, 3])
async def test_a_technician_clears_a_jam_in_vendor_mode(serve: Serve, major: int) -> None:
    async with (
        serve(message_major=major, work_step_s=0.2) as atm,
        connect(f"{atm.uri}/CashDispenser1", major) as dispenser,
        connect(f"{atm.uri}/VendorMode1", major) as vendor,
        connect(f"{atm.uri}/Auxiliaries1", major) as sensors,
    ):
        await asyncio.gather(*(client.ask("Common.Status") for client in (dispenser, vendor, sensors)))
        await atm.inject("note_jam")
        began = asyncio.get_running_loop().time()
        repair = asyncio.create_task(atm.repair("note_jam"))
        await vendor.event("VendorMode.ModeEnteredEvent")
        assert (await vendor.ask("Common.Status"))["payload"]["vendorMode"]["service"] == "active"
        assert position(await dispenser_status(dispenser))["transport"] == "inoperative"
        await vendor.event("VendorMode.ModeExitedEvent")
        await repair

        assert asyncio.get_running_loop().time() - began > 1.2, "a repair can be watched"
        status = await dispenser_status(dispenser)
        assert position(status)["transport"] == "ok"
        assert status["cashManagement"]["dispenser"] == "ok"
        assert atm.machine.dispenser.reject_bin.notes == 4, "the test dispense takes one note of each cassette"
        assert atm.machine.dispenser.balance() == 0
        event = "Auxiliaries.AuxiliaryStatusEvent" if major == 1 else "Common.StatusChangedEvent"
        switched = [await sensors.event(event, turned), await sensors.event(event, turned)]
        assert [payload.get("auxiliaries", payload)["operatorSwitch"] for payload in switched] == ["maintenance", "run"]


def turned(payload: dict[str, Any]) -> bool:
    """The operator switch is among what changed."""
    return "operatorSwitch" in payload.get("auxiliaries", payload)


async def test_a_shutter_jam_asks_for_an_engineer(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await client.ask("Common.Status")
        await atm.inject("shutter_jam")
        assert (await client.event("Common.ErrorEvent"))["action"] == "maintenance"
        assert await client.event("CashManagement.ShutterStatusChangedEvent") == {
            "position": "outDefault", "shutter": "jammed",
        }  # fmt: skip
        changed = await client.event("Common.StatusChangedEvent")
        assert position(changed)["shutter"] == "jammedClosed"
        await atm.repair("shutter_jam")
        assert (await client.event("CashManagement.ShutterStatusChangedEvent"))["shutter"] == "closed"


async def test_a_card_jam_ends_with_the_reader_cleared(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CardReader1") as client:
        await client.ask("Common.Status")
        await atm.inject("card_jam")
        assert (await client.event("Common.ErrorEvent"))["action"] == "clear"
        assert (await client.event("Common.StatusChangedEvent"))["cardReader"]["media"] == "jammed"
        await atm.repair("card_jam")
        await client.event("CardReader.MediaRemovedEvent")
        assert (await client.event("Common.StatusChangedEvent"))["cardReader"]["media"] == "notPresent"


async def test_low_paper_is_told_and_a_new_roll_too(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/ReceiptPrinter1") as client:
        await client.ask("Common.Status")
        await atm.inject("paper_low")
        assert await client.event("Printer.PaperThresholdEvent") == {"paperSource": "upper", "threshold": "low"}
        assert (await client.event("Common.StatusChangedEvent"))["printer"] == {"paper": {"upper": "low"}}
        await atm.repair("paper_low")
        assert await client.event("Printer.PaperThresholdEvent") == {"paperSource": "upper", "threshold": "full"}


async def test_a_receipt_jam_is_cleared(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/ReceiptPrinter1") as client:
        await client.ask("Common.Status")
        await atm.inject("receipt_jam")
        assert (await client.event("Common.StatusChangedEvent"))["printer"] == {"media": "jammed"}
        await atm.repair("receipt_jam")
        assert (await client.event("Common.StatusChangedEvent"))["printer"] == {"media": "notPresent"}


@pytest.mark.parametrize("pace", [1.0, 60.0])
async def test_running_low_comes_from_real_withdrawals_within_ten_seconds(serve: Serve, pace: float) -> None:
    world = World(pace=pace, begin_at=MORNING)
    async with serve(living=True, world=world) as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await client.ask("Common.Status")
        await atm.inject("run_low")
        assert atm.machine.dispenser.cassettes[0].replenishment == "ok"
        presented = atm.witness.notes_presented
        async with asyncio.timeout(10):
            level = await client.event("Storage.StorageThresholdEvent", lambda payload: "unit1" in payload)
        assert level["unit1"] == {"cash": {"status": {"replenishmentStatus": "low"}}}
        async with asyncio.timeout(5):
            await client.event("CashManagement.ItemsTakenEvent")
        assert atm.witness.notes_presented > presented
        assert (await dispenser_status(client))["cashManagement"]["dispenser"] == "attention"
        assert atm.machine.dispenser.balance() == 0


async def test_running_out_stops_the_dispenser_by_real_withdrawals(serve: Serve) -> None:
    async with serve(living=True) as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await client.ask("Common.Status")
        before = atm.witness
        await atm.inject("run_out")
        async with asyncio.timeout(10):
            await client.event(
                "Common.StatusChangedEvent", lambda payload: payload.get("cashManagement") == {"dispenser": "stop"}
            )
        dispenser = atm.machine.dispenser
        assert [cassette.replenishment for cassette in dispenser.cassettes] == ["empty"] * 4
        # A rejected note among the last ones leaves too few for the customer, and all of them go to the reject bin.
        under_way = dispenser.in_stacker + dispenser.at_output
        assert atm.witness.notes_taken - before.notes_taken + under_way + dispenser.reject_bin.notes == 16
        assert atm.machine.dispenser.balance() == 0


async def test_an_exchange_fills_the_cassettes(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await client.ask("Common.Status")
        await atm.inject("run_out")
        await client.event("Storage.StorageThresholdEvent")
        assert (await dispenser_status(client))["cashManagement"]["dispenser"] == "attention"
        repair = asyncio.create_task(atm.repair("run_out"))
        await client.event("Common.StatusChangedEvent", lambda payload: payload.get("common") == {"exchange": "active"})
        gone = await client.event("Storage.StorageChangedEvent")
        assert gone == {f"unit{number}": {"status": "missing"} for number in (1, 2, 3, 4)}
        back = await client.event("Storage.StorageChangedEvent")
        assert back == {f"unit{number}": {"status": "ok"} for number in (1, 2, 3, 4)}
        counts = await client.event("Storage.CountsChangedEvent")
        assert counts["unit1"]["cash"]["status"]["initial"]["typeCNY100A"]["fit"] == 2000
        await client.event(
            "Common.StatusChangedEvent", lambda payload: payload.get("common") == {"exchange": "inactive"}
        )
        await repair
        assert [cassette.count for cassette in atm.machine.dispenser.cassettes] == [2000] * 4
        assert atm.machine.dispenser.balance() == 0


async def test_the_first_format_tells_of_the_safe_door(serve: Serve) -> None:
    async with serve(message_major=1) as atm, connect(f"{atm.uri}/CashDispenser1", 1) as client:
        await client.ask("Common.Status")
        await atm.repair("run_low")
        await client.event("CashManagement.SafeDoorOpenEvent")
        await client.event("CashManagement.SafeDoorClosedEvent")


async def test_customers_come_and_the_events_of_a_withdrawal_are_in_order(serve: Serve) -> None:
    world = World(pace=400, begin_at=MORNING)
    async with serve(living=True, world=world, transactions_per_day=400) as atm:
        async with connect(f"{atm.uri}/CashDispenser1") as client:
            await client.event("CashManagement.ItemsTakenEvent")
            names: list[str] = []
            async with asyncio.timeout(15):
                while names.count("CashManagement.ItemsTakenEvent") < 2:
                    names.append((await client.next())["header"]["name"])
        told = [name for name in names if name.startswith("CashManagement.")]
        bunch = ["ShutterStatusChangedEvent", "ItemsPresentedEvent", "ItemsTakenEvent", "ShutterStatusChangedEvent"]
        # The second taking ends the list before its shutter closes; the first one's closing opens it.
        assert told == [f"CashManagement.{name}" for name in [bunch[-1], *bunch, *bunch[:-1]]]
        assert atm.witness.visits >= 3
        assert atm.witness.notes_taken > 0


async def test_a_customer_is_sent_off_before_the_technician_begins(serve: Serve) -> None:
    # At the real pace a customer stays for most of a minute; the repair must not wait for that.
    world = World(pace=1, begin_at=MORNING)
    async with serve(living=True, world=world, transactions_per_day=10_000_000) as atm:
        async with connect(f"{atm.uri}/CardReader1") as client:
            await client.event("Common.StatusChangedEvent", lambda payload: "cardReader" in payload)
        async with asyncio.timeout(6):
            await atm.repair("paper_low")
        assert atm.machine.dispenser.balance() == 0


async def test_an_interrupted_crew_leaves_the_machine_in_order(serve: Serve) -> None:
    async with serve(work_step_s=0.25) as atm:
        await atm.inject("note_jam")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await atm.repair("note_jam")
        assert not atm.machine.attended
        assert atm.machine.dispenser.readiness == "ok"


async def test_an_unknown_failure_is_named_with_those_there_are(serve: Serve) -> None:
    async with serve() as atm:
        for attempt in (atm.inject, atm.repair):
            with pytest.raises(ValueError, match="no failure 'meteor', expected one of note_jam, shutter_jam"):
                await attempt("meteor")


@pytest.mark.parametrize("recycler", [False, True])
async def test_every_failure_can_be_injected_and_repaired_twice(serve: Serve, recycler: bool) -> None:
    async with serve(recycler=recycler, work_step_s=0.001) as atm:
        device: SimulatedDevice = atm
        assert set(device.failures) == {name for name, failure in FAILURES.items() if recycler or not failure.recycler}
        for failure in device.failures:
            await device.inject(failure)
            await device.inject(failure)
        machine = atm.machine
        assert (machine.dispenser.readiness, machine.card_reader.media, machine.printer.paper) == (
            "stop", "jammed", "out",
        )  # fmt: skip
        await asyncio.gather(*(device.repair(failure) for failure in device.failures))
        for failure in device.failures:
            await device.repair(failure)
        assert machine.dispenser.readiness == "ok"
        assert machine.dispenser.balance() == 0
        assert (machine.card_reader.device, machine.pin_pad.device, machine.printer.paper) == (
            "online", "online", "full",
        )  # fmt: skip
        assert not machine.attended
        async with connect(f"{atm.uri}/{machine.services[0].name}") as client:
            assert (await client.ask("Common.Status"))["payload"]["common"]["device"] == "online"


@pytest.mark.parametrize(
    ("option", "value"),
    [("message_major", 4), ("transactions_per_day", 0), ("crash_service", "Nothing1"), ("decay_pace", 0)],
)
def test_an_option_out_of_range_is_refused(option: str, value: object) -> None:
    options: dict[str, Any] = {option: value}
    with pytest.raises(ValueError, match=option):
        AtmSimulator("atm-01", World(), 0, **options)


def test_machines_of_one_name_in_two_branches_differ() -> None:
    world = World()
    machines = [AtmSimulator("atm-01", world.of(branch), 0).machine.serial for branch in ("BR0001", "BR0001", "BR0002")]
    assert machines[0] == machines[1] != machines[2]
