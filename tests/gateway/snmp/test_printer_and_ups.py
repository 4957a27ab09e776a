import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import SELF_SERVICE_TERMINAL
from gateway.drivers.snmp import printer, ups
from gateway.drivers.snmp.values import Answers, Value

DEVICE = "1.3.6.1.2.1.25.3.2.1"
PRINTER = "1.3.6.1.2.1.25.3.5.1"
PRT = "1.3.6.1.2.1.43"
UPS = "1.3.6.1.2.1.33.1"


def status(errors: Value) -> dict[str, float | str]:
    answers = Answers({f"{DEVICE}.5.1": 3, f"{PRINTER}.1.1": 4, f"{PRINTER}.2.1": errors})
    return {item.path: item.value for item in printer.read_status(answers, "1")}


def bits(*numbers: int) -> bytes:
    value = sum(0x8000 >> number for number in numbers)
    return value.to_bytes(2, "big")


@pytest.mark.parametrize("errors", [b"", b"\0", b"\0\0", b"\0\0\0\0"])
def test_no_bits_mean_that_all_is_well(errors: bytes) -> None:
    seen = status(errors)
    assert [seen[f"prs/{word}"] for word in ("paper", "toner", "path", "service")] == ["ok"] * 4
    assert (seen["prs/device"], seen["prs/status"]) == ("warning", "printing")


@pytest.mark.parametrize(
    ("numbers", "paper", "toner", "path", "service"),
    [
        ((0,), "lowPaper", "ok", "ok", "ok"),
        ((0, 1), "noPaper", "ok", "ok", "ok"),
        ((1, 8), "inputTrayMissing", "ok", "ok", "ok"),
        ((0, 1, 8, 13), "inputTrayEmpty", "ok", "ok", "ok"),
        ((2, 3), "ok", "noToner", "ok", "ok"),
        ((2, 10), "ok", "markerSupplyMissing", "ok", "ok"),
        ((11, 9), "ok", "ok", "outputTrayMissing", "ok"),
        ((4, 12), "ok", "ok", "outputFull", "ok"),
        ((12, 5), "ok", "ok", "jammed", "ok"),
        ((14, 7), "ok", "ok", "ok", "serviceRequested"),
        ((14, 7, 6), "ok", "ok", "ok", "offline"),
    ],
)
def test_the_last_bit_that_is_set_wins(
    numbers: tuple[int, ...], paper: str, toner: str, path: str, service: str
) -> None:
    seen = status(bits(*numbers))
    assert [seen[f"prs/{word}"] for word in ("paper", "toner", "path", "service")] == [paper, toner, path, service]


def test_one_octet_carries_the_first_eight_bits() -> None:
    assert status(b"\x04")["prs/path"] == "jammed"
    assert status(b"\x01")["prs/service"] == "serviceRequested"


@given(st.one_of(st.binary(max_size=40), st.integers(), st.just("1.3.6")))
def test_whatever_the_bits_the_words_are_those_of_the_catalogue(errors: Value) -> None:
    for path, word in status(errors).items():
        signal = SELF_SERVICE_TERMINAL.signal(path)
        assert signal is not None
        assert isinstance(word, str)
        assert signal.ordinal(word) is not None


def supply(row: int, class_: int, type_: int, most: int, level: int, unit: int = 7) -> dict[str, Value]:
    entry = f"{PRT}.11.1.1"
    return {
        f"{entry}.{column}.1.{row}": value
        for column, value in ((4, class_), (5, type_), (7, unit), (8, most), (9, level))
    }


def tray(row: int, type_: int, most: int, level: int) -> dict[str, Value]:
    return {f"{PRT}.8.2.1.{column}.1.{row}": value for column, value in ((2, type_), (9, most), (10, level))}


def levels(values: dict[str, Value]) -> dict[str, float | str]:
    return {item.path: item.value for item in printer.read_levels(Answers(values), "1")}


def test_the_emptiest_toner_and_the_emptiest_tray_speak() -> None:
    values = {
        **supply(1, 3, 3, 3000, 1500),
        **supply(2, 3, 21, 200, 20),
        **supply(3, 4, 4, 100, 1),  # the waste box fills
        **supply(4, 3, 9, 100, 2),  # a drum is no toner
        **tray(1, 3, 250, 200),
        **tray(2, 4, 500, 50),
        **tray(3, 5, 1, 0),  # the manual slot is always empty
        f"{PRT}.10.2.1.4.1.1": 12345,
        f"{PRT}.10.2.1.4.1.2": 1,
        f"{PRT}.10.2.1.4.2.1": 9,
    }
    assert levels(values) == {"prs/toner_level": 0.1, "prs/paper_level": 0.1, "prs/pages": 12345}


@pytest.mark.parametrize("level", [-1, -2, -3])
def test_a_negative_level_is_absent(level: int) -> None:
    assert levels({**supply(1, 3, 3, 100, level), **tray(1, 3, 250, level)}) == {}


def test_an_unknown_capacity_is_absent_but_percent_are_percent() -> None:
    assert levels({**supply(1, 3, 3, -2, 40), **tray(1, 3, -2, 40)}) == {}
    assert levels(supply(1, 3, 3, -2, 40, unit=19)) == {"prs/toner_level": 0.4}


