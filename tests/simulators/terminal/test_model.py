"""The terminal's model: customers in opening hours, pages and cards that add up, a computer that ages."""

import random
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from simulators.modules.arrivals import next_arrival_s
from simulators.modules.power_supply import PowerSupply
from simulators.terminal.document_modules import STOCK_CARDS
from simulators.terminal.machine import Terminal
from simulators.terminal.mib import error_bits
from simulators.terminal.office_printer import ErrorBit
from simulators.terminal.sessions import SESSIONS_A_DAY, Purpose, next_session, rate_per_s, session_script
from tests.simulators.terminal.conftest import MORNING


def terminal(seed: int = 1, local_at: datetime = MORNING) -> Terminal:
    return Terminal(random.Random(seed), 1_772_000_000_000, local_at)


def test_customers_come_in_opening_hours_only() -> None:
    chance = random.Random(2)
    at = MORNING.replace(day=2, hour=0)
    end = at + timedelta(days=28)
    hours = []
    while (at := at + timedelta(seconds=next_arrival_s(at, lambda t: rate_per_s(t, SESSIONS_A_DAY), chance))) < end:
        hours.append(at.hour)
    assert set(hours) <= set(range(9, 17))
    assert 50 < len(hours) / 28 < 75


def test_sessions_are_mixed_and_a_print_has_three_pages_on_average() -> None:
    chance = random.Random(3)
    sessions = [next_session(chance) for _ in range(20_000)]
    prints = [session.pages for session in sessions if session.purpose is Purpose.ENQUIRY]
    assert 0.43 < len(prints) / len(sessions) < 0.47
    assert min(prints) == 1
    assert 2.8 < sum(prints) / len(prints) < 3.2
    assert all(session.pages == 0 for session in sessions if session.purpose is not Purpose.ENQUIRY)


def test_a_quarter_of_customers_uses_up_what_it_prints_and_issues() -> None:
    model, chance = terminal(), random.Random(4)
    first_page = model.office_printer.pages
    filled = jams = 0
    for _ in range(90 * 60):
        for _ in session_script(model, next_session(chance), chance):
            continue
        if not model.office_printer.works:
            jams += model.office_printer.jammed
            model.office_printer.service()
        if model.card_stock.cards == 0:
            model.card_stock.fill()
            filled += 1
        if model.passbook_printer.media == "jammed":
            model.passbook_printer.clear()
    assert model.witness.pages == model.office_printer.pages - first_page
    assert model.witness.cards_issued == filled * STOCK_CARDS + STOCK_CARDS - model.card_stock.cards
    assert 280 < model.witness.cards_issued < 380
    assert jams <= 6
    assert not model.computer.in_session
    assert model.card_reader.media == "notPresent"


def test_a_dead_application_serves_nobody() -> None:
    model, chance = terminal(), random.Random(5)
    model.computer.crash_app()
    for _ in range(20):
        for _ in session_script(model, next_session(chance), chance):
            continue
    assert (model.witness.pages, model.witness.cards_inserted) == (0, 0)


def test_traffic_grows_with_time_and_not_through_a_dead_port() -> None:
    model = terminal()
    first, second = model.computer.ports
    second.up = False
    before = first.received_bytes, second.received_bytes
    model.tick(1_772_000_010_000, MORNING + timedelta(seconds=10))
    assert first.received_bytes - before[0] == 25_000
    assert second.received_bytes == before[1]


def test_memory_creeps_a_hundredth_a_day_and_falls_back_at_the_restart() -> None:
    model = terminal()
    now = model.computer.memory_used(MORNING)
    assert abs(model.computer.memory_used(MORNING + timedelta(days=3)) - now - 0.03) < 1e-9
    model.tick(1_772_000_010_000, MORNING.replace(hour=22, minute=31))
    assert model.computer.down_until_at == MORNING.replace(hour=22, minute=35)
    model.tick(1_772_000_020_000, MORNING.replace(hour=22, minute=36))
    assert not model.computer.restarting
    assert model.computer.memory_used(MORNING.replace(hour=22, minute=36)) == 0.45


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 120)), max_size=20))
def test_a_battery_is_never_fuller_than_full_nor_emptier_than_empty(steps: list[tuple[bool, int]]) -> None:
    power, now_at = PowerSupply(), MORNING
    for mains, minutes in steps:
        (power.regain_mains if mains else power.lose_mains)(now_at)
        now_at += timedelta(minutes=minutes)
        before = power.charge
        power.advance(now_at)
        assert 0 <= power.charge <= 1
        assert power.charge >= before if mains else power.charge <= before
        assert power.dead == (not mains and power.charge == 0)


@given(st.sets(st.sampled_from(ErrorBit)))
def test_error_bits_are_counted_from_the_highest_of_the_first_octet(errors: set[ErrorBit]) -> None:
    value = error_bits(sorted(errors), short=False)
    assert {bit for bit in range(16) if value[bit // 8] & 0x80 >> bit % 8} == errors
    short = error_bits(sorted(errors), short=True)
    assert value.startswith(short)
    assert not short.endswith(b"\x00")
