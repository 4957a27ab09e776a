"""Status and capabilities: words of three majors become the catalogue's signals."""

from collections.abc import Callable
from typing import Any

import pytest

from contracts.devices import ATM, SELF_SERVICE_TERMINAL
from contracts.signals import DeviceKind, Sort
from gateway.driver import Identity
from gateway.drivers.xfs4iot import mapping_status
from gateway.drivers.xfs4iot.mapping_status import StatusView
from gateway.drivers.xfs4iot.profile import read_capabilities
from gateway.drivers.xfs4iot.properties import Complaints
from gateway.drivers.xfs4iot.vocabulary import fold, listed, words_of
from tests.gateway.xfs4iot.examples import DISPENSER_CAPABILITIES, DISPENSER_STATUS, READER_CAPABILITIES, READER_STATUS


def whole(payload: dict[str, Any], *components: str) -> dict[str, str]:
    complaints: Complaints = []
    seen = StatusView(ATM).whole(payload, components, complaints)
    assert complaints == []
    return seen


def change(payload: dict[str, Any], *components: str) -> dict[str, str]:
    complaints: Complaints = []
    seen = StatusView(ATM).change(payload, components, complaints)
    assert complaints == []
    return seen


def test_the_status_of_a_dispenser_becomes_its_signals() -> None:
    assert whole(DISPENSER_STATUS, "cdm") == {
        "cdm/device": "online",
        "cdm/exchange": "inactive",
        "cdm/anti_fraud": "ok",
        "cdm/dispenser": "attention",
        "cdm/stacker": "empty",
        "cdm/shutter": "closed",
        "cdm/position_status": "empty",
        "cdm/transport": "ok",
        "cdm/transport_status": "empty",
    }


KINDS = (ATM, SELF_SERVICE_TERMINAL)


def test_every_row_leads_to_a_state_signal_of_the_catalogue() -> None:
    for row in (*mapping_status.ROWS, *mapping_status.POSITION_ROWS):
        for component in row.components or {""}:
            path = row.path.replace("{m}", component)
            signals = [signal for kind in KINDS if (signal := kind.signal(path)) is not None]
            if path != "prj/media":  # the catalogue has media of the receipt printer only
                assert signals, path
            assert all(signal.sort is Sort.STATE for signal in signals), path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_state_of_a_watched_component_has_a_row(kind: DeviceKind) -> None:
    rows = [*mapping_status.ROWS, *mapping_status.POSITION_ROWS, *(row for row, _ in mapping_status.NAMED_ROWS)]
    covered = {
        row.path.replace("{m}", component).replace("{name}", name)
        for row in rows
        for component in row.components or {""}
        for name in ("upper", "room")
    }
    by_others = {"link", "host", "ups", "prs"}  # other tests, and signals of the terminal's computer and A4 printer
    for signal in kind.signals:
        from_storage = "{n}" in signal.path
        if signal.sort is Sort.STATE and signal.component not in by_others and not from_storage:
            assert signal.path.replace("{source}", "upper").replace("{view}", "room") in covered, signal.path


def test_no_two_words_of_the_catalogue_differ_in_spelling_only() -> None:
    words = words_of(*KINDS)
    assert len({fold(word) for word in words}) == len(words)
    assert all(listed(word) == word for word in words)


@pytest.mark.parametrize("spell", [str.upper, str.lower, str.capitalize])
def test_words_are_known_in_any_case(spell: Callable[[str], str]) -> None:
    payload = {
        "common": {"device": spell("hardwareError"), "exchange": spell("notSupported")},
        "cashDispenser": {"positions": [{"position": spell("outDefault"), "shutter": spell("jammedOpen")}]},
        "powerManagement": {"info": {"powerInStatus": spell("noPower"), "batteryStatus": spell("critical")}},
    }
    assert whole(payload, "cdm") == {
        "cdm/device": "hardwareError",
        "cdm/shutter": "jammedOpen",
        "ups/source": "battery",
        "ups/battery": "depleted",
    }


