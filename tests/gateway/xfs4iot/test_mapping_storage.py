"""Storage: units become parts, counts become gauges and counters that only grow."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import ATM, SELF_SERVICE_TERMINAL
from gateway.driver import Observation
from gateway.drivers.xfs4iot.counters import Counters
from gateway.drivers.xfs4iot.mapping_storage import StorageView
from gateway.drivers.xfs4iot.parts import PARTS_MOST, PartNumbers, family_of
from gateway.drivers.xfs4iot.storage_unit import COUNTS_MOST, Unit, fill_state, read_unit
from tests.gateway.xfs4iot.examples import RETAIN_STORAGE, STORAGE

AT_MS = 1_700_000_000_000


def by_path(observations: Sequence[Observation]) -> dict[str, float | str]:
    return {item.path: item.value for item in observations}


def view_of(payload: dict[str, Any], component: str = "cdm") -> tuple[StorageView, Counters, dict[str, float | str]]:
    counters = Counters(ATM)
    view = StorageView("S", ATM, counters, PartNumbers())
    view.watch_begins()
    complaints: list[str] = []
    seen = by_path(view.whole(payload, (component,), AT_MS, complaints))
    assert complaints == []
    return view, counters, seen


def test_cassette_and_reject_bin_become_their_parts() -> None:
    _, _, seen = view_of(STORAGE)
    assert seen == {
        "cdm/unit1/count": 1000 - 842 - 3,
        "cdm/unit1/initial": 1000,
        "cdm/unit1/capacity": 2500,
        "cdm/unit1/low_threshold": 200,
        "cdm/unit1/denomination": 20,
        "cdm/unit1/replenishment": "low",
        "cdm/unit1/status": "ok",
        "cdm/unit1/operation": "ok",
        "cdm/unit1/accuracy": "accurate",
        "cdm/unit1/dispensed": 0,
        "cdm/unit1/rejected": 0,
        "cdm/notes_dispensed": 0,
        "cdm/notes_rejected": 0,
        "cdm/reject1/count": 3,
        "cdm/reject1/capacity": 300,
        "cdm/reject1/replenishment": "ok",
        "cdm/reject1/status": "ok",
        "cdm/cash_value": 155 * 20,
    }


def test_the_retain_bin_of_a_card_reader_becomes_its_part() -> None:
    _, _, seen = view_of(RETAIN_STORAGE, "idc")
    assert seen == {
        "idc/retain1/count": 31,
        "idc/retain1/capacity": 40,
        "idc/retain1/replenishment": "high",
        "idc/retain1/status": "ok",
        "idc/retained": 0,
    }


def test_an_event_changes_what_it_names_and_keeps_the_rest() -> None:
    view, _, _ = view_of(STORAGE)
    changed = {"unit1": {"cash": {"status": {"out": {"presented": {"typeUSD20A": {"fit": 846}}}}}}}
    seen = by_path(view.change(changed, ("cdm",), AT_MS, []))
    assert seen["cdm/unit1/count"] == 1000 - 846 - 3
    assert seen["cdm/unit1/dispensed"] == 4
    assert seen["cdm/notes_dispensed"] == 4
    assert seen["cdm/unit1/replenishment"] == "low"
    assert seen["cdm/cash_value"] == 151 * 20
    missing = by_path(view.change({"unit1": {"status": "missing"}}, ("cdm",), AT_MS, []))
    assert missing["cdm/unit1/status"] == "missing"
    empty = {"unit1": {"cash": {"status": {"replenishmentStatus": "empty"}}}}
    assert by_path(view.change(empty, ("cdm",), AT_MS, []))["cdm/unit1/replenishment"] == "empty"


def test_an_event_for_a_unit_nobody_knows_waits_for_the_next_reading() -> None:
    view, _, _ = view_of(STORAGE)
    assert view.change({"unit9": {"status": "missing"}}, ("cdm",), AT_MS, []) == []


@pytest.mark.parametrize(
    ("types", "family"),
    [
        ({"cashOut": True}, "cdm/unit"),
        ({"cashIn": True, "cashOut": True}, "cdm/unit"),
        ({"cashIn": True, "cashOut": False}, "cim/unit"),
        ({"reject": True}, "cdm/reject"),
        ({"reject": True, "cashOutRetract": True}, "cdm/reject"),
        ({"cashOutRetract": True}, "cdm/retract"),
        ({"cashInRetract": True}, "cim/retract"),
        ({"replenishment": True}, None),
    ],
)
def test_the_types_of_a_cash_unit_decide_its_part(types: dict[str, bool], family: str | None) -> None:
    unit = read_unit(Unit("unit1"), {"cash": {"configuration": {"types": types}}}, [])
    assert family_of(unit, ("cdm",)) == family


def test_capabilities_stand_in_where_nothing_is_configured() -> None:
    unit = read_unit(Unit("unit1"), {"cash": {"configuration": None, "capabilities": {"types": {"cashOut": True}}}}, [])
    assert family_of(unit, ("cdm",)) == "cdm/unit"


def test_a_printers_bin_belongs_to_the_printer() -> None:
    storage = {
        "storage": {"unitP": {"status": "ok", "printer": {"status": {"index": 1, "replenishmentStatus": "high"}}}}
    }
    _, _, seen = view_of(storage, "prr")
    assert seen == {"prr/retract1/replenishment": "high"}


def cassette(key: str, index: int, serial: str = "", label: str = "") -> Unit:
    return Unit(key, id=label, serial=serial, sort="cash", types=frozenset({"cashOut"}), index=index)


def test_parts_are_numbered_by_index_and_keep_their_number_when_slots_change() -> None:
    numbers = PartNumbers()
    first = numbers.assign("S", [cassette("unitB", 1, "S1"), cassette("unitA", 2, "S2")], ("cdm",))
    assert first.parts == {"unitB": "cdm/unit1", "unitA": "cdm/unit2"}
    second = numbers.assign("S", [cassette("unitB", 1, "S2"), cassette("unitA", 2, "S1")], ("cdm",))
    assert second.parts == {"unitB": "cdm/unit2", "unitA": "cdm/unit1"}
    assert second.new == set()


def test_a_new_cassette_takes_the_number_of_the_one_that_left() -> None:
    numbers = PartNumbers()
    numbers.assign("S", [cassette("unit1", 1, "S1"), cassette("unit2", 2, "S2")], ("cdm",))
    again = numbers.assign("S", [cassette("unit1", 1, "S1"), cassette("unit2", 2, "S9")], ("cdm",))
    assert again.parts == {"unit1": "cdm/unit1", "unit2": "cdm/unit2"}
    assert again.new == {"cdm/unit2"}


def test_a_cassette_that_was_taken_out_keeps_its_number() -> None:
    numbers = PartNumbers()
    numbers.assign("S", [cassette("unit1", 1, "S1", "CAS1"), cassette("unit2", 2, "S2", "CAS2")], ("cdm",))
    out = numbers.assign("S", [cassette("unit1", 1, "", "CAS1"), cassette("unit2", 2, "S2", "CAS2")], ("cdm",))
    assert out.parts == {"unit1": "cdm/unit1", "unit2": "cdm/unit2"}
    back = numbers.assign("S", [cassette("unit1", 1, "S1", "CAS1"), cassette("unit2", 2, "S2", "CAS2")], ("cdm",))
    assert (back.parts, back.new) == ({"unit1": "cdm/unit1", "unit2": "cdm/unit2"}, set())


@given(st.lists(st.lists(st.sampled_from(["S1", "S2", "S3", "S4", ""]), max_size=6), max_size=8))
def test_parts_never_collide_and_never_outnumber_the_slots(readings: list[list[str]]) -> None:
    numbers = PartNumbers()
    for serials in readings:
        units = [cassette(f"unit{slot}", slot + 1, serial) for slot, serial in enumerate(serials)]
        parts = numbers.assign("S", units, ("cdm",)).parts
        assert len(set(parts.values())) == len(units)
        most = max((len(reading) for reading in readings), default=0)
        assert {int(path.removeprefix("cdm/unit")) for path in parts.values()} <= set(range(1, most + 1))


def replenished(initial: int, presented: int) -> dict[str, Any]:
    storage = copy.deepcopy(STORAGE)
    status = storage["storage"]["unit1"]["cash"]["status"]
    status["initial"] = {"typeUSD20A": {"fit": initial}}
    status["out"] = {"presented": {"typeUSD20A": {"fit": presented}}}
    return storage


def test_a_replenishment_is_no_growth_and_what_follows_it_is() -> None:
    view, counters, _ = view_of(replenished(1000, 800))
    view.whole(replenished(2000, 30), ("cdm",), AT_MS, [])
    assert counters.total("cdm/notes_dispensed") == 30
    view.whole(replenished(2000, 50), ("cdm",), AT_MS, [])
    assert counters.total("cdm/notes_dispensed") == 50


def test_an_exchange_tells_a_replenishment_to_the_same_number() -> None:
    view, counters, _ = view_of(replenished(1000, 800))
    view.exchange_ended()
    view.whole(replenished(1000, 12), ("cdm",), AT_MS, [])
    assert counters.total("cdm/notes_dispensed") == 12


def test_a_correction_of_counts_is_no_growth() -> None:
    view, counters, _ = view_of(replenished(1000, 800))
    view.whole(replenished(1000, 795), ("cdm",), AT_MS, [])
    assert counters.total("cdm/notes_dispensed") == 0


def test_the_counts_of_a_swapped_cassette_are_no_growth() -> None:
    view, counters, _ = view_of(replenished(1000, 100))
    swapped = replenished(1000, 900)
    swapped["storage"]["unit1"]["serialNumber"] = "C999"
    view.whole(swapped, ("cdm",), AT_MS, [])
    assert counters.total("cdm/notes_dispensed") == 0


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000), st.booleans()), min_size=1, max_size=20))
def test_counters_never_fall_whatever_the_device_counts(steps: list[tuple[int, int, bool]]) -> None:
    counters = Counters(ATM)
    view = StorageView("S", ATM, counters, PartNumbers())
    last = 0
    for initial, presented, exchange in steps:
        if exchange:
            view.exchange_ended()
        view.whole(replenished(initial, presented), ("cdm",), AT_MS, [])
        now = counters.total("cdm/notes_dispensed")
        assert last <= now <= last + presented
        last = now


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=40))
def test_all_notes_of_a_well_behaved_machine_are_counted(withdrawals: list[tuple[int, bool]]) -> None:
    view, counters, _ = view_of(replenished(2000, 0))
    initial, presented, total = 2000, 0, 0
    for notes, refill in withdrawals:
        if refill:
            initial, presented = (2001 if initial == 2000 else 2000), 0
            view.whole(replenished(initial, presented), ("cdm",), AT_MS, [])
        presented += notes
        total += notes
        event = {"unit1": {"cash": {"status": {"out": {"presented": {"typeUSD20A": {"fit": presented}}}}}}}
        view.change(event, ("cdm",), AT_MS, [])
    assert counters.total("cdm/notes_dispensed") == total
    assert counters.total("cdm/unit1/dispensed") == total


def test_retracts_and_deposits_are_counted_where_they_belong() -> None:
    def storage(retracts: int, deposited: int, suspect: int) -> dict[str, Any]:
        incoming = {
            "retractOperations": retracts,
            "deposited": {"typeCNY100A": {"fit": deposited, "suspect": suspect}},
        }
        unit = {"cash": {"configuration": {"types": {"cashIn": True, "cashOut": True}}, "status": {"in": incoming}}}
        return {"storage": {"unit1": unit}}

    counters = Counters(ATM)
    view = StorageView("S", ATM, counters, PartNumbers())
    view.whole(storage(1, 100, 0), ("cdm", "cim"), AT_MS, [])
    seen = by_path(view.whole(storage(3, 140, 2), ("cdm", "cim"), AT_MS, []))
    assert seen["cdm/retract_operations"] == 2
    assert seen["cim/notes_accepted"] == 42
    assert seen["cim/notes_suspect"] == 2
    assert seen["cdm/unit1/count"] == 142


def test_bad_counts_are_told_and_left_out() -> None:
    complaints: list[str] = []
    raw = {"capacity": -5, "cash": {"status": {"initial": {"typeA": {"fit": "many", "unfit": 1.5, "inked": True}}}}}
    unit = read_unit(Unit("unit1"), raw, complaints)
    assert unit.notes == 0
    assert len(complaints) == 4


def test_a_unit_keeps_a_bounded_number_of_counts() -> None:
    complaints: list[str] = []
    unit = Unit("unit1")
    for round_ in range(20):
        items = {f"type{round_}X{item}": {"fit": 1} for item in range(100)}
        unit = read_unit(unit, {"cash": {"status": {"initial": items}}}, complaints)
    assert len(unit.counts) <= COUNTS_MOST
    assert complaints


def test_two_services_that_share_their_cassettes_tell_of_the_same_parts() -> None:
    numbers = PartNumbers()
    dispenser = numbers.assign("CashDispenser1", [cassette("unitA", 1, "S1"), cassette("unitB", 2, "S2")], ("cdm",))
    acceptor = numbers.assign("CashAcceptor1", [cassette("unit7", 1, "S2"), cassette("unit8", 2, "S1")], ("cim",))
    assert dispenser.parts == {"unitA": "cdm/unit1", "unitB": "cdm/unit2"}
    assert acceptor.parts == {"unit7": "cdm/unit2", "unit8": "cdm/unit1"}
    swapped = numbers.assign("CashDispenser1", [cassette("unitA", 1, "S1"), cassette("unitB", 2, "S9")], ("cdm",))
    assert (swapped.parts["unitB"], swapped.new) == ("cdm/unit2", {"cdm/unit2"})
    later = numbers.assign("CashAcceptor1", [cassette("unit7", 1, "S9"), cassette("unit8", 2, "S1")], ("cim",))
    assert later.parts == {"unit7": "cdm/unit2", "unit8": "cdm/unit1"}


def test_units_of_two_services_with_the_same_label_are_two() -> None:
    numbers = PartNumbers()
    numbers.assign("A", [cassette("unit1", 1, label="RJ")], ("cdm",))
    assert numbers.assign("B", [cassette("unit1", 1, label="RJ")], ("cim",)).parts == {"unit1": "cdm/unit2"}


def test_units_of_a_service_that_was_renamed_are_known_again() -> None:
    gone: set[str] = set()
    numbers = PartNumbers(has_left=gone.__contains__)
    numbers.assign("Old", [cassette("unit1", 1, label="A"), cassette("unit2", 2)], ("cdm",))
    gone.add("Old")
    again = numbers.assign("New", [cassette("unit1", 1, label="A"), cassette("unit2", 2)], ("cdm",))
    assert (again.parts, again.new) == ({"unit1": "cdm/unit1", "unit2": "cdm/unit2"}, set())


def test_a_serial_number_goes_before_a_label_that_two_units_share() -> None:
    numbers = PartNumbers()
    numbers.assign("S", [cassette("unit1", 1, "S1", "CAS"), cassette("unit2", 2, "S2", "CAS")], ("cdm",))
    out = numbers.assign("S", [cassette("unit1", 1, "", "CAS"), cassette("unit2", 2, "S1", "CAS")], ("cdm",))
    assert out.parts["unit2"] == "cdm/unit1"
    assert out.parts["unit1"] == "cdm/unit2"


def test_part_numbers_are_kept() -> None:
    first = PartNumbers()
    first.assign("S", [cassette("unit1", 1, "S1"), cassette("unit2", 2, "S2")], ("cdm",))
    second = PartNumbers()
    second.recall({**first.to_keep(), "unit/cdm/unit9": "{broken", "cdm/errors": "4"})
    again = second.assign("S", [cassette("unit1", 1, "S2"), cassette("unit2", 2, "S1")], ("cdm",))
    assert (again.parts, again.new) == ({"unit1": "cdm/unit2", "unit2": "cdm/unit1"}, set())


def test_a_machine_has_a_bounded_number_of_parts() -> None:
    numbers = PartNumbers()
    for service in range(10):
        units = [cassette(f"unit{slot}", slot, f"{service}-{slot}") for slot in range(1, 33)]
        assignment = numbers.assign(f"S{service}", units, ("cdm",))
    assert len(assignment.left_out) == 32
    assert len(numbers.to_keep()) == PARTS_MOST


def test_a_unit_that_two_readings_leave_out_is_missing_and_may_come_back() -> None:
    view, counters, _ = view_of(STORAGE)
    without = {"storage": {"unit2": STORAGE["storage"]["unit2"]}}
    seen = by_path(view.whole(without, ("cdm",), AT_MS, []))
    assert "cdm/unit1/status" not in seen
    doubts = [view.is_doubtful]
    seen = by_path(view.whole(without, ("cdm",), AT_MS, []))
    assert seen["cdm/unit1/status"] == "missing"
    assert [*doubts, view.is_doubtful] == [True, False]
    assert "cdm/unit1/status" not in by_path(view.whole(without, ("cdm",), AT_MS, []))
    assert by_path(view.whole(STORAGE, ("cdm",), AT_MS, []))["cdm/unit1/status"] == "ok"
    assert counters.total("cdm/notes_dispensed") == 0


def test_a_reading_without_any_unit_takes_none_away() -> None:
    view, _, _ = view_of(STORAGE)
    for _ in range(3):
        assert view.whole({"storage": {}}, ("cdm",), AT_MS, []) == []


@pytest.mark.parametrize(
    ("before", "after", "growth"),
    [
        (replenished(1000, 800), replenished(1000, 830), 30),  # customers went on while nobody looked
        (replenished(1000, 800), replenished(1000, 300), 300),  # refilled with the same number, unseen
        (replenished(1000, 100), replenished(2000, 500), 500),  # refilled with another one
        (replenished(1000, 800), replenished(1000, 800), 0),
    ],
)
def test_what_a_cassette_counted_while_the_gateway_was_down_is_caught_up(
    before: dict[str, Any], after: dict[str, Any], growth: int
) -> None:
    def live(kept: dict[str, str], reading: dict[str, Any]) -> tuple[dict[str, str], Counters]:
        counters, numbers = Counters(ATM), PartNumbers()
        counters.recall(kept)
        numbers.recall(kept)
        view = StorageView("S", ATM, counters, numbers)
        view.watch_begins()
        view.whole(reading, ("cdm",), AT_MS, [])
        return {**counters.to_keep(), **numbers.to_keep()}, counters

    kept, _ = live({}, before)
    _, counters = live(kept, after)
    assert counters.total("cdm/notes_dispensed") == growth


def test_an_exchange_that_ends_while_a_reading_is_on_its_way_explains_the_next_one() -> None:
    view, counters, _ = view_of(replenished(1000, 800))
    view.asked()
    view.whole(replenished(1000, 800), ("cdm",), AT_MS, [])
    view.asked()
    view.exchange_ended()
    view.whole(replenished(1000, 800), ("cdm",), AT_MS, [])  # the answer was written before the exchange ended
    view.asked()
    view.whole(replenished(1000, 12), ("cdm",), AT_MS, [])
    assert counters.total("cdm/notes_dispensed") == 12


def test_events_that_tell_a_refill_in_pieces_are_one_refill() -> None:
    view, counters, _ = view_of(replenished(1000, 800))
    for _ in range(2):
        view.asked()
        view.whole(replenished(1000, 800), ("cdm",), AT_MS, [])

    def told(status: dict[str, Any]) -> None:
        view.change({"unit1": {"cash": {"status": status}}}, ("cdm",), AT_MS, [])

    told({"initial": {"typeUSD20A": {"fit": 2000}}})
    told({"out": {"presented": {"typeUSD20A": {"fit": 25}}}})
    assert counters.total("cdm/notes_dispensed") == 25


def test_a_retain_bin_that_was_emptied_counts_on() -> None:
    def retained(count: int) -> dict[str, Any]:
        card = {"capabilities": {"type": "retain"}, "status": {"count": count, "retainCount": count}}
        return {"storage": {"unitR": {"card": card}}}

    view, counters, _ = view_of(retained(31), "idc")
    for count in (31, 33, 1, 2):
        view.whole(retained(count), ("idc",), AT_MS, [])
    assert counters.total("idc/retained") == 4


def cash(initial: int, status: dict[str, Any] | None = None, capacity: int = 0, **configuration: Any) -> Unit:
    counts = {"initial": {"typeA": {"fit": initial}}, **(status or {})}
    raw = {"capacity": capacity, "cash": {"configuration": configuration, "status": counts}}
    return read_unit(Unit("unit1"), raw, [])


def cards(count: int, type_: str, threshold: int | None = None, capacity: int = 0) -> Unit:
    configuration = {} if threshold is None else {"threshold": threshold}
    card = {"capabilities": {"type": type_}, "configuration": configuration, "status": {"count": count}}
    return read_unit(Unit("unit1"), {"capacity": capacity, "card": card}, [])


@pytest.mark.parametrize(
    ("unit", "state"),
    [
        (cash(199, lowThreshold=200), "low"),
        (cash(200, lowThreshold=200), "ok"),
        (cash(0, lowThreshold=200), "empty"),
        (cash(901, highThreshold=900, capacity=1000), "high"),
        (cash(1000, highThreshold=900, capacity=1000), "full"),
        (cash(5, {"in": {"retractOperations": 3}}, maxRetracts=3), "full"),
        (cash(199, {"replenishmentStatus": "OK"}, lowThreshold=200), "ok"),  # the device knows better
        (cards(31, "retain", 30), "high"),
        (cards(40, "retain", 30, 40), "full"),
        (cards(3, "retain"), "ok"),
        (cards(19, "dispense", 20), "low"),
        (cards(200, "dispense", 20), "ok"),
        (cards(0, "dispense", 20), "empty"),
        (Unit("unit1", sort="cash"), None),
        (read_unit(Unit("unit1"), {"printer": {"status": {"index": 1}}}, []), None),
    ],
)
def test_a_fill_state_that_is_not_told_follows_from_counts_and_thresholds(unit: Unit, state: str | None) -> None:
    assert fill_state(unit) == state


def test_the_card_stock_of_a_terminal_becomes_its_part() -> None:
    stock = {"capabilities": {"type": "Dispense"}, "status": {"count": 180, "replenishmentStatus": "OK"}}
    counters = Counters(SELF_SERVICE_TERMINAL)
    view = StorageView("S", SELF_SERVICE_TERMINAL, counters, PartNumbers())
    seen = by_path(view.whole({"storage": {"unit1": {"card": stock}}}, ("idc",), AT_MS, []))
    assert seen == {"idc/stock1/count": 180, "idc/stock1/replenishment": "ok"}
    identity_cards = StorageView("T", SELF_SERVICE_TERMINAL, counters, PartNumbers())
    assert identity_cards.whole({"storage": {"unit1": {"card": stock}}}, ("idr",), AT_MS, []) == []
