from pathlib import Path

from contracts.devices import GATEWAY
from gateway.host import Host, clock_kept


def port(sys: Path, name: str, *, state: str = "up", flags: str = "0x1003", is_hardware: bool = True) -> Path:
    folder = sys / "class/net" / name
    (folder / "statistics").mkdir(parents=True)
    (folder / "operstate").write_text(f"{state}\n")
    (folder / "flags").write_text(f"{flags}\n")
    if is_hardware:
        (folder / "device").mkdir()
    count(folder, 1000, 500)
    return folder


def count(folder: Path, received: int, sent: int) -> None:
    (folder / "statistics/rx_bytes").write_text(f"{received}\n")
    (folder / "statistics/tx_bytes").write_text(f"{sent}\n")


def look(host: Host) -> dict[str, float | str]:
    seen = {item.path: item.value for item in host.observations()}
    for path, value in seen.items():
        signal = GATEWAY.signal(path)
        assert signal is not None, path
        assert not isinstance(value, str) or signal.ordinal(value) is not None, (path, value)
    return seen


class Steady:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_ports_with_hardware_that_are_on_are_watched_with_their_rates(tmp_path: Path) -> None:
    steady = Steady()
    wired = port(tmp_path, "enp3s0", state="lowerlayerdown")
    port(tmp_path, "lo", is_hardware=False, state="unknown")
    port(tmp_path, "enp4s0", flags="0x1002", state="down")
    host = Host(tmp_path, tmp_path, steady)
    first = look(host)
    assert first["host/net1/oper_status"] == "lowerLayerDown"
    assert "host/net1/in_rate" not in first
    assert not [path for path in first if path.startswith("host/net2")]
    steady.now_s += 10
    count(wired, 2250, 750)
    second = look(host)
    assert (second["host/net1/in_rate"], second["host/net1/out_rate"]) == (1000.0, 200.0)


def test_a_port_that_is_switched_off_later_stays_and_keeps_its_number(tmp_path: Path) -> None:
    steady = Steady()
    second = port(tmp_path, "enp4s0")
    host = Host(tmp_path, tmp_path, steady)
    look(host)
    port(tmp_path, "enp3s0")  # plugged in later, and first by name
    (second / "flags").write_text("0x1002")
    (second / "operstate").write_text("down")
    count(second, 0, 0)  # counted anew: no rate
    steady.now_s += 10
    seen = look(host)
    assert seen["host/net1/oper_status"] == "down"
    assert seen["host/net2/oper_status"] == "up"
    assert "host/net1/in_rate" not in seen


def test_the_hottest_zone_counts_and_nonsense_does_not(tmp_path: Path) -> None:
    for number, text in enumerate(("41000", "48500", "-273000", "250000", "hot")):
        zone = tmp_path / "class/thermal" / f"thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text(text)
    assert look(Host(tmp_path, tmp_path))["host/temperature"] == 48.5


def test_a_board_without_zones_is_read_at_its_sensors_and_one_without_any_says_nothing(tmp_path: Path) -> None:
    assert "host/temperature" not in look(Host(tmp_path, tmp_path))
    sensor = tmp_path / "class/hwmon/hwmon0"
    sensor.mkdir(parents=True)
    (sensor / "temp1_input").write_text("39000")
    assert look(Host(tmp_path, tmp_path))["host/temperature"] == 39.0


def test_this_computer_says_what_it_is_doing(tmp_path: Path) -> None:
    seen = look(Host(tmp_path))
    assert float(seen["host/uptime"]) > 0
    assert 0 < float(seen["host/memory_used"]) < 1
    assert 0 < float(seen["host/disk1/used"]) < 1


def supply(sys: Path, name: str, **properties: str) -> None:
    folder = sys / "class/power_supply" / name
    folder.mkdir(parents=True, exist_ok=True)
    for key, text in properties.items():
        (folder / key).write_text(f"{text}\n")


def power(sys: Path) -> dict[str, float | str]:
    return {path: value for path, value in look(Host(sys, sys)).items() if path.startswith("ups/")}


def test_a_computer_with_a_battery_tells_what_it_is_fed_by(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online="1")
    supply(tmp_path, "BAT0", type="Battery", status="Full", capacity="98", voltage_now="12600000", temp="251")
    supply(tmp_path, "mouse", type="Battery", scope="Device", capacity="3")
    assert power(tmp_path) == {
        "ups/source": "normal", "ups/charge": 98, "ups/battery": "normal", "ups/battery_voltage": 12.6,
        "ups/battery_temperature": 25.1,
    }  # fmt: skip
    supply(tmp_path, "AC", online="0")
    supply(tmp_path, "BAT0", status="Discharging", capacity="18", time_to_empty_now="540")
    now = power(tmp_path)
    assert (now["ups/source"], now["ups/battery"], now["ups/runtime"]) == ("battery", "low", 540)
    supply(tmp_path, "BAT0", capacity_level="Critical")
    assert power(tmp_path)["ups/battery"] == "depleted"
    supply(tmp_path, "BAT0", health="Dead")
    assert power(tmp_path)["ups/battery"] == "failure"


def test_a_battery_without_a_line_tells_its_source_by_its_status_and_nonsense_is_left_out(tmp_path: Path) -> None:
    supply(tmp_path, "ups", type="UPS", status="Discharging", capacity="900", voltage_now="x", temp="9999")
    assert power(tmp_path) == {"ups/source": "battery", "ups/battery": "unknown"}


def test_a_computer_without_a_battery_says_nothing_of_power(tmp_path: Path) -> None:
    assert power(tmp_path) == {}
    supply(tmp_path, "AC", type="Mains", online="1")
    assert power(tmp_path) == {}


def test_a_clock_that_has_time_to_make_up_is_behind() -> None:
    """Flags and states from adjtimex(2): 0x40 unsynchronised, 0x2000 nanoseconds, state 5 an error."""
    kept = {item.path: item.value for item in clock_kept(0, 1_500_000, 0x2001)}
    assert kept == {"clock/sync": "synchronised", "clock/skew": -0.0015}
    assert {item.path: item.value for item in clock_kept(0, -250_000, 0x0001)}["clock/skew"] == 0.25
    for state, status in ((5, 0x0001), (0, 0x0041)):
        assert [(item.path, item.value) for item in clock_kept(state, 0, status)] == [("clock/sync", "unsynchronised")]
