from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import ALARM_PANEL
from contracts.errors import DeviceMisbehaved
from gateway.drivers.sia_dc09.contact_id import (
    EFFECTS,
    FOR_THE_PANEL,
    REST_WORDS,
    WORD_ORDER,
    ContactEvent,
    Holds,
    Qualifier,
    parse_event,
)
from gateway.drivers.sia_dc09.panel_state import PanelState, Step, apply, initial_state, word_of


def event(text: str) -> ContactEvent:
    return parse_event(f"#1234|{text}")


def play(*texts: str, areas: tuple[int, ...] = ()) -> Step:
    step = Step(initial_state(areas), ())
    for text in texts:
        step = apply(step.state, event(text))
    return step


def seen(step: Step) -> dict[str, float | str]:
    return {observation.path: observation.value for observation in step.observations}


def test_an_event_is_read_and_written_the_same() -> None:
    assert event("1130 01 015") == ContactEvent(Qualifier.NEW, "130", 1, 15)
    assert str(event("3401 02 003")) == "3401 02 003"


@pytest.mark.parametrize(
    "block",
    ["", "1130 01 015", "#1234|", "#1234|2130 01 015", "#1234|1130 01 15", "#1234|1130 A1 015", "#1234|1130 01 015x",
     "#1234|Nri1/BA015", "#12|1130 01 015", "#1234|１130 01 015"],
)  # fmt: skip
def test_what_is_no_contact_id_event_is_refused(block: str) -> None:
    with pytest.raises(DeviceMisbehaved, match="cannot be read"):
        parse_event(block)


@pytest.mark.parametrize(
    ("text", "path", "word", "restored"),
    [
        ("1100 01 004", "zone4/alarm", "medical", "restored"),
        ("1110 01 004", "zone4/alarm", "fire", "restored"),
        ("1122 01 004", "zone4/alarm", "holdUp", "restored"),
        ("1130 01 015", "zone15/alarm", "burglary", "restored"),
        ("1139 01 015", "zone15/alarm", "burglaryConfirmed", "restored"),
        ("1140 01 015", "zone15/alarm", "general", "restored"),
        ("1151 01 020", "zone20/alarm", "gas", "restored"),
        ("1154 01 020", "zone20/alarm", "water", "restored"),
        ("1158 01 020", "zone20/alarm", "heat", "restored"),
        ("1159 01 020", "zone20/alarm", "cold", "restored"),
        ("1162 01 020", "zone20/alarm", "co", "restored"),
        ("1130 00 000", "zone1000/alarm", "burglary", "restored"),
        ("1383 01 015", "zone15/tamper", "tamper", "restored"),
        ("1144 01 000", "panel/tamper", "tamper", "restored"),
        ("1380 01 015", "zone15/trouble", "trouble", "restored"),
        ("1381 01 015", "zone15/supervision", "trouble", "restored"),
        ("1384 01 015", "zone15/battery", "low", "restored"),
        ("1570 01 015", "zone15/bypass", "bypassed", "unbypassed"),
        ("1573 01 015", "zone15/bypass", "bypassed", "unbypassed"),
        ("1301 00 000", "panel/ac_power", "loss", "restored"),
        ("1302 00 000", "panel/battery", "low", "restored"),
        ("1309 00 000", "panel/battery", "testFailed", "restored"),
        ("1311 00 000", "panel/battery", "missing", "restored"),
        ("1337 00 001", "panel/power_supply", "trouble", "restored"),
        ("1312 00 000", "panel/power_supply", "overcurrent", "restored"),
        ("1300 00 000", "panel/system", "trouble", "restored"),
        ("1333 00 002", "panel/expander", "trouble", "restored"),
        ("1137 00 000", "panel/tamper", "tamper", "restored"),
        ("1321 00 001", "panel/siren", "trouble", "restored"),
        ("1344 00 000", "panel/rf_jam", "jam", "restored"),
        ("1627 00 000", "panel/programming", "active", "inactive"),
        ("1607 00 001", "panel/walk_test", "active", "inactive"),
        ("1351 00 000", "comm/telco1", "trouble", "restored"),
        ("1352 00 000", "comm/telco2", "trouble", "restored"),
        ("1353 00 000", "comm/radio", "trouble", "restored"),
        ("1350 00 000", "comm/report", "trouble", "restored"),
    ],
)
def test_a_condition_is_set_and_restored(text: str, path: str, word: str, restored: str) -> None:
    assert seen(play(text))[path] == word
    assert seen(play("6" + text[1:]))[path] == word
    assert seen(play(text, "3" + text[1:]))[path] == restored
    assert seen(play("3" + text[1:]))[path] == restored