def test_the_modules_of_a_terminal_become_their_signals() -> None:
    def seen(payload: dict[str, Any], *components: str) -> dict[str, str]:
        complaints: Complaints = []
        words = StatusView(SELF_SERVICE_TERMINAL).whole(payload, components, complaints)
        assert complaints == []
        return words

    online = {"common": {"device": "online"}}
    assert seen({**online, "printer": {"media": "present", "ink": "low", "paper": {"upper": "full"}}}, "prp") == {
        "prp/device": "online",
        "prp/media": "present",
        "prp/ink": "low",
    }
    assert seen({**online, "printer": {"media": "jammed"}}, "scn") == {"scn/device": "online", "scn/media": "jammed"}
    assert seen({**online, "barcodeReader": {"scanner": "inoperative"}}, "bcr") == {
        "bcr/device": "online",
        "bcr/scanner": "inoperative",
    }
    assert seen({**online, "biometric": {"subject": "notPresent"}}, "bio") == {
        "bio/device": "online",
        "bio/subject": "notPresent",
    }
    assert seen({**online, "cardReader": {"media": "latched", "chipModule": "ok"}}, "idr") == {
        "idr/device": "online",
        "idr/media": "latched",
    }
    assert seen({"printer": {"retractBins": [{"state": "full"}]}}, "prp") == {}


def test_words_for_not_there_are_no_reading() -> None:
    assert whole(READER_STATUS, "idc") == {
        "idc/device": "online",
        "idc/media": "notPresent",
        "idc/chip_power": "noCard",
        "idc/chip_module": "ok",
    }
    assert whole({"common": {"device": None, "exchange": "notSupported"}, "cashDispenser": None}, "cdm") == {}


def test_unknown_in_any_case_is_unknown_and_new_words_pass() -> None:
    assert whole({"common": {"device": "Unknown"}}, "cdm") == {"cdm/device": "unknown"}
    assert whole({"common": {"device": "melted"}}, "cdm") == {"cdm/device": "melted"}


def test_interface_names_compare_without_case() -> None:
    assert whole({"Common": {"device": "online"}, "CASHDISPENSER": {"intermediateStacker": "empty"}}, "cdm") == {
        "cdm/device": "online",
        "cdm/stacker": "empty",
    }


def test_a_flat_change_of_major_1_is_a_change_of_common() -> None:
    assert change({"device": "hardwareError"}, "cdm") == {"cdm/device": "hardwareError"}


def test_a_nested_change_touches_what_it_names() -> None:
    assert change({"common": {"device": "hardwareError"}}, "cdm") == {"cdm/device": "hardwareError"}
    assert change({"cashManagement": {"dispenser": "stop"}}, "cdm") == {"cdm/dispenser": "stop"}


def test_the_worst_position_speaks_and_a_change_of_one_keeps_the_others() -> None:
    view, complaints = StatusView(ATM), Complaints()
    positions = [{"position": "outLeft", "shutter": "jammedClosed"}, {"position": "outRight", "shutter": "closed"}]
    assert view.whole({"cashDispenser": {"positions": positions}}, ["cdm"], complaints)["cdm/shutter"] == "jammedClosed"
    moved = {"cashDispenser": {"positions": [{"position": "outRight", "shutter": "open"}]}}
    assert view.change(moved, ["cdm"], complaints) == {"cdm/shutter": "jammedClosed"}
    freed = {"cashDispenser": {"positions": [{"position": "outLeft", "shutter": "closed"}]}}
    assert view.change(freed, ["cdm"], complaints) == {"cdm/shutter": "open"}


def test_an_acceptor_is_judged_by_its_inputs() -> None:
    positions = [{"position": "inDefault", "shutter": "closed"}, {"position": "outDefault", "shutter": "jammedOpen"}]
    assert whole({"cashAcceptor": {"positions": positions}}, "cim") == {"cim/shutter": "closed"}


def test_a_recycler_reports_as_dispenser_and_as_acceptor() -> None:
    seen = whole({"common": {"device": "online", "exchange": "active"}}, "cdm", "cim")
    assert seen == {
        "cdm/device": "online",
        "cim/device": "online",
        "cdm/exchange": "active",
        "cim/exchange": "active",
    }


def test_papers_and_cameras_are_read_by_their_listed_names_only() -> None:
    payload = {
        "printer": {"media": "notPresent", "paper": {"upper": "low", "vendorTray": "out"}},
        "camera": {"cameras": {"room": "ok", "person": "inop"}, "media": {"room": "high"}},
    }
    assert whole(payload, "prr", "cam") == {
        "prr/media": "notPresent",
        "prr/upper/paper": "low",
        "cam/room/state": "ok",
        "cam/person/state": "inop",
        "cam/room/media": "high",
    }


