"""Events: what each of them says, in every message major."""

import copy
from typing import Any

import pytest

from contracts.devices import ATM
from contracts.errors import DeviceError
from contracts.signals import DeviceKind
from gateway.driver import Identity, Observation
from gateway.drivers.xfs4iot.client import Connection
from gateway.drivers.xfs4iot.envelope import Command, Message, parse_message
from gateway.drivers.xfs4iot.machine import machine_of
from gateway.drivers.xfs4iot.mapping_events import FIXED, READ
from gateway.drivers.xfs4iot.service import Service
from gateway.drivers.xfs4iot.settings import Settings
from runtime.clock import ManualClock
from tests.gateway.xfs4iot.examples import completion, event
from tests.gateway.xfs4iot.scripted_machine import Recorder


class Answers(Connection):
    """A connection whose service says at once what a test wrote down."""

    def __init__(self, answers: dict[str, dict[str, Any]], major: int) -> None:
        self.answers = answers
        self.major = major
        self.versions = {}

    async def request(self, command: Command, payload: Any = None) -> Message:
        return parse_message(completion(command, 1, self.answers.get(command, {}), self.major))


class Bench:
    """A service without a network: events go in, signals come out."""

    def __init__(self, *interfaces: str, major: int = 3, kind: DeviceKind = ATM, **capabilities: Any) -> None:
        self.major = major
        self.clock = ManualClock(1_700_000_000_000)
        self.sink = Recorder()
        self.machine = machine_of(Settings(host="atm", tls=False), kind, self.clock)
        self.service = Service("S", self.machine)
        self.answers: dict[str, dict[str, Any]] = {
            "Common.Capabilities": {"interfaces": [{"name": name} for name in interfaces], **capabilities}
        }

    async def start(self) -> "Bench":
        await self.machine.report.open(self.sink)
        await self.service.introduce(Answers(self.answers, self.major))
        return self

    async def tell(self, name: str, payload: dict[str, Any] | None = None, after_ms: int = 0) -> dict[str, Any]:
        """Hand in an event; returns what came of it."""
        self.clock.advance(after_ms)
        before = len(self.sink.seen)
        await self.service.handle(parse_message(event(name, payload or {}, self.major)))
        return {item.path: item.value for item in self.sink.seen[before:]}

    async def status(self, payload: dict[str, Any], after_ms: int = 0) -> dict[str, Any]:
        """Let the status be read; returns what came of it."""
        self.clock.advance(after_ms)
        before = len(self.sink.seen)
        await self.service._read_status(Answers({"Common.Status": payload}, self.major))
        return {item.path: item.value for item in self.sink.seen[before:]}

    async def storage(self, payload: dict[str, Any]) -> dict[str, Any]:
        before = len(self.sink.seen)
        await self.service._read_storage(Answers({"Storage.GetStorage": payload}, self.major))
        return {item.path: item.value for item in self.sink.seen[before:]}


@pytest.mark.parametrize("major", [1, 2, 3])
async def test_a_module_error_is_a_text_and_counts(major: int) -> None:
    bench = await Bench("CashDispenser", major=major).start()
    error = {"eventId": "hardware", "action": "clear", "vendorDescription": "Note jam at stacker, sensor S7"}
    assert await bench.tell("Common.ErrorEvent", error) == {
        "cdm/errors": 1,
        "cdm/error": "hardware/clear: Note jam at stacker, sensor S7",
    }


@pytest.mark.parametrize(("event_id", "errors"), [("hardware", 1), ("software", 1), ("user", 0), ("fraudAttempt", 0)])
async def test_errors_of_people_are_not_errors_of_the_module(event_id: str, errors: int) -> None:
    bench = await Bench("CardReader").start()
    seen = await bench.tell("Common.ErrorEvent", {"eventId": event_id, "action": "maintenance"})
    assert seen["idc/error"] == f"{event_id}/maintenance: "
    assert seen.get("idc/errors", 0) == errors