def test_every_word_of_the_table_is_in_the_catalogue() -> None:
    holds = [effect for effects in EFFECTS.values() for effect in effects if isinstance(effect, Holds)]
    for effect in [*holds, *FOR_THE_PANEL.values()]:
        signal = ALARM_PANEL.signal(effect.path.replace("{n}", "7"))
        assert signal is not None, effect
        assert signal.ordinal(effect.word) is not None, effect
        assert signal.ordinal(REST_WORDS.get(effect.path, "restored")) is not None, effect
    for path, order in WORD_ORDER.items():
        assert set(order) == {effect.word for effect in holds if effect.path == path}


def test_a_second_restore_changes_nothing() -> None:
    once = play("1130 01 015", "3130 01 015")
    twice = apply(once.state, event("3130 01 015"))
    assert twice.state == once.state
    assert twice.observations == once.observations


def test_a_zone_with_two_alarms_is_restored_when_both_are() -> None:
    both = play("1130 01 015", "1139 01 015")
    assert seen(both)["zone15/alarm"] == "burglaryConfirmed"
    one = apply(both.state, event("3139 01 015"))
    assert seen(one)["zone15/alarm"] == "burglary"
    assert seen(apply(one.state, event("3130 01 015")))["zone15/alarm"] == "restored"


def test_danger_to_life_speaks_before_danger_to_things() -> None:
    assert seen(play("1122 01 015", "1130 01 015", "1154 01 015"))["zone15/alarm"] == "holdUp"


def test_two_expanders_are_two_conditions() -> None:
    assert seen(play("1333 00 001", "1333 00 002", "3333 00 001"))["panel/expander"] == "trouble"
    assert seen(play("1333 00 001", "1333 00 002", "3333 00 001", "3333 00 002"))["panel/expander"] == "restored"


def test_an_alarm_is_counted_once_until_it_is_restored() -> None:
    step = play("1130 01 015", "1130 01 015", "6130 01 015")
    assert step.state.counters["zone15/alarms"] == 1
    again = play("1130 01 015", "3130 01 015", "1130 01 015")
    assert seen(again)["zone15/alarms"] == 2


def test_a_status_report_after_a_restart_sets_without_counting() -> None:
    step = play("6130 01 015")
    assert seen(step)["zone15/alarm"] == "burglary"
    assert "zone15/alarms" not in step.state.counters


def test_leaving_programming_ends_it() -> None:
    assert seen(play("1627 00 000", "1628 00 000"))["panel/programming"] == "inactive"


def test_bypassed_zones_are_counted_by_zone() -> None:
    step = play("1570 01 015", "1570 01 016", "1573 01 016")
    assert seen(step)["panel/bypassed_zones"] == 2
    assert seen(apply(step.state, event("3570 01 015")))["panel/bypassed_zones"] == 1
    assert seen(play("1574 02 004"))["panel/bypassed_zones"] == 1
    assert seen(play("1574 02 004", "3574 02 005"))["panel/bypassed_zones"] == 0


def test_opening_and_closing_arm_the_area_and_name_the_user() -> None:
    opened = seen(play("1401 02 003"))
    assert opened == {"area2/arming": "disarmed", "area2/operation": "1401 02 003 disarmed user 3"}
    assert seen(play("3401 02 003"))["area2/arming"] == "armed"
    assert seen(play("3441 02 003"))["area2/arming"] == "armedStay"
    assert seen(play("1441 02 003"))["area2/arming"] == "disarmed"
    assert seen(play("6401 02 003")) == {}


def test_the_whole_panel_is_every_known_area_or_the_first() -> None:
    assert seen(play("3400 00 001"))["area1/arming"] == "armed"
    everywhere = seen(play("3400 00 001", areas=(1, 2, 4)))
    assert {path for path in everywhere if path.endswith("/arming")} == {"area1/arming", "area2/arming", "area4/arming"}
    heard_of = seen(play("1401 03 001", "3400 00 001"))
    assert heard_of["area3/arming"] == "armed"


