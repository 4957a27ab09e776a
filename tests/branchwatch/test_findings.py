"""The demonstration's verdict: it must be able to say no."""

from datetime import time
from typing import Any

import pytest

from branchwatch.demo_report import Packs, Percentiles, ReadingCounts
from branchwatch.deployment import Completeness
from branchwatch.findings import Findings
from runtime.clock import ManualClock
from simulators.branch import SimulatedBranch
from simulators.player import Player
from simulators.scenario import Expected, Scenario, Step
from simulators.world import World

BEGAN_MS = 1_795_000_000_000

IN_TIME = "99 of 100 faults without a delay are raised within 1 s"

JAM = Step(
    name="jam", at_s=1, branch=1, device="atm-01", inject="note_jam", technician=True,
    expect=(Expected(rule="atm.cdm.jam", closed=True),),
)  # fmt: skip
SCENARIO = Scenario(
    name="trial", title_en="t", title_zh="试", begin_at=time(10), pace=1, needs_s=10, steps=(JAM,)
)  # fmt: skip


def fault(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1, "rule_id": "atm.cdm.jam", "device_id": "BR0001/atm-01", "component": "cdm", "family": "jam",
        "raised_at_ms": BEGAN_MS + 40, "observed_at_ms": BEGAN_MS, "cleared_at_ms": None, **changes,
    }  # fmt: skip


def burglary(after_ms: int) -> dict[str, Any]:
    """A fault of a rule without a delay."""
    return fault(id=9, rule_id="alm.burglary", device_id="BR0001/panel-01", raised_at_ms=BEGAN_MS + after_ms)


def order(**changes: Any) -> dict[str, Any]:
    return {
        "number": "WO-000001", "device_id": "BR0001/atm-01", "component": "cdm", "family": "jam", "state": "closed",
        "fault_ids": [1], **changes,
    }  # fmt: skip


def unmet(
    faults: list[dict[str, Any]],
    orders: list[dict[str, Any]],
    *,
    happened: bool = True,
    packs: Packs | None = None,
    readings: ReadingCounts | None = None,
) -> set[str]:
    player = Player(SCENARIO, [SimulatedBranch("BR0001", World(), ("127.0.0.1", 1))], None, ManualClock(BEGAN_MS))
    if happened:
        player.happened["jam"] = BEGAN_MS
    report = Findings(player, [], faults, orders).report(
        10,
        packs or Packs(sent=5, committed=5, duplicates_dropped=0, holes_open=0),
        Completeness(readings or ReadingCounts(produced=9, stored=9, lost=0, doubled=0), Percentiles(p50=1.0, p99=2.0)),
    )
    names = {item.name for item in report.expectations if not item.met}
    assert report.ok == (not names)
    assert IN_TIME not in names, "the scenario expects no fault of a rule without a delay"
    return names - {"at least 1 rules raise faults"}


def test_a_repaired_and_verified_failure_meets_what_was_expected() -> None:
    assert unmet([fault()], [order()]) == set()


def test_a_failure_that_raises_nothing_is_found() -> None:
    assert unmet([], []) == {"jam: fault"}


def test_a_step_that_never_happened_is_found() -> None:
    assert unmet([fault()], [order()], happened=False) == {"jam: happens"}


def test_a_fault_from_before_the_step_does_not_count() -> None:
    assert "jam: fault" in unmet([fault(raised_at_ms=BEGAN_MS - 1)], [order()])


def test_a_fault_without_its_order_is_found() -> None:
    assert unmet([fault()], [order(fault_ids=[2])]) == {"jam: work order", "jam: closed after verification"}


def test_an_order_that_is_not_closed_is_found() -> None:
    assert unmet([fault()], [order(state="verifying")]) == {"jam: closed after verification"}


def test_a_false_alarm_is_found() -> None:
    assert unmet([fault(), fault(id=2, device_id="BR0001/atm-02")], [order()]) == {"no fault without a cause"}


def test_a_missing_pack_or_an_open_hole_is_found() -> None:
    for packs in (
        Packs(sent=5, committed=4, duplicates_dropped=0, holes_open=0),
        Packs(sent=5, committed=5, duplicates_dropped=0, holes_open=1),
    ):
        assert unmet([fault()], [order()], packs=packs) == {"every pack is committed"}


def test_lost_doubled_and_surplus_readings_are_found() -> None:
    for readings in (
        ReadingCounts(produced=9, stored=8, lost=1, doubled=0),
        ReadingCounts(produced=9, stored=9, lost=0, doubled=1),
        ReadingCounts(produced=9, stored=10, lost=0, doubled=0),
    ):
        assert unmet([fault()], [order()], readings=readings) == {"every reading is stored once"}


@pytest.mark.parametrize(("after_ms", "in_time"), [(40, True), (999, True), (1000, False)])
def test_a_fault_that_takes_too_long_is_found(after_ms: int, in_time: bool) -> None:
    player = Player(SCENARIO, [SimulatedBranch("BR0001", World(), ("127.0.0.1", 1))], None, ManualClock(BEGAN_MS))
    packs = Packs(sent=1, committed=1, duplicates_dropped=0, holes_open=0)
    counted = Completeness(ReadingCounts(produced=1, stored=1, lost=0, doubled=0), Percentiles(p50=1.0, p99=2.0))
    report = Findings(player, [], [burglary(after_ms)], []).report(10, packs, counted)
    assert next(item.met for item in report.expectations if item.name == IN_TIME) is in_time


def test_of_several_things_expected_each_has_to_come() -> None:
    both = Step(
        name="raid", at_s=1, branch=1, device="panel-01", inject="robbery",
        expect=(Expected(rule="alm.holdup", cleared=True), Expected(rule="alm.tamper")),
    )  # fmt: skip
    player = Player(
        SCENARIO.model_copy(update={"steps": (both,)}),
        [SimulatedBranch("BR0001", World(), ("127.0.0.1", 1))], None, ManualClock(BEGAN_MS),
    )  # fmt: skip
    player.happened["raid"] = BEGAN_MS
    packs = Packs(sent=1, committed=1, duplicates_dropped=0, holes_open=0)
    counted = Completeness(ReadingCounts(produced=1, stored=1, lost=0, doubled=0), Percentiles(p50=1.0, p99=2.0))
    raised = [fault(rule_id="alm.holdup", device_id="BR0001/panel-01")]
    report = Findings(player, [], raised, [order()]).report(10, packs, counted)
    assert {item.name for item in report.expectations if not item.met} == {
        "raid, alm.holdup on panel-01: cleared", "raid, alm.tamper on panel-01: fault", "at least 2 rules raise faults",
    }  # fmt: skip


def test_a_fault_without_a_delay_that_never_came_was_not_in_time() -> None:
    hold_up = Step(
        name="a", at_s=1, branch=1, device="panel-01", inject="holdup", expect=(Expected(rule="alm.holdup"),)
    )
    player = Player(
        SCENARIO.model_copy(update={"steps": (hold_up,)}),
        [SimulatedBranch("BR0001", World(), ("127.0.0.1", 1))], None, ManualClock(BEGAN_MS),
    )  # fmt: skip
    packs = Packs(sent=1, committed=1, duplicates_dropped=0, holes_open=0)
    counted = Completeness(ReadingCounts(produced=1, stored=1, lost=0, doubled=0), Percentiles(p50=1.0, p99=2.0))
    report = Findings(player, [], [], []).report(10, packs, counted)
    assert next(item.met for item in report.expectations if item.name == IN_TIME) is False
