"""A self-service terminal: its services become its components, by what they can do and by the settings."""

from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from contracts.devices import SELF_SERVICE_TERMINAL
from contracts.signals import Sort
from gateway.drivers.registry import DRIVERS
from gateway.drivers.xfs4iot import Settings, create
from runtime.clock import SystemClock
from tests.conftest import free_port
from tests.gateway.xfs4iot import terminal
from tests.gateway.xfs4iot.scripted_machine import Recorder, ScriptedMachine
from tests.gateway.xfs4iot.test_conversation import running, settings

WITH_ID_READER = {"IdCardReader": "idr"}


@pytest.fixture(params=[1, 2, 3])
async def machine(request: pytest.FixtureRequest) -> AsyncIterator[ScriptedMachine]:
    served = ScriptedMachine(free_port(), request.param)
    served.services = terminal.services()
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def modern() -> AsyncIterator[ScriptedMachine]:
    served = ScriptedMachine(free_port())
    served.services = terminal.services()
    await served.start()
    yield served
    await served.stop()


async def test_all_modules_of_a_terminal_are_read_in_every_major(machine: ScriptedMachine) -> None:
    sink = Recorder()
    driver = create(settings(machine.port, components=WITH_ID_READER), SELF_SERVICE_TERMINAL, SystemClock())
    async with running(driver, sink):
        for path, value in terminal.SIGNALS.items():
            await sink.until(path, value)
    assert sink.refused == []
    assert all(SELF_SERVICE_TERMINAL.signal(item.path) is not None for item in sink.seen)
    unlisted = [
        item
        for item in sink.seen
        if (row := SELF_SERVICE_TERMINAL.signal(item.path))
        and row.sort is Sort.STATE
        and row.ordinal(str(item.value)) is None
    ]
    assert unlisted == []
    counters = {row.path for row in SELF_SERVICE_TERMINAL.signals if row.sort is Sort.COUNTER and "{" not in row.path}
    by_other_protocols = {path for path in counters if path.startswith(("host/", "ups/", "prs/"))}
    assert counters - by_other_protocols <= {item.path for item in sink.seen}


async def test_a_printer_of_forms_does_not_pass_for_the_passbook_printer(modern: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(modern.port), SELF_SERVICE_TERMINAL, SystemClock()), sink):
        await sink.until("link/state", "up")
        await sink.until("prp/ink", "low")
        await modern.tell("A4", "Common.StatusChangedEvent", {"printer": {"ink": "out"}})
        await modern.tell("A4", "Common.ErrorEvent", {"eventId": "hardware", "action": "clear"})
        await modern.tell("Passbook", "Printer.InkThresholdEvent", {"state": "out"})
        await sink.until("prp/ink", "out")
        assert sink.last("prp/errors") == 0


async def test_without_settings_the_second_card_reader_is_not_mixed_with_the_first(modern: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(modern.port), SELF_SERVICE_TERMINAL, SystemClock()), sink):
        await sink.until("link/state", "up")
        await sink.until("idc/stock1/count", 180)
        await modern.drop("CardReader")
        modern.services["CardReader"].is_up = False
        await sink.until("link/services_missing", 1)
        before = len(sink.seen)
        await modern.tell("IdCardReader", "Common.StatusChangedEvent", {"cardReader": {"media": "jammed"}})
        await modern.tell("Codes", "Common.ErrorEvent", {"eventId": "hardware", "action": "clear"})
        await sink.until("bcr/errors", 1)
        assert not [item for item in sink.seen[before:] if item.path == "idc/media"]


async def test_an_error_of_each_module_is_told_as_its_own(modern: ScriptedMachine) -> None:
    sink = Recorder()
    components = {"IdCardReader": "idr", "CardReader": "idc"}
    driver = create(settings(modern.port, components=components), SELF_SERVICE_TERMINAL, SystemClock())
    modules = {"CardReader": "idc", "IdCardReader": "idr", "Tap": "nfc", "Epp": "pin", "Receipt": "prr",
               "Passbook": "prp", "Scanner": "scn", "Codes": "bcr", "Finger": "bio"}  # fmt: skip
    async with running(driver, sink):
        await sink.until("link/state", "up")
        for name, component in modules.items():
            error = {"eventId": "Hardware", "action": "Maintenance", "vendorDescription": f"{name} is broken"}
            await modern.tell(name, "Common.ErrorEvent", error)
            await sink.until(f"{component}/error", f"hardware/maintenance: {name} is broken")
            await sink.until(f"{component}/errors", 1)


async def test_the_issue_of_cards_takes_the_stock_down_to_low_and_empty(modern: ScriptedMachine) -> None:
    sink = Recorder()
    driver = create(settings(modern.port, components=WITH_ID_READER), SELF_SERVICE_TERMINAL, SystemClock())
    async with running(driver, sink):
        await sink.until("idc/stock1/count", 180)
        for count, state in ((19, "low"), (0, "empty")):
            modern.services["CardReader"].answers["Storage.GetStorage"] = {
                "storage": {"unitSTOCK": terminal.stock(count), "unitRETAIN": terminal.retain(2)}
            }
            counted = {"unitSTOCK": {"card": {"status": {"count": count}}}}
            await modern.tell("CardReader", "Storage.CountsChangedEvent", counted)
            await sink.until("idc/stock1/replenishment", state)
            await sink.until("idc/stock1/count", count)


def test_a_component_that_no_module_has_is_refused_in_the_settings() -> None:
    with pytest.raises(ValidationError, match="idr"):
        Settings.model_validate({"driver": "xfs", "host": "t", "components": {"CardReader2": "reader"}})
    assert Settings.model_validate({"host": "t", "components": {"CardReader2": "idr"}}).components == {
        "CardReader2": "idr"
    }


def test_the_protocol_reads_atms_and_terminals() -> None:
    assert DRIVERS["xfs"].kinds == {"atm", "self_service_terminal"}