def test_a_cancelled_alarm_is_counted_and_told() -> None:
    assert seen(play("1406 01 003")) == {"area1/operation": "1406 01 003 user 3", "area1/cancels": 1}


def test_duress_is_told_once_and_never_for_a_restore() -> None:
    assert seen(play("1121 01 003")) == {"area1/duress": "1121 01 003 user 3"}
    assert seen(play("1121 00 003", areas=(2, 3))) == {"area2/duress": "1121 00 003 user 3"}
    assert seen(play("3121 01 003")) == {}


def test_an_early_opening_stands_until_the_next_closing() -> None:
    assert seen(play("1451 01 003"))["area1/schedule"] == "earlyOpen"
    either_order = play("1451 01 003", "1401 01 003")
    assert "area1/schedule" not in seen(either_order)
    assert seen(apply(either_order.state, event("3401 01 003")))["area1/schedule"] == "onTime"


def test_a_late_closing_stands_until_the_next_opening() -> None:
    closed = play("3452 01 003", "3401 01 003")
    assert closed.state.schedule == {1: "lateClose"}
    assert seen(apply(closed.state, event("1401 01 003")))["area1/schedule"] == "onTime"


def test_a_failed_closing_ends_with_the_closing() -> None:
    assert seen(play("1454 01 000"))["area1/schedule"] == "failToClose"
    assert seen(play("1454 01 000", "3401 01 003"))["area1/schedule"] == "onTime"


def test_tests_and_wrong_codes_are_counted() -> None:
    assert seen(play("1602 00 000", "1608 00 000")) == {"panel/tests": 2}
    assert seen(play("1601 00 000")) == {"panel/manual_tests": 1}
    assert seen(play("1461 01 000", "1421 01 005")) == {"panel/wrong_codes": 2}
    assert seen(play("1306 00 000")) == {"panel/program_changed": "1306 00 000"}


def test_an_unmapped_code_changes_nothing_but_is_no_error() -> None:
    assert play("1305 00 000") == Step(PanelState(), ())
    assert play("1A00 00 000") == Step(PanelState(), ())


CODES = st.sampled_from(["130", "139", "122", "301", "302", "311", "333", "383", "570", "627"])
EVENTS = st.builds(
    ContactEvent, st.sampled_from([Qualifier.NEW, Qualifier.RESTORE]), CODES, st.just(1), st.integers(0, 3)
)


@given(st.lists(EVENTS, max_size=30), st.data())
def test_repeated_sets_and_restores_give_the_state_of_the_set(events: list[ContactEvent], data: st.DataObject) -> None:
    repeated = [one for one in events for _ in range(data.draw(st.integers(1, 3)))]
    plain = reduce(lambda state, one: apply(state, one).state, events, PanelState())
    doubled = reduce(lambda state, one: apply(state, one).state, repeated, PanelState())
    assert doubled == plain
    last = {(one.code, one.number): one.qualifier for one in events}
    held = {key for key, qualifier in last.items() if qualifier is Qualifier.NEW}
    assert {(condition.code, condition.number) for condition in plain.holding} == held


@given(st.lists(EVENTS, max_size=20, unique_by=lambda one: (one.code, one.number)), st.randoms(use_true_random=False))
def test_the_order_in_which_conditions_are_set_does_not_matter(events: list[ContactEvent], chance: object) -> None:
    shuffled = list(events)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one = reduce(lambda state, item: apply(state, item).state, events, PanelState())
    other = reduce(lambda state, item: apply(state, item).state, shuffled, PanelState())
    assert one.holding == other.holding
    for path in {condition.path for condition in one.holding}:
        assert word_of(one, path) == word_of(other, path)


@given(
    st.builds(
        ContactEvent,
        st.sampled_from(Qualifier),
        st.sampled_from(sorted(EFFECTS)),
        st.integers(0, 99),
        st.integers(0, 999),
    )
)
def test_every_event_of_every_code_stays_inside_the_catalogue(one: ContactEvent) -> None:
    for observation in apply(initial_state((1, 2)), one).observations:
        signal = ALARM_PANEL.signal(observation.path)
        assert signal is not None, observation
        if signal.states:
            assert signal.ordinal(str(observation.value)) is not None, observation