@pytest.mark.parametrize("major", [1, 2, 3])
@pytest.mark.parametrize(
    ("interfaces", "name", "payload", "expected"),
    [
        (
            ["CashDispenser"],
            "CashManagement.ShutterStatusChangedEvent",
            {"position": "outDefault", "shutter": "jammed"},
            {"cdm/shutter": "jammedUnknown"},
        ),
        (
            ["CashAcceptor"],
            "CashManagement.ShutterStatusChangedEvent",
            {"position": "inDefault", "shutter": "open"},
            {"cim/shutter": "open"},
        ),
        (["Printer"], "Printer.PaperThresholdEvent", {"paperSource": "upper", "threshold": "low"}, {"prr/upper/paper": "low"}),
        (["Printer"], "Printer.RetractBinThresholdEvent", {"binNumber": 2, "state": "full"}, {"prr/retract2/replenishment": "full"}),
        (["CardReader"], "CardReader.MediaRemovedEvent", {}, {"idc/media": "notPresent"}),
        (["VendorMode"], "VendorMode.ModeEnteredEvent", {}, {"vdm/service": "active"}),
        (["VendorMode"], "VendorMode.ModeExitedEvent", {}, {"vdm/service": "inactive"}),
        (["CashDispenser"], "CashManagement.SafeDoorOpenEvent", {}, {"aux/safe_door": "open"}),
        (["CashDispenser"], "CashManagement.SafeDoorClosedEvent", {}, {"aux/safe_door": "closed"}),
        (["Auxiliaries"], "Auxiliaries.AuxiliaryStatusEvent", {"cabinetDoor": "open"}, {"aux/cabinet_door": "open"}),
        (
            ["KeyManagement"],
            "KeyManagement.IllegalKeyAccessEvent",
            {"keyName": "TMK", "errorCode": "keyNotFound"},
            {"pin/illegal_key_access": "TMK: keyNotFound"},
        ),
        (["Camera"], "Camera.MediaThresholdEvent", {"mediaThreshold": "full"}, {}),
        (["CashDispenser"], "Vendor.SomethingNewEvent", {"common": {"device": "offline"}}, {}),
    ],
)  # fmt: skip
async def test_an_event_becomes_its_signals(
    major: int, interfaces: list[str], name: str, payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    bench = await Bench(*interfaces, major=major).start()
    assert await bench.tell(name, payload) == expected
    assert bench.sink.refused == []


def test_every_event_is_named_as_messages_name_themselves() -> None:
    for name in (*FIXED, *READ):
        assert parse_message(event(f"Interface.{name.capitalize()}Event", {}, 3)).short_name == name


async def test_a_presentation_counts_once_however_it_shows() -> None:
    bench = await Bench("CashDispenser").start()

    def at_output(word: str) -> dict[str, Any]:
        return {"cashDispenser": {"positions": [{"position": "outDefault", "positionStatus": word}]}}

    await bench.status(at_output("empty"))
    await bench.tell("CashManagement.ItemsPresentedEvent", {"position": "outDefault"})
    await bench.tell("Common.StatusChangedEvent", at_output("notEmpty"))
    assert bench.sink.last("cdm/presents") == 1
    await bench.tell("CashManagement.ItemsTakenEvent", {"position": "outDefault"})
    await bench.tell("Common.StatusChangedEvent", at_output("empty"))
    await bench.tell("Common.StatusChangedEvent", at_output("notEmpty"))
    await bench.tell("CashManagement.ItemsPresentedEvent", {"position": "outDefault"})
    assert bench.sink.last("cdm/presents") == 2
    await bench.tell("CashManagement.ItemsTakenEvent", {"position": "outDefault"})
    await bench.tell("CashManagement.ItemsPresentedEvent", {"position": "outDefault"})
    await bench.tell("CashManagement.ItemsPresentedEvent", {"position": "outDefault"})
    assert bench.sink.last("cdm/presents") == 4


async def test_notes_given_back_by_an_acceptor_are_no_presentation() -> None:
    bench = await Bench("CashAcceptor").start()
    await bench.tell("CashManagement.ItemsInsertedEvent", {"position": "inDefault"})
    seen = await bench.tell("CashManagement.ItemsPresentedEvent", {"position": "inDefault"})
    assert seen == {}
    assert bench.sink.last("cim/inserts") == 1


def media(word: str) -> dict[str, Any]:
    return {"cardReader": {"media": word}}


async def test_a_card_given_back_at_once_is_a_short_insertion() -> None:
    bench = await Bench("CardReader").start()
    await bench.status(media("notPresent"))
    await bench.tell("Common.StatusChangedEvent", media("entering"), after_ms=60_000)
    await bench.tell("Common.StatusChangedEvent", media("present"), after_ms=1_000)
    await bench.tell("CardReader.MediaRemovedEvent", after_ms=6_999)
    assert (bench.sink.last("idc/insertions"), bench.sink.last("idc/short_insertions")) == (1, 1)
    await bench.tell("Common.StatusChangedEvent", media("present"), after_ms=60_000)
    await bench.tell("CardReader.MediaRemovedEvent", after_ms=8_000)
    assert (bench.sink.last("idc/insertions"), bench.sink.last("idc/short_insertions")) == (2, 1)


async def test_a_card_first_seen_by_a_poll_is_not_called_short_by_guess() -> None:
    bench = await Bench("CardReader").start()
    await bench.status(media("notPresent"))
    await bench.status(media("present"), after_ms=30_000)
    await bench.tell("CardReader.MediaRemovedEvent", after_ms=2_000)
    assert bench.sink.last("idc/insertions") == 1
    assert bench.sink.last("idc/short_insertions") == 0


@pytest.mark.parametrize(("major", "insertions"), [(1, 1), (2, 0), (3, 0)])
async def test_only_where_insertions_are_not_told_a_removal_tells_one(major: int, insertions: int) -> None:
    bench = await Bench("CardReader", major=major).start()
    await bench.status(media("notPresent"))
    await bench.tell("CardReader.MediaRemovedEvent", after_ms=10_000)
    assert (await bench.status(media("notPresent")))["idc/insertions"] == insertions


async def test_in_major_1_a_card_that_was_seen_is_counted_once() -> None:
    bench = await Bench("CardReader", major=1).start()
    await bench.status(media("notPresent"))
    await bench.status(media("present"))
    await bench.tell("CardReader.MediaRemovedEvent", after_ms=10_000)
    assert bench.sink.last("idc/insertions") == 1


async def test_a_kept_card_is_counted_and_not_short() -> None:
    bench = await Bench("CardReader").start()
    await bench.status(media("notPresent"))
    await bench.tell("Common.StatusChangedEvent", media("present"))
    await bench.tell("CardReader.CardActionEvent", {"to": "retain", "from": "transport"}, after_ms=2_000)
    await bench.tell("Common.StatusChangedEvent", media("notPresent"), after_ms=1_000)
    assert bench.sink.last("idc/retained") == 1
    assert (await bench.status(media("notPresent")))["idc/short_insertions"] == 0


async def test_a_kept_card_that_the_bin_counts_is_not_counted_twice() -> None:
    def kept(count: int) -> dict[str, Any]:
        card = {"capabilities": {"type": "retain"}, "status": {"count": count, "retainCount": count}}
        return {"storage": {"unitR": {"card": card}}}

    bench = await Bench("CardReader", "Storage").start()
    await bench.storage(kept(5))
    assert await bench.tell("CardReader.CardActionEvent", {"to": "unitR", "from": "transport"}) == {}
    assert (await bench.storage(kept(6)))["idc/retained"] == 1


async def test_receipts_are_counted_when_they_appear() -> None:
    bench = await Bench("Printer").start()
    for word in ("notPresent", "present", "present", "notPresent", "present"):
        await bench.tell("Common.StatusChangedEvent", {"printer": {"media": word}})
    assert bench.sink.last("prr/presentations") == 2


async def test_the_end_of_an_exchange_explains_counts_that_fell() -> None:
    def storage(presented: int) -> dict[str, Any]:
        counts = {"initial": {"typeA": {"fit": 2000}}, "out": {"presented": {"typeA": {"fit": presented}}}}
        unit = {"cash": {"configuration": {"types": {"cashOut": True}}, "status": counts}}
        return {"storage": {"unit1": unit}}

    bench = await Bench("CashDispenser", "Storage").start()
    await bench.storage(storage(1500))
    await bench.tell("Common.StatusChangedEvent", {"common": {"exchange": "active"}})
    await bench.tell("Common.StatusChangedEvent", {"common": {"exchange": "inactive"}})
    await bench.storage(storage(40))
    assert bench.sink.last("cdm/notes_dispensed") == 40


async def test_a_second_service_of_a_component_is_not_mixed_with_the_first() -> None:
    bench = await Bench("CashDispenser").start()
    bench.machine.link.connected("S")
    other = Service("T", bench.machine)
    await other.introduce(Answers(bench.answers, 3))
    await other.handle(parse_message(event("Common.StatusChangedEvent", {"common": {"device": "offline"}}, 3)))
    assert bench.sink.last("cdm/device") is None


async def test_every_counter_of_a_component_is_told_from_the_start() -> None:
    bench = await Bench("CashDispenser", "CashAcceptor").start()
    seen = await bench.status({})
    assert seen == {
        "cdm/errors": 0, "cdm/presents": 0, "cdm/notes_dispensed": 0, "cdm/notes_rejected": 0, "cdm/retract_operations": 0,
        "cim/errors": 0, "cim/inserts": 0, "cim/notes_accepted": 0, "cim/notes_suspect": 0, "cim/retract_operations": 0,
    }  # fmt: skip


async def test_what_is_seen_carries_the_time_it_was_seen() -> None:
    bench = await Bench("CashDispenser").start()
    await bench.tell("Common.StatusChangedEvent", {"common": {"device": "offline"}}, after_ms=77)
    assert bench.sink.seen == [Observation("cdm/device", "offline", 1_700_000_000_077)]


async def test_a_property_of_the_wrong_type_is_kept_for_inspection_with_its_frame() -> None:
    bench = await Bench("CashDispenser").start()
    await bench.tell("Common.StatusChangedEvent", {"common": {"device": ["online"]}})
    (raw, error) = bench.sink.refused[0]
    assert "StatusChangedEvent" in str(raw)
    assert isinstance(error, DeviceError)
    assert "device: expected a word" in str(error)


async def test_an_event_leaves_the_table_of_fixed_events_as_it_was() -> None:
    before = copy.deepcopy(dict(FIXED))
    bench = await Bench("CardReader").start()
    await bench.tell("CardReader.MediaRemovedEvent")
    assert dict(FIXED) == before
    assert bench.service.profile.identity == Identity()
