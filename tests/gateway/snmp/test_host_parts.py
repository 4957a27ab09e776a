from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.snmp import application as apps
from gateway.drivers.snmp import ports, storage
from gateway.drivers.snmp.application import Application
from gateway.drivers.snmp.date_and_time import read_date_and_time, skew_s
from gateway.drivers.snmp.numbering import Numbering
from gateway.drivers.snmp.uptime import WRAP_TICKS, Uptime, advance
from gateway.drivers.snmp.values import Answers, Value

CHINA = timezone(timedelta(hours=8))
STORAGE = "1.3.6.1.2.1.25.2.3.1"
TYPE = "1.3.6.1.2.1.25.2.1"
IF = "1.3.6.1.2.1.2.2.1"
IFX = "1.3.6.1.2.1.31.1.1.1"
RUN = "1.3.6.1.2.1.25.4.2.1"


def seen_as_dict(seen: list) -> dict[str, float | str]:  # type: ignore[type-arg]
    return {item.path: item.value for item in seen}


# -- uptime ------------------------------------------------------------------------------------------------------------


def test_the_first_uptime_is_no_reboot() -> None:
    assert advance(None, 500, 0) == Uptime(500, 0)


def test_uptime_that_went_back_is_a_reboot() -> None:
    assert advance(Uptime(1_000_000, 0), 3000, 60_000, 60).reboots == 1


def test_the_end_of_the_count_after_497_days_is_no_reboot_and_uptime_goes_on() -> None:
    after = advance(Uptime(WRAP_TICKS - 1000, 0), 2000, 30_000, 30)
    assert after.reboots == 0
    assert after.seconds == pytest.approx((WRAP_TICKS + 2000) / 100)


def test_the_end_of_the_count_is_recognised_over_a_restart_of_the_gateway() -> None:
    assert advance(Uptime(WRAP_TICKS - 1000, 0), 2000, 30_000).reboots == 0


def test_a_reboot_shortly_before_the_count_would_end_is_a_reboot() -> None:
    after = advance(Uptime(WRAP_TICKS - 1000, 0, wraps=1), 2000, 30_000_000, 30_000)
    assert (after.reboots, after.wraps) == (1, 0)


def test_a_reboot_in_a_silence_shows_by_less_uptime_than_time_that_passed() -> None:
    assert advance(Uptime(6000, 0), 10_000, 300_000, 300).reboots == 1


def test_the_gateways_clock_being_set_makes_no_reboot() -> None:
    two_years_ms = 2 * 365 * 86_400_000
    assert advance(Uptime(6000, 0), 9000, two_years_ms).reboots == 0
    assert advance(Uptime(6000, two_years_ms), 9000, 0).reboots == 0


@given(st.integers(0, WRAP_TICKS - 1), st.lists(st.integers(0, 600), min_size=1, max_size=50))
def test_a_computer_that_keeps_running_is_never_rebooted(ticks: int, steps_s: list[int]) -> None:
    state, now_ms, total = advance(None, ticks, 0), 0, ticks
    for step_s in steps_s:
        now_ms += step_s * 1000
        total += step_s * 100
        state = advance(state, total % WRAP_TICKS, now_ms, step_s)
    assert state.reboots == 0
    assert state.seconds == pytest.approx(total / 100)


# -- date and time -----------------------------------------------------------------------------------------------------


