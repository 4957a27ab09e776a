"""The physical model: money is conserved whatever happens, and wear follows its law."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from simulators.atm.cash_units import Cassette
from simulators.atm.demand import (
    HOURLY_PCT,
    WEEKDAY_FACTOR,
    Purpose,
    Visit,
    next_visit,
    rate_per_s,
    typical_transactions_per_day,
)
from simulators.atm.dispenser import Stacking
from simulators.atm.exchange import exchange_script
from simulators.atm.machine import Machine
from simulators.atm.visits import visit_script
from simulators.modules.arrivals import next_arrival_s
from simulators.modules.card_reader import RETAIN_CAPACITY, CardReader
from simulators.modules.happenings import Happening, ModuleFailed, NotesPresented, PaperReached
from simulators.modules.receipt_printer import LOW_RECEIPTS, RECEIPTS_PER_ROLL, ReceiptPrinter
from simulators.modules.technician import repair_script
from simulators.modules.wear import Wear
from tests.simulators.atm.conftest import NIGHT

_VISITS_A_YEAR = 200 * 365
MISHAPS = st.sampled_from(["jam_notes", "jam_shutter"])
STEPS = st.integers(0, 12)


class CashStaysInBalance(RuleBasedStateMachine):
    """Customers, failures and crews in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine(random.Random(7), cassettes=2, capacity=300, low_threshold=40)
        self.chance = random.Random(8)
        # Old rollers: rejects and jams come often enough to meet them here.
        self.machine.dispenser.wear = Wear(mean_operations=150, shape=1.3)

    @rule(notes=st.integers(1, 40))
    def stack(self, notes: int) -> None:
        before = self.machine.dispenser.available
        outcome = self.machine.dispenser.stack(notes)
        if outcome is Stacking.STACKED:
            assert self.machine.dispenser.in_stacker == notes
        if outcome is Stacking.NOT_ENOUGH:
            assert before < notes or self.machine.dispenser.in_stacker == 0

    @rule()
    def present(self) -> None:
        self.machine.dispenser.present()

    @rule()
    def take(self) -> None:
        self.machine.dispenser.take()

    @rule()
    def retract(self) -> None:
        self.machine.dispenser.retract()

    @rule()
    def reject(self) -> None:
        self.machine.dispenser.reject_stacked()

    @rule()
    def jam_notes(self) -> None:
        self.machine.dispenser.jam_notes()

    @rule()
    def jam_shutter(self) -> None:
        self.machine.dispenser.jam_shutter()

    @rule(notes=st.integers(0, 60))
    def leave_few_notes(self, notes: int) -> None:
        first = self.machine.dispenser.cassettes[0]
        self.machine.dispenser.leave(first, notes)
        assert first.count <= notes

    def play(self, script: Iterator[float], mishap: str, at_step: int) -> None:
        """Play a script to its end, with a mishap after one of its steps."""
        for step, _ in enumerate(script):
            if step == at_step:
                getattr(self.machine.dispenser, mishap)()
            self.balanced()

    @rule(notes=st.integers(1, 50), with_card=st.booleans(), mishap=MISHAPS, at_step=STEPS)
    def customer(self, notes: int, with_card: bool, mishap: str, at_step: int) -> None:
        visit = Visit(Purpose.WITHDRAWAL, notes, with_card, 50.0, wants_receipt=True)
        self.play(visit_script(self.machine, visit, self.chance), mishap, at_step)

    @precondition(lambda self: self.machine.dispenser.jammed)
    @rule(mishap=MISHAPS, at_step=STEPS)
    def technician(self, mishap: str, at_step: int) -> None:
        self.play(repair_script(self.machine, self.machine.dispenser.clear), mishap, at_step)
        assert self.machine.cabinet.vendor_mode == "inactive"
        self.machine.dispenser.clear()
        assert not self.machine.dispenser.jammed
        assert self.machine.dispenser.in_transport == 0

    @rule(mishap=MISHAPS, at_step=STEPS)
    def cash_crew(self, mishap: str, at_step: int) -> None:
        self.play(exchange_script(self.machine), mishap, at_step)
        assert not self.machine.dispenser.exchange_active
        counts = sum(cassette.count for cassette in self.machine.dispenser.cassettes)
        assert counts >= 2 * self.machine.fill_notes - 1  # a jam in the last step takes one note into the transport

    @invariant()
    def balanced(self) -> None:
        assert self.machine.dispenser.balance() == 0

    @invariant()
    def no_count_is_negative(self) -> None:
        dispenser = self.machine.dispenser
        for cassette in dispenser.cassettes:
            assert 0 <= cassette.count <= cassette.capacity
            assert min(cassette.stacked, cassette.presented, cassette.rejected, cassette.unknown) >= 0
            assert cassette.in_transport >= 0
        for box in (dispenser.reject_bin, dispenser.retract_bin):
            assert 0 <= box.notes <= box.capacity

    @invariant()
    def witness_agrees_with_the_money(self) -> None:
        assert self.machine.witness.notes_taken == self.machine.dispenser.ledger.taken


