import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import ALARM_PANEL
from gateway.drivers.sia_dc09.contact_id import EFFECTS
from gateway.drivers.sia_dc09.panel_state import PanelState, Step, apply_all, initial_state
from gateway.drivers.sia_dc09.sia_block import SiaCode, parse_block
from gateway.drivers.sia_dc09.sia_codes import TABLE, events_of, is_known


def play(*blocks: str, areas: tuple[int, ...] = ()) -> Step:
    step = Step(initial_state(areas), ())
    for block in blocks:
        step = apply_all(step.state, [event for code in parse_block(f"#1234|N{block}") for event in events_of(code)])
    return step


def seen(step: Step) -> dict[str, float | str]:
    return {observation.path: observation.value for observation in step.observations}


@pytest.mark.parametrize(
    ("begun", "ended", "path", "word", "rest"),
    [
        ("ri1/BA015", "ri1/BH015", "zone15/alarm", "burglary", "restored"),
        ("ri1/BA015", "ri1/BR015", "zone15/alarm", "burglary", "restored"),
        ("ri1/BV015", "ri1/BR015", "zone15/alarm", "burglaryConfirmed", "restored"),
        ("FA004", "FH004", "zone4/alarm", "fire", "restored"),
        ("HA012", "HH012", "zone12/alarm", "holdUp", "restored"),
        ("PA012", "PH012", "zone12/alarm", "holdUp", "restored"),
        ("MA012", "MH012", "zone12/alarm", "medical", "restored"),
        ("QA012", "QH012", "zone12/alarm", "medical", "restored"),
        ("GA020", "GH020", "zone20/alarm", "gas", "restored"),
        ("WA020", "WH020", "zone20/alarm", "water", "restored"),
        ("KA020", "KH020", "zone20/alarm", "heat", "restored"),
        ("ZA020", "ZH020", "zone20/alarm", "cold", "restored"),
        ("UA020", "UH020", "zone20/alarm", "general", "restored"),
        ("TA015", "TR015", "zone15/tamper", "tamper", "restored"),
        ("TA", "TR", "panel/tamper", "tamper", "restored"),
        ("FT004", "FJ004", "zone4/trouble", "trouble", "restored"),
        ("BT004", "BJ004", "zone4/trouble", "trouble", "restored"),
        ("XT004", "XR004", "zone4/battery", "low", "restored"),
        ("BZ004", "BR004", "zone4/supervision", "trouble", "restored"),
        ("BB004", "BU004", "zone4/bypass", "bypassed", "unbypassed"),
        ("AT", "AR", "panel/ac_power", "loss", "restored"),
        ("YT", "YR", "panel/battery", "low", "restored"),
        ("YM", "YR", "panel/battery", "missing", "restored"),
        ("YP", "YQ", "panel/power_supply", "trouble", "restored"),
        ("YX", "YZ", "panel/system", "trouble", "restored"),
        ("ET002", "ER002", "panel/expander", "trouble", "restored"),
        ("RC", "RO", "panel/siren", "trouble", "restored"),
        ("YA", "YH", "panel/siren", "trouble", "restored"),
        ("XQ", "XH", "panel/rf_jam", "jam", "restored"),
        ("LB", "LX", "panel/programming", "active", "inactive"),
        ("TS", "TE", "panel/walk_test", "active", "inactive"),
        ("YC", "YK", "comm/report", "trouble", "restored"),
        ("LT001", "LR001", "comm/telco1", "trouble", "restored"),
        ("LT002", "LR002", "comm/telco2", "trouble", "restored"),
    ],
)
def test_a_condition_is_set_and_restored(begun: str, ended: str, path: str, word: str, rest: str) -> None:
    assert seen(play(begun))[path] == word
    after = play(begun, ended)
    assert seen(after)[path] == rest
    assert after.state.holding == frozenset()
    assert seen(play(ended))[path] == rest