def test_an_overfull_tray_is_full_and_nonsense_is_absent() -> None:
    assert levels(tray(1, 3, 250, 260)) == {"prs/paper_level": 1.0}
    assert levels(tray(1, 3, 250, 2600)) == {}


def test_the_printer_is_found_among_other_devices() -> None:
    kinds = {f"{DEVICE}.2.196608": "1.3.6.1.2.1.25.3.1.3", f"{DEVICE}.2.7": "1.3.6.1.2.1.25.3.1.5"}
    assert printer.find_printer(Answers(kinds)) == "7"
    assert printer.find_printer(Answers({f"{PRINTER}.1.3": 3})) == "3"
    assert printer.find_printer(Answers({f"{PRT}.5.1.1.17.2": b"SN"})) == "2"
    assert printer.find_printer(Answers({})) == ""


WELL: dict[str, Value] = {
    f"{UPS}.2.1.0": 2,
    f"{UPS}.2.2.0": 0,
    f"{UPS}.2.3.0": 45,
    f"{UPS}.2.4.0": 100,
    f"{UPS}.2.5.0": 273,
    f"{UPS}.2.7.0": 24,
    f"{UPS}.3.1.0": 3,
    f"{UPS}.3.3.1.2.1": 500,
    f"{UPS}.3.3.1.3.1": 231,
    f"{UPS}.4.1.0": 3,
    f"{UPS}.4.4.1.5.1": 35,
    f"{UPS}.6.1.0": 0,
}


def power(values: dict[str, Value]) -> tuple[dict[str, float | str], Answers]:
    answers = Answers(values)
    seen = [*ups.read_status(answers), *ups.read_lines(answers), *ups.read_alarms(answers)]
    return {item.path: item.value for item in seen}, answers


def test_a_supply_on_mains() -> None:
    assert power(WELL)[0] == {
        "ups/source": "normal",
        "ups/battery": "normal",
        "ups/line_bads": 3,
        "ups/seconds_on_battery": 0,
        "ups/runtime": 2700,
        "ups/charge": 100,
        "ups/battery_voltage": 27.3,
        "ups/battery_temperature": 24,
        "ups/input_frequency": 50,
        "ups/input_voltage": 231,
        "ups/load": 0.35,
        "ups/battery_bad": "false",
        "ups/overload": "false",
        "ups/charger_failed": "false",
        "ups/fan_failure": "false",
    }


def test_alarms_are_told_apart_and_end() -> None:
    alarms: dict[str, Value] = {
        f"{UPS}.6.1.0": 2,
        f"{UPS}.6.2.1.2.5": f"{UPS}.6.3.1",
        f"{UPS}.6.2.1.2.9": f"{UPS}.6.3.16.0",
    }
    seen = power({**WELL, **alarms})[0]
    assert (seen["ups/battery_bad"], seen["ups/fan_failure"]) == ("true", "true")
    assert (seen["ups/overload"], seen["ups/charger_failed"]) == ("false", "false")


def test_alarms_that_are_counted_and_not_listed_are_unknown_and_no_alarm_objects_are_absent() -> None:
    assert power({**WELL, f"{UPS}.6.1.0": 1})[0]["ups/battery_bad"] == "unknown"
    silent = {oid: value for oid, value in WELL.items() if oid != f"{UPS}.6.1.0"}
    assert "ups/battery_bad" not in power(silent)[0]


def test_of_three_phases_the_lowest_voltage_and_the_highest_load_speak() -> None:
    phases: dict[str, Value] = {f"{UPS}.3.3.1.3.2": 180, f"{UPS}.3.3.1.3.3": 229, f"{UPS}.4.4.1.5.2": 90}
    seen = power({**WELL, **phases})[0]
    assert (seen["ups/input_voltage"], seen["ups/load"]) == (180, 0.9)


def test_absurd_figures_are_absent_and_complained_about_but_minus_one_is_only_absent() -> None:
    seen, answers = power(
        {**WELL, f"{UPS}.2.4.0": 65535, f"{UPS}.2.3.0": -1, f"{UPS}.2.1.0": 9, f"{UPS}.4.1.0": b"normal"}
    )
    assert not {"ups/charge", "ups/runtime", "ups/battery", "ups/source"} & seen.keys()
    assert {complaint.oid for complaint in answers.complaints} == {f"{UPS}.2.4.0", f"{UPS}.2.1.0", f"{UPS}.4.1.0"}


@given(
    st.dictionaries(
        st.sampled_from(sorted(WELL)), st.one_of(st.integers(), st.binary(max_size=9), st.just("1.3")), max_size=12
    )
)
def test_whatever_a_supply_says_figures_stay_in_the_catalogues_ranges(values: dict[str, Value]) -> None:
    for path, value in power({**WELL, **values})[0].items():
        signal = SELF_SERVICE_TERMINAL.signal(path)
        assert signal is not None, path
        if isinstance(value, str):
            assert signal.ordinal(value) is not None
        else:
            least, most = signal.bounds
            assert least is None or value >= least
            assert most is None or value <= most
