"""Settings errors name the file, the key, the value and what is allowed."""

from pathlib import Path

import pytest

from contracts.errors import ConfigurationError
from gateway.drivers.registry import DRIVERS
from gateway.settings import GatewaySettings
from runtime.settings import load_settings

GOOD = """
branch_id: BR0421
devices:
  - {id: atm-01, kind: atm, name: lobby, connection: {driver: xfs, host: 10.0.0.7}}
  - {id: alm-01, kind: alarm_panel, connection: {driver: dc09, listen_port: 12000, account: "1234"}}
  - {id: ftf-01, kind: footfall_sensor, connection: {driver: axis, host: 10.0.0.9}}
"""


def load(tmp_path: Path, text: str) -> GatewaySettings:
    path = tmp_path / "gateway.yaml"
    path.write_text(text)
    return load_settings(GatewaySettings, path)


def test_each_device_has_the_settings_of_its_driver(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    assert [device.driver for device in settings.devices] == ["xfs", "dc09", "axis"]
    for device in settings.devices:
        assert type(device.connection) is DRIVERS[device.driver].settings
    assert settings.outbox_path == Path("data/gateway/BR0421/outbox.db")


def test_written_settings_read_back_the_same(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    assert GatewaySettings.model_validate(settings.model_dump()) == settings


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("BR0421", "BR/421", ["branch_id = 'BR/421'", "letter or digit"]),
        ("driver: xfs", "driver: xsf", ["devices.0.connection", "driver = 'xsf'", "xfs, dc09, axis"]),
        ("listen_port: 12000", "listen_port: 99999", ["devices.1.connection", "listen_port = 99999", "65535"]),
        ("host: 10.0.0.9", "hots: 10.0.0.9", ["devices.2.connection", "hots", "unknown key"]),
        ("kind: atm", "kind: toaster", ["devices.0.kind = 'toaster'", "atm, self_service_terminal"]),
        ("kind: atm", "kind: alarm_panel", ["devices.0", "driver 'xfs' reads atm", "'alarm_panel'"]),
        ("id: alm-01", "id: atm-01", ["id 'atm-01' is listed twice"]),
        ("id: alm-01", "id: gateway", ["id 'gateway' is the gateway itself"]),
        ("name: lobby", "nmae: lobby", ["devices.0.nmae", "unknown key"]),
        ("connection: {driver: xfs, host: 10.0.0.7}", "connections: []", ["devices.0", "connection or connections"]),
        (
            "connection: {driver: xfs, host: 10.0.0.7}",
            "connections: [{driver: xfs, host: a}, {driver: xfs, host: b}]",
            ["devices.0", "two connections with driver 'xfs'"],
        ),
        ("connection: {driver: xfs", "connections: {driver: xfs", ["devices.0.connections", "expected a list"]),
        (
            "id: ftf-01, kind: footfall_sensor, connection: {driver: axis, host: 10.0.0.9}",
            'id: alm-02, kind: alarm_panel, connection: {driver: dc09, listen_port: 12000, account: "1234"}',
            ["12000", "1234"],
        ),
        ("branch_id", "uplink: {window: 0}\nbranch_id", ["uplink.window = 0", "greater than or equal to 2"]),
    ],
)
def test_a_wrong_value_is_said_with_its_file_key_and_what_is_allowed(
    tmp_path: Path, wrong: str, right: str, said: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, GOOD.replace(wrong, right, 1))
    for part in ["gateway.yaml", *said]:
        assert part in str(caught.value)


def test_a_password_is_in_no_dump(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD.replace("host: 10.0.0.9", "host: 10.0.0.9, username: viewer, password: hunter2"))
    for shown in (repr(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "hunter2" not in shown


@pytest.mark.parametrize(
    "wrong",
    ["username: viewer, password: hunter2, port: 99999", "password: hunter2", "username: viewer, password: [hunter2]"],
)
def test_a_password_is_in_no_error(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, GOOD.replace("host: 10.0.0.9", f"host: 10.0.0.9, {wrong}"))
    assert "devices.2.connection" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_every_driver_names_itself_in_its_settings_and_the_kinds_it_reads() -> None:
    for name, type_ in DRIVERS.items():
        assert type_.settings.model_fields["driver"].annotation.__args__ == (name,)  # type: ignore[union-attr]
        assert type_.kinds