def test_the_safe_door_stands_in_two_places() -> None:
    assert whole({"cashManagement": {"safeDoor": "open"}}, "cdm") == {"aux/safe_door": "open"}
    assert whole({"auxiliaries": {"safeDoor": "tampered"}}, "aux") == {"aux/safe_door": "tampered"}


def test_the_display_sensor_has_two_names() -> None:
    assert whole({"auxiliaries": {"displaySensor": "on"}}, "aux") == {"aux/consumer_display": "on"}
    assert whole({"auxiliaries": {"consumerDisplaySensor": "displayError"}}) == {"aux/consumer_display": "displayError"}


def test_power_flags_become_source_and_battery() -> None:
    flags = {"low": True, "engaged": False, "powering": True, "recovered": False}
    assert whole({"auxiliaries": {"UPS": flags}}, "aux") == {"ups/source": "battery", "ups/battery": "low"}
    info = {"powerInStatus": "powering", "batteryStatus": "critical"}
    assert whole({"powerManagement": {"info": info}}) == {"ups/source": "normal", "ups/battery": "depleted"}


def test_wrong_types_are_told_and_the_rest_still_counts() -> None:
    complaints: Complaints = []
    payload = {
        "common": {"device": 7, "exchange": "active"},
        "cashDispenser": {"positions": "none"},
        "cashManagement": 3,
    }
    assert StatusView(ATM).whole(payload, ["cdm"], complaints) == {"cdm/exchange": "active"}
    assert "device: expected a word, got 7" in complaints
    assert any(complaint.startswith("positions: expected a list") for complaint in complaints)


def test_a_dispenser_is_known_by_its_interfaces() -> None:
    profile = read_capabilities(DISPENSER_CAPABILITIES, [])
    assert profile.components == ("cdm",)
    assert profile.has_storage
    assert profile.identity == Identity(model="CD-9", serial="S-100", firmware="4.2")


def test_versions_are_the_newest_that_both_know() -> None:
    profile = read_capabilities(DISPENSER_CAPABILITIES, [])
    assert profile.set_versions() == {
        "commands": {"Common.Capabilities": 2, "Common.Status": 2, "Storage.GetStorage": 2},
        "events": {"Common.StatusChangedEvent": 3},
    }
    assert read_capabilities(READER_CAPABILITIES, []).set_versions() == {}


@pytest.mark.parametrize(
    ("capabilities", "components"),
    [
        (READER_CAPABILITIES, ("idc",)),
        ({"interfaces": [{"name": "CardReader"}], "cardReader": {"type": "intelligentContactless"}}, ("nfc",)),
        ({"interfaces": [{"name": "CashDispenser"}, {"name": "cashAcceptor"}]}, ("cdm", "cim")),
        ({"interfaces": [{"name": "Keyboard"}, {"name": "Crypto"}, {"name": "KeyManagement"}]}, ("pin",)),
        ({"interfaces": [{"name": "Printer"}], "printer": {"type": {"receipt": True, "journal": True}}}, ("prr",)),
        ({"interfaces": [{"name": "Printer"}], "printer": {"type": {"receipt": False, "journal": True}}}, ("prj",)),
        ({"interfaces": [{"name": "Auxiliaries"}, {"name": "VendorMode"}, {"name": "Camera"}]}, ("aux", "vdm", "cam")),
        ({"interfaces": [{"name": "BarcodeReader"}]}, ("bcr",)),
        ({"interfaces": [{"name": "BIOMETRIC"}]}, ("bio",)),
        ({"interfaces": [{"name": "Lights"}, {"name": "TextTerminal"}]}, ()),
        ({"interfaces": [{"name": "Printer"}], "printer": {"type": {"passbook": True, "document": True}}}, ("prp",)),
        ({"interfaces": [{"name": "Printer"}], "printer": {"type": {"Scanner": True, "document": True}}}, ("scn",)),
        ({"interfaces": [{"name": "Printer"}], "printer": {"type": {"document": True}}}, ("prp",)),
        ({"interfaces": [{"name": "Printer"}]}, ("prr",)),
        ({"interfaces": [{"name": "CardReader"}], "cardReader": {"type": "Contactless"}}, ("nfc",)),
        ({"cashDispenser": {"type": "tellerBill"}}, ("cdm",)),
    ],
)
def test_interfaces_decide_the_components(capabilities: dict[str, Any], components: tuple[str, ...]) -> None:
    assert read_capabilities(capabilities, []).components == components
