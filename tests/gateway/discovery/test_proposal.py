"""What is written can be loaded, says what was tried, and holds no secret and no word of a device outside a comment."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import ATM, CAMERA, FOOTFALL_SENSOR, SELF_SERVICE_TERMINAL
from gateway.discovery.proposal import write
from gateway.discovery.sighting import Look, Report, Sighting
from gateway.discovery.target import Target, targets
from gateway.settings import GatewaySettings
from runtime.settings import load_settings

AGENT = {"address": "10.4.21.31", "community": "public"}


def machine(kind: str = ATM.name, what: str = "XFS4IoT", **section: object) -> Sighting:
    return Sighting("xfs", kind, what, {"host": "10.4.21.31", **section}, ["tls_ca: /path/to/authority.pem"])


def agent(*parts: str) -> Sighting:
    return Sighting("snmp", "", "SNMP; agent", dict.fromkeys(parts, AGENT), is_certain=False)


def camera(what: str = "ONVIF") -> Sighting:
    return Sighting("onvif", CAMERA.name, what, {"host": "10.4.21.41", "port": 80}, ["password: fill in"])


def counter(*, is_certain: bool = True) -> Sighting:
    section = {"host": "10.4.21.51", "port": 80}
    return Sighting("axis", FOOTFALL_SENSOR.name, "Axis", section, is_certain=is_certain)


def report(*sightings: Sighting, remarks: tuple[str, ...] = (), host: str = "10.4.21.31") -> Report:
    return Report(Target(host), (Look("XFS4IoT on TCP port 443", sightings, remarks),), (443,))


def loaded(text: str, tmp_path: Path) -> GatewaySettings:
    path = tmp_path / "proposal.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(GatewaySettings, path)


def test_a_terminal_and_its_agent_are_one_device_with_two_connections(tmp_path: Path) -> None:
    seen = report(machine(SELF_SERVICE_TERMINAL.name), agent("host", "printer", "ups"))
    (device,) = loaded(write([seen], "BR0421"), tmp_path).devices
    assert (device.id, device.kind, device.driver) == ("sst-01", SELF_SERVICE_TERMINAL.name, "xfs+snmp")
    assert set(device.all_connections[1].model_dump(exclude_none=True)) >= {"host", "printer", "ups"}


def test_an_atm_has_no_office_printer(tmp_path: Path) -> None:
    (device,) = loaded(write([report(machine(), agent("host", "printer"))], "BR0421"), tmp_path).devices
    assert device.all_connections[1].model_dump()["printer"] is None
    (device,) = loaded(write([report(machine(), agent("printer"))], "BR0421"), tmp_path).devices
    assert device.driver == "xfs"


def at_port(port: int, *sightings: Sighting) -> Report:
    return Report(Target("10.4.21.31", (port,)), tuple(Look(seen.driver, [seen]) for seen in sightings), (port,))


def test_an_agent_seen_at_several_ports_of_an_address_is_the_only_machines(tmp_path: Path) -> None:
    seen = [at_port(80, agent("host"), camera()), at_port(5846, machine(), agent("host"))]
    text = write(seen, "BR0421")
    assert [device.driver for device in loaded(text, tmp_path).devices] == ["onvif", "xfs+snmp"]
    assert text.count("driver: snmp") == 1


def test_an_agent_of_several_machines_at_one_address_is_proposed_once_and_for_none_of_them(tmp_path: Path) -> None:
    seen = [
        at_port(5846, machine(), agent("host", "printer")),
        at_port(5847, machine(SELF_SERVICE_TERMINAL.name), agent("host", "printer")),
        report(machine(), agent("host"), host="10.4.21.32"),
    ]
    text = write(seen, "BR0421")
    assert [device.driver for device in loaded(text, tmp_path).devices] == ["xfs", "xfs", "xfs+snmp"]
    assert text.count("driver: snmp") == 2
    assert "only if it is a terminal, or speaks for one" in text
    taken = re.sub(r"(?m)^  # (-|  )", r"  \1", text)
    assert [device.driver for device in loaded(taken, tmp_path).devices] == ["xfs", "xfs", "snmp", "xfs+snmp"]


def test_devices_are_numbered_by_kind_and_a_camera_with_a_counter_is_two(tmp_path: Path) -> None:
    seen = [report(machine()), report(camera(), counter()), report(machine(), host="10.4.21.32"), report(camera())]
    devices = loaded(write(seen, "BR0421"), tmp_path).devices
    assert [device.id for device in devices] == ["atm-01", "cam-01", "footfall-01", "atm-02", "cam-02"]


def test_without_a_branch_only_the_devices_are_written() -> None:
    assert list(yaml.safe_load(write([report(machine())]))) == ["devices"]


def test_what_only_looks_like_a_device_is_a_comment_that_can_be_taken(tmp_path: Path) -> None:
    text = write([report(machine()), report(counter(is_certain=False)), report(agent("host"))], "BR0421")
    assert [device.id for device in loaded(text, tmp_path).devices] == ["atm-01"]
    assert "if it is a terminal" in text
    taken = re.sub(r"(?m)^  # (-|  )", r"  \1", text)
    devices = loaded(taken, tmp_path).devices
    assert [device.id for device in devices] == ["atm-01", "footfall-01", "sst-01"]


def test_nothing_found_is_loadable_and_says_what_was_tried_at_each_address(tmp_path: Path) -> None:
    silent = [
        Report(target, (Look(""), Look("SNMP on UDP port 161"))) for target in targets(["10.4.21.4/29", "10.4.21.90"])
    ]
    asking = report(remarks=("port 443 asks for a user",), host="10.4.21.91")
    text = write([*silent, asking], "BR0421")
    assert loaded(text, tmp_path).devices == ()
    assert "10.4.21.1-10.4.21.6, 10.4.21.90" in text
    assert "no connection on TCP port 80, 443" in text
    assert "SNMP on UDP port 161" in text
    assert "XFS4IoT on TCP port 443" in text
    assert "port 443 asks for a user" in text


@pytest.mark.parametrize(
    "said", ["x\ndevices: []", "x\r- id: atm-99", "a\x85b: c", "a\u2028b: c", "\x1b[2Jx", "}\x00{"]
)
def test_a_device_that_says_yaml_writes_no_setting(said: str, tmp_path: Path) -> None:
    seen = report(machine(what=said), camera(said), remarks=(said,))
    text = write([seen, report(remarks=(said,), host="10.4.21.99")], "BR0421")
    assert [device.id for device in loaded(text, tmp_path).devices] == ["atm-01", "cam-01"]
    assert "\x1b" not in text


@given(st.text(max_size=300), st.text(max_size=100))
def test_whatever_devices_say_the_settings_are_the_same(said: str, name: str) -> None:
    plain = yaml.safe_load(write([report(machine(), camera())], "BR0421"))
    seen = report(
        Sighting("xfs", ATM.name, said, {"host": "10.4.21.31"}, [f"components: {{{name}: idr}}"]),
        camera(said),
        remarks=(said, name),
    )
    assert yaml.safe_load(write([seen], "BR0421")) == plain