def octets(at: datetime, *zone: int) -> bytes:
    head = [at.month, at.day, at.hour, at.minute, at.second, at.microsecond // 100_000]
    return at.year.to_bytes(2, "big") + bytes([*head, *zone])


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.integers(-12 * 60, 14 * 60))  # noqa: DTZ001
def test_a_time_with_its_zone_is_read_back(local: datetime, offset_min: int) -> None:
    zone = timezone(timedelta(minutes=offset_min))
    sign = ord("-") if offset_min < 0 else ord("+")
    at = local.replace(microsecond=local.microsecond // 100_000 * 100_000, tzinfo=zone)
    assert read_date_and_time(octets(at, sign, abs(offset_min) // 60, abs(offset_min) % 60), CHINA) == at


def test_a_time_without_a_zone_is_the_configured_local_time() -> None:
    at = datetime(2026, 11, 22, 9, 30, 15, tzinfo=CHINA)
    assert read_date_and_time(octets(at), CHINA) == at


@given(st.binary(max_size=16))
def test_anything_else_is_refused_as_no_time(garbage: bytes) -> None:
    try:
        assert len(garbage) in {8, 11}
        assert read_date_and_time(garbage, CHINA).tzinfo is not None
    except (ValueError, AssertionError, OverflowError):
        return


@pytest.mark.parametrize("garbage", [bytes(8), bytes(11), b"", octets(datetime(2026, 1, 1), ord("*"), 1, 0)])  # noqa: DTZ001
def test_zeros_and_strange_zones_are_no_time(garbage: bytes) -> None:
    with pytest.raises(ValueError, match=r"octets|range|offset"):
        read_date_and_time(garbage, CHINA)


def test_skew_counts_half_the_round_trip() -> None:
    at = datetime(2026, 11, 22, 9, 30, 15, tzinfo=CHINA)
    now_ms = round(at.timestamp() * 1000) + 1000
    assert skew_s(octets(at), CHINA, now_ms, 2.0) == 0.0
    assert skew_s(octets(at.astimezone(UTC), ord("+"), 0, 0), CHINA, now_ms, 0.0) == -1.0


# -- storage -----------------------------------------------------------------------------------------------------------


def storage_row(row: int, type_: int, name: bytes, size: int, used: int) -> dict[str, Value]:
    return {
        f"{STORAGE}.2.{row}": f"{TYPE}.{type_}",
        f"{STORAGE}.3.{row}": name,
        f"{STORAGE}.5.{row}": size,
        f"{STORAGE}.6.{row}": used,
    }


WINDOWS: dict[str, Value] = {
    **storage_row(1, 4, b"C:\\ Label:System  Serial Number 1a2b3c4d\0", 1000, 400),
    **storage_row(2, 7, b"D:\\", 0, 0),
    **storage_row(3, 4, b"E:\\ Label:  Serial Number 0", 2000, 200),
    **storage_row(4, 3, b"Virtual Memory", 3000, 300),
    **storage_row(5, 2, b"Physical Memory", 1000, 450),
}


def test_disks_and_memory_of_windows() -> None:
    numbering = Numbering((), 32)
    seen = seen_as_dict(storage.read_storage(Answers(WINDOWS), numbering, ()))
    assert seen == {"host/memory_used": 0.45, "host/disk1/used": 0.4, "host/disk2/used": 0.1}
    assert numbering.names == ("C:\\", "E:\\")


def test_a_disk_keeps_its_number_when_rows_move_and_labels_change() -> None:
    numbering = Numbering(("C:\\", "E:\\"), 32)
    moved = {
        **storage_row(1, 4, b"B:\\ Label:New", 100, 90),
        **storage_row(7, 4, b"C:\\ Label:Renamed  Serial Number 9", 1000, 500),
    }
    seen = seen_as_dict(storage.read_storage(Answers(moved), numbering, ()))
    assert seen == {"host/disk1/used": 0.5, "host/disk3/used": 0.9}


def test_only_the_disks_asked_for_are_reported() -> None:
    seen = seen_as_dict(storage.read_storage(Answers(WINDOWS), Numbering((), 32), ("e:\\",)))
    assert seen == {"host/memory_used": 0.45, "host/disk1/used": 0.1}


def test_memory_that_linux_can_give_back_is_not_in_use() -> None:
    linux = {
        **storage_row(1, 2, b"Physical memory", 1000, 900),
        **storage_row(6, 1, b"Memory buffers", 1000, 100),
        **storage_row(7, 1, b"Cached memory", 500, 500),
    }
    assert seen_as_dict(storage.read_storage(Answers(linux), Numbering((), 32), ())) == {"host/memory_used": 0.3}
    linux |= storage_row(11, 1, b"Available memory", 750, 0)
    assert seen_as_dict(storage.read_storage(Answers(linux), Numbering((), 32), ())) == {"host/memory_used": 0.25}


def test_what_linux_calls_disks_is_left_out_and_a_count_beyond_31_bits_is_mended() -> None:
    linux = {
        **storage_row(34, 4, b"/dev/shm", 100, 1),
        **storage_row(35, 4, b"/run", 100, 1),
        **storage_row(36, 4, b"/", -2_000_000_000, 1_147_483_648),
        **storage_row(37, 4, b"/runner", 10, 5),
    }
    seen = seen_as_dict(storage.read_storage(Answers(linux), Numbering((), 32), ()))
    assert seen == {"host/disk1/used": 0.5, "host/disk2/used": 0.5}


def test_more_in_use_than_there_is_is_no_share() -> None:
    full = {**storage_row(1, 4, b"/", 100, 101), **storage_row(2, 2, b"RAM", 100, 101)}
    assert storage.read_storage(Answers(full), Numbering((), 32), ()) == []


@given(
    st.dictionaries(st.sampled_from(sorted(WINDOWS)), st.one_of(st.integers(), st.binary(max_size=20), st.just("1.3")))
)
def test_whatever_the_agent_says_shares_stay_shares(given_values: dict[str, Value]) -> None:
    for item in storage.read_storage(Answers({**WINDOWS, **given_values}), Numbering((), 32), ()):
        assert isinstance(item.value, float)
        assert 0 <= item.value <= 1


# -- ports -------------------------------------------------------------------------------------------------------------


def port_row(row: int, name: bytes, type_: int = 6, admin: int = 1, *, description: bytes = b"") -> dict[str, Value]:
    return {
        f"{IF}.2.{row}": description or name,
        f"{IF}.3.{row}": type_,
        f"{IF}.7.{row}": admin,
        f"{IFX}.1.{row}": name,
    }


def test_ports_with_a_plug_that_are_on_are_watched() -> None:
    table = {
        **port_row(1, b"lo", 24),
        **port_row(2, b"Ethernet", description=b"Intel I219\0"),
        **port_row(3, b"Ethernet-WFP", description=b"Intel I219-WFP Native MAC Layer LightWeight Filter-0000"),
        **port_row(4, b"Ethernet 2", admin=2),
        **port_row(5, b"Wi-Fi", 71),
        **port_row(6, b"docker0"),
        f"{IFX}.17.6": 2,
    }
    numbering = Numbering((), 16)
    assert ports.choose_ports(Answers(table), numbering, ()) == (ports.Port("2", 1), ports.Port("5", 2))
    table[f"{IF}.7.2"] = 2  # switched off later: it stays watched
    assert ports.Port("2", 1) in ports.choose_ports(Answers(table), numbering, ())
    assert ports.choose_ports(Answers(table), numbering, ("lo", "ETHERNET")) == (ports.Port("1", 3), ports.Port("2", 1))


def port_values(in_octets: int, *, wide: bool = True, state: int = 1) -> Answers:
    column = f"{IFX}.6.2" if wide else f"{IF}.10.2"
    return Answers({column: in_octets, f"{IF}.8.2": state})


WATCHED = (ports.Port("2", 1),)


def test_rates_come_from_two_counts() -> None:
    seen, counts = ports.read_ports(port_values(1000), WATCHED, {}, 10.0)
    assert seen_as_dict(seen) == {"host/net1/oper_status": "up"}
    seen, _ = ports.read_ports(port_values(4000, state=7), WATCHED, counts, 20.0)
    assert seen_as_dict(seen) == {"host/net1/oper_status": "lowerLayerDown", "host/net1/in_rate": 2400.0}


def test_a_full_32_bit_count_goes_on_and_one_set_anew_gives_no_rate() -> None:
    _, counts = ports.read_ports(port_values(2**32 - 1000, wide=False), WATCHED, {}, 10.0)
    seen, _ = ports.read_ports(port_values(1000, wide=False), WATCHED, counts, 20.0)
    assert seen_as_dict(seen)["host/net1/in_rate"] == 1600.0
    _, counts = ports.read_ports(port_values(1_000_000, wide=False), WATCHED, {}, 10.0)
    seen, _ = ports.read_ports(port_values(1000, wide=False), WATCHED, counts, 20.0)
    assert "host/net1/in_rate" not in seen_as_dict(seen)


def test_a_64_bit_count_that_falls_was_set_anew() -> None:
    _, counts = ports.read_ports(port_values(10**12), WATCHED, {}, 10.0)
    seen, _ = ports.read_ports(port_values(1000), WATCHED, counts, 20.0)
    assert "host/net1/in_rate" not in seen_as_dict(seen)


@given(st.integers(0, 2**32 - 1), st.integers(0, 10**9), st.integers(1, 900))
def test_a_rate_is_what_went_through(start: int, grown: int, elapsed_s: int) -> None:
    _, counts = ports.read_ports(port_values(start, wide=False), WATCHED, {}, 0.0)
    seen, _ = ports.read_ports(port_values((start + grown) % 2**32, wide=False), WATCHED, counts, float(elapsed_s))
    assert seen_as_dict(seen)["host/net1/in_rate"] == pytest.approx(grown * 8 / elapsed_s, abs=0.1)


# -- application -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "name", "path", "is_it"),
    [
        ("kiosk.exe", b"Kiosk.exe\0", b"", True),
        ("kiosk.exe", b"kiosk", b"", False),
        ("/kiosk/bin/kiosk", b"kiosk", b"/kiosk/bin/kiosk", True),
        ("/kiosk/bin/kiosk", b"kiosk", b"/usr/bin/kiosk", False),
        ("C:\\Kiosk\\kiosk.exe", b"kiosk.exe", b"C:\\Kiosk\\", True),
        ("kiosk-browser-main", b"kiosk-browser-m", b"", True),
        ("kiosk", b"", b"", False),
    ],
)
def test_the_application_is_found_by_name_or_path(wanted: str, name: bytes, path: bytes, is_it: bool) -> None:
    answers = Answers({f"{RUN}.2.77": name, f"{RUN}.4.77": path})
    assert apps.is_at(answers, wanted, "77") is is_it


def test_the_lowest_process_of_several_is_first() -> None:
    answers = Answers({f"{RUN}.2.{row}": b"chrome" for row in (900, 1000, 20)})
    assert apps.candidates(answers, "chrome") == ["20", "900", "1000"]


def test_another_process_id_is_a_restart_and_the_first_is_none() -> None:
    first = apps.moved(Application(), "20")
    assert first == Application("20", 0)
    assert apps.moved(first, "20") == first
    assert apps.moved(first, "31") == Application("31", 1)


def test_numbers_are_bounded_and_stay() -> None:
    numbering = Numbering(("a", "b", "a"), 3)
    assert [numbering.number(name) for name in ("b", "c", "d", "a")] == [2, 3, None, 1]
    assert numbering.names == ("a", "b", "c")