@pytest.mark.parametrize(
    ("opened", "closed", "word", "who"),
    [
        ("ri1/OP003", "ri1/CL003", "armed", 3),
        ("ri1/id003/OP", "ri1/id003/CL", "armed", 3),
        ("ri1/OA", "ri1/CA", "armed", 0),
        ("ri1/OQ003", "ri1/CQ003", "armed", 3),
        ("ri1/OS003", "ri1/CS003", "armed", 3),
        ("OG001", "CG001", "armedStay", 0),
    ],
)
def test_an_area_is_opened_and_closed_by_its_user(opened: str, closed: str, word: str, who: int) -> None:
    assert seen(play(opened))["area1/arming"] == "disarmed"
    step = seen(play(closed))
    assert step["area1/arming"] == word
    assert str(step["area1/operation"]).endswith(f"{word} user {who}")


def test_two_alarms_of_a_zone_end_one_by_one() -> None:
    both = play("BA015", "FA015")
    assert seen(both)["zone15/alarm"] == "fire"
    assert both.state.counters["zone15/alarms"] == 2
    assert seen(play("BA015", "FA015", "FH015"))["zone15/alarm"] == "burglary"
    assert seen(play("BA015", "FA015", "FH015", "BH015"))["zone15/alarm"] == "restored"


def test_several_codes_of_one_block_all_take_effect() -> None:
    step = seen(play("ri1/BA015/BA016/TA017"))
    assert (step["zone15/alarm"], step["zone16/alarm"], step["zone17/tamper"]) == ("burglary", "burglary", "tamper")


def test_a_hold_up_of_a_user_is_duress_and_of_a_zone_an_alarm() -> None:
    assert seen(play("ri1/id005/HA")) == {"area1/duress": "HA 01 000 user 5"}
    assert "area1/duress" not in seen(play("ri1/HA012"))
    both = seen(play("ri1/id005/HA012"))
    assert (both["zone12/alarm"], both["area1/duress"]) == ("holdUp", "HA 01 012 user 5")


def test_deviations_from_the_schedule_are_told() -> None:
    for block, word in (
        ("OK003", "earlyOpen"), ("OJ003", "lateOpen"), ("OI001", "failToOpen"), ("CK003", "earlyClose"),
        ("CJ003", "lateClose"), ("CI001", "failToClose"), ("EE003", "exitError"),
    ):  # fmt: skip
        assert seen(play(block, areas=(1,)))["area1/schedule"] == word
    assert seen(play("ri1/CI", "ri1/CL003"))["area1/schedule"] == "onTime"


def test_tests_cancels_and_refused_codes_are_counted() -> None:
    assert seen(play("RP", "RP"))["panel/tests"] == 2
    assert seen(play("RX003"))["panel/manual_tests"] == 1
    assert seen(play("DD001"))["panel/wrong_codes"] == 1
    assert seen(play("ri1/OC003"))["area1/cancels"] == 1
    assert seen(play("YG"))["panel/program_changed"] == "YG 00 000"


@pytest.mark.parametrize("block", ["YW", "JT", "QZ9", "BA1000", "ri100/BA1", "BAxyz"])
def test_what_stands_for_no_signal_changes_nothing(block: str) -> None:
    assert play(block) == Step(PanelState(), ())


def test_codes_nobody_knows_are_told_from_those_without_a_signal() -> None:
    assert is_known("BA")
    assert is_known("YW")
    assert is_known("LT")
    assert not is_known("QZ")


def test_every_code_of_the_table_stands_for_effects() -> None:
    for code, meanings in TABLE.items():
        for meaning in meanings.split():
            assert meaning[0] in "13", code
            assert meaning[1:] in EFFECTS, code


@given(
    st.builds(
        SiaCode,
        st.one_of(st.sampled_from(sorted(TABLE)), st.sampled_from(["LT", "LR", "QZ"])),
        st.none() | st.integers(0, 10_000),
        st.integers(0, 200),
        st.none() | st.integers(0, 10_000),
    )
)
def test_every_code_stays_inside_the_catalogue(code: SiaCode) -> None:
    for observation in apply_all(initial_state((1, 2)), events_of(code)).observations:
        signal = ALARM_PANEL.signal(observation.path)
        assert signal is not None, observation
        if signal.states:
            assert signal.ordinal(str(observation.value)) is not None, observation