TestCashStaysInBalance = CashStaysInBalance.TestCase
TestCashStaysInBalance.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_jam_stops_dispensing_until_it_is_cleared() -> None:
    dispenser = Machine(random.Random(1)).dispenser
    dispenser.stack(10)
    dispenser.jam_notes()

    assert (dispenser.transport, dispenser.in_transport, dispenser.readiness) == ("inoperative", 10, "stop")
    assert dispenser.present() == 0
    assert dispenser.stack(1) is Stacking.OUT_OF_ORDER
    dispenser.clear()
    assert (dispenser.transport, dispenser.in_transport, dispenser.readiness) == ("ok", 0, "ok")
    assert dispenser.stack(1) is Stacking.STACKED


def test_empty_cassettes_stop_the_dispenser() -> None:
    dispenser = Machine(random.Random(1)).dispenser
    for cassette in dispenser.cassettes:
        dispenser.leave(cassette, 5)

    assert dispenser.readiness == "attention"
    assert dispenser.stack(21) is Stacking.NOT_ENOUGH
    while dispenser.stack(1) is Stacking.STACKED:
        dispenser.present()
        dispenser.take()
    assert dispenser.readiness == "stop"
    assert [cassette.replenishment for cassette in dispenser.cassettes] == ["empty"] * 4


def test_cassettes_are_emptied_in_order() -> None:
    machine = Machine(random.Random(1))
    machine.dispenser.leave(machine.dispenser.cassettes[0], 4)
    machine.dispenser.stack(10)

    counts = [cassette.count for cassette in machine.dispenser.cassettes]
    assert counts[0] == 0
    assert counts[1] < machine.fill_notes
    assert counts[2:] == [machine.fill_notes] * 2


@pytest.mark.parametrize("notes", [0, 41])
def test_a_bunch_the_machine_cannot_hold_is_refused(notes: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 40"):
        Machine(random.Random(1)).dispenser.stack(notes)


def test_a_cassette_cannot_be_filled_above_its_capacity_or_picked_when_empty() -> None:
    cassette = Cassette(1, "C1", capacity=100, low_threshold=10, initial=0)
    with pytest.raises(ValueError, match="expected 0 to 100"):
        cassette.set_initial(101)
    with pytest.raises(ValueError, match="no note to pick"):
        cassette.pick()


def test_notes_nobody_takes_end_in_the_retract_bin_until_it_is_full() -> None:
    dispenser = Machine(random.Random(1)).dispenser
    for _ in range(20):
        assert dispenser.stack(1) is Stacking.STACKED
        dispenser.present()
        assert dispenser.retract() == 1

    assert dispenser.retract_bin.replenishment == "full"
    assert dispenser.stack(1) is Stacking.OUT_OF_ORDER


@pytest.mark.parametrize("way", ["reject_stacked", "retract"])
def test_a_bin_stops_the_dispenser_before_it_overflows(way: str) -> None:
    dispenser = Machine(random.Random(1)).dispenser
    box = dispenser.reject_bin if way == "reject_stacked" else dispenser.retract_bin
    while dispenser.stack(40) is Stacking.STACKED:
        if way == "retract":
            dispenser.present()
        getattr(dispenser, way)()

    assert box.replenishment == "full"
    assert dispenser.readiness == "stop"
    assert box.capacity - 40 < box.notes <= box.capacity


def test_a_shutter_that_jams_over_presented_notes_stays_jammed_after_they_are_taken() -> None:
    dispenser = Machine(random.Random(1)).dispenser
    dispenser.stack(5)
    dispenser.present()
    dispenser.jam_shutter()
    assert dispenser.shutter == "jammedOpen"
    assert dispenser.take() == 5
    assert dispenser.shutter == "jammedOpen"


@pytest.mark.parametrize(("share", "device"), [(1.0, "hardwareError"), (0.0, "online")])
def test_a_jammed_dispenser_may_give_up_after_a_minute(share: float, device: str) -> None:
    machine = Machine(random.Random(1), hardware_error_share=share)
    machine.dispenser.jam_notes()
    machine.tick(1_000)
    machine.tick(60_999)
    assert machine.dispenser.device == "online"
    machine.tick(61_000)
    assert machine.dispenser.device == device
    machine.dispenser.clear()
    assert machine.dispenser.device == "online"


def test_wear_fails_as_often_as_its_mean_says() -> None:
    chance = random.Random(3)
    lives = []
    for _ in range(400):
        wear = Wear(mean_operations=100, shape=1.3)
        while not wear.fails(chance):
            pass
        lives.append(wear.operations)
    assert 90 < sum(lives) / len(lives) < 110


@given(st.floats(1.01, 3), st.integers(1, 100_000))
def test_hazard_of_a_worn_mechanism_grows_with_use(shape: float, operations: int) -> None:
    new, worn = Wear(120_000, shape), Wear(120_000, shape, operations)
    assert 0 < new.hazard() <= worn.hazard() < 1
    worn.service()
    assert worn.hazard() == new.hazard()


def test_a_day_of_customers_follows_the_hours() -> None:
    chance = random.Random(5)
    begin = NIGHT.replace(hour=0)
    by_hour = [0] * 24
    days = 140
    waited_s = 0.0
    while True:
        waited_s += next_arrival_s(begin + timedelta(seconds=waited_s), lambda at: rate_per_s(at, 200), chance)
        at = begin + timedelta(seconds=waited_s)
        if at >= begin + timedelta(days=days):
            break
        by_hour[at.hour] += 1
    total = sum(by_hour)

    assert abs(total / days - 200 * sum(WEEKDAY_FACTOR) / 7) < 4
    for hour, share in enumerate(HOURLY_PCT):
        expected = total * share / sum(HOURLY_PCT)
        assert abs(by_hour[hour] - expected) < 5 * expected**0.5


def test_withdrawals_take_twelve_notes_on_average() -> None:
    chance = random.Random(6)
    visits = [next_visit(chance) for _ in range(20_000)]
    withdrawals = [visit for visit in visits if visit.purpose is Purpose.WITHDRAWAL]
    assert 0.58 < len(withdrawals) / len(visits) < 0.62
    assert 11.5 < sum(visit.notes for visit in withdrawals) / len(withdrawals) < 12.7
    assert all(visit.notes == 0 for visit in visits if visit.purpose is not Purpose.WITHDRAWAL)


def test_machines_differ_in_how_busy_they_are() -> None:
    rates = [typical_transactions_per_day(random.Random(seed)) for seed in range(3000)]
    mean = sum(rates) / len(rates)
    deviation = (sum((rate - mean) ** 2 for rate in rates) / len(rates)) ** 0.5
    assert 190 < mean < 210
    assert 0.4 < deviation / mean < 0.5


def test_a_year_of_customers_leaves_the_machine_in_order() -> None:
    """Half a million notes of wear: every stop is somebody's job, and the crew ends each."""
    machine, chance = Machine(random.Random(11)), random.Random(12)
    jams = exchanges = 0
    for visits in range(_VISITS_A_YEAR):
        if visits % 1400 == 0:  # branch staff clean the reader every week
            machine.card_reader.clear()
        for _ in visit_script(machine, next_visit(chance), chance):
            continue
        if machine.dispenser.jammed:
            jams += 1
            assert list(repair_script(machine, machine.dispenser.clear))
        if machine.printer.media == "jammed":
            assert list(repair_script(machine, machine.printer.clear))
        if machine.dispenser.readiness != "ok":
            exchanges += 1
            assert list(exchange_script(machine))
        if machine.printer.paper == "low":
            machine.printer.fit_roll()
        assert machine.card_reader.media == "notPresent"
    witness = machine.witness

    assert machine.dispenser.balance() == 0
    assert machine.dispenser.readiness == "ok"
    assert witness.visits == _VISITS_A_YEAR
    assert witness.presents > 0.55 * _VISITS_A_YEAR
    assert 1 <= jams <= 10  # one in 120,000 notes
    assert exchanges > 50
    assert 5 < witness.retracts < 40
    assert 0.33 * _VISITS_A_YEAR < witness.receipts_printed < 0.36 * _VISITS_A_YEAR


def test_dirt_makes_a_reader_fail_until_it_is_cleaned() -> None:
    happened: list[Happening] = []
    reader = CardReader(happened.append)
    assert reader.failed_read_share() == pytest.approx(0.02)
    reader.insertions_since_cleaning = 2000
    assert reader.failed_read_share() == pytest.approx(0.05)
    reader.insertions_since_cleaning = 10**6
    assert reader.failed_read_share() == pytest.approx(0.20)
    reader.clear()
    assert reader.failed_read_share() == pytest.approx(0.02)


def test_a_full_retain_bin_takes_no_further_card() -> None:
    reader = CardReader(lambda _happening: None)
    for _ in range(RETAIN_CAPACITY):
        reader.media = "present"
        assert reader.retain()
    assert reader.retain_replenishment == "full"
    reader.media = "present"
    assert not reader.retain()


def test_paper_reports_each_level_once() -> None:
    happened: list[Happening] = []
    printer = ReceiptPrinter(happened.append)
    chance = random.Random(4)
    for _ in range(RECEIPTS_PER_ROLL):
        assert printer.print(chance)
        printer.take()
    levels = [happening.level for happening in happened if isinstance(happening, PaperReached)]
    assert levels == ["low", "out"]
    assert not printer.print(chance)
    assert LOW_RECEIPTS == 96


def test_a_large_withdrawal_comes_in_two_bunches() -> None:
    machine = Machine(random.Random(1))
    for _ in visit_script(machine, Visit(Purpose.WITHDRAWAL, 50, True, 60.0, False), random.Random(2)):
        continue
    presented = [happening.notes for happening in machine.drain() if isinstance(happening, NotesPresented)]
    assert presented == [40, 10]
    assert machine.drain() == []


def test_the_same_seed_gives_the_same_machine() -> None:
    def history(seed: int) -> list[Happening]:
        machine, chance = Machine(random.Random(seed)), random.Random(seed)
        for _ in range(200):
            for _ in visit_script(machine, next_visit(chance), chance):
                continue
        return machine.drain()

    assert history(1) == history(1)
    assert history(1) != history(2)
    assert not any(isinstance(happening, ModuleFailed) and not happening.text for happening in history(1))
