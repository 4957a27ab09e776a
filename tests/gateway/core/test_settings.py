"""Settings errors name the file, the key, the value and what is allowed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from contracts.errors import ConfigurationError
from gateway.drivers.registry import DRIVERS, parse_connection
from gateway.settings import GatewaySettings
from runtime.settings import is_secret, load_settings

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
        ("branch_id", "uplink: {window: 0}\nbranch_id", ["uplink.window = 0", "expected 2 or more"]),
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


def test_a_password_is_in_no_error_about_a_whole_part(tmp_path: Path) -> None:
    wrong = "connections: [{driver: onvif, host: a, username: v, password: hunter2}, {driver: snpm}]"
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, GOOD.replace("connection: {driver: axis, host: 10.0.0.9}", wrong))
    assert "driver = 'snpm': expected one of" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("connection", "variable", "of"),
    [
        ("driver: onvif, host: h, username: viewer, password: '${DEVICE}'", "secret-1", lambda it: it.password),
        ("driver: axis, host: h, username: viewer, password: '${DEVICE}'", "secret-1", lambda it: it.password),
        ("driver: milesight, token: '${DEVICE}'", "secret-1", lambda it: it.token),
        (
            "driver: milesight, transport: mqtt, topic: t, broker: {password: '${DEVICE}'}",
            "secret-1",
            lambda it: it.broker.password,
        ),
        ("driver: dc09, listen_port: 1, account: '1234', key_ascii: '${DEVICE}'", "k" * 16, lambda it: it.key_ascii),
        ("driver: dc09, listen_port: 1, account: '1234', key_hex: '${DEVICE}'", "a" * 32, lambda it: it.key_hex),
        ("driver: snmp, host: {address: h, community: '${DEVICE}'}", "secret-1", lambda it: it.host.community),
        (
            "driver: snmp, host: {address: h, username: u, auth_password: '${DEVICE}', privacy_password: '${DEVICE}'}",
            "secret-1",
            lambda it: it.host.privacy_password,
        ),
    ],
)
def test_every_secret_of_a_device_may_stand_in_the_environment(
    connection: str, variable: str, of: Callable[[Any], SecretStr], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVICE", variable)
    read = parse_connection(yaml.safe_load(f"{{{connection}}}"))
    assert of(read).get_secret_value() == variable


def test_no_driver_has_a_secret_that_cannot_stand_in_the_environment() -> None:
    for name, type_ in DRIVERS.items():
        for path, field in fields(type_.settings):
            if looks_secret(path):
                assert is_secret(field), f"{name}: {path}"


def fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        yield name, field
        for inner in {field.annotation, *get_args(field.annotation)}:
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from fields(inner)


def looks_secret(key: str) -> bool:
    return key.endswith(("password", "token", "community", "key_ascii", "key_hex"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${NOT_THERE}", "environment variable NOT_THERE is not set, or empty; set it where this process is started"),
        ("${EMPTY}", "environment variable EMPTY is not set, or empty"),
        ("${hunter-2}", "expected ${NAME} with the name of an environment variable"),
        ("${SHORT}", "too short; expected at least 8"),
    ],
)
def test_a_secret_that_is_not_in_the_environment_is_said_without_showing_any(
    tmp_path: Path, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("SHORT", "hunter")
    connection = f"connection: {{driver: milesight, token: '{value}'}}"
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, GOOD.replace("connection: {driver: axis, host: 10.0.0.9}", connection))
    assert f"devices.2.connection: milesight: token = (not shown): {said}" in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_what_is_no_secret_is_not_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "lobby")
    assert load(tmp_path, GOOD.replace("name: lobby", "name: '${NAME}'")).devices[0].name == "${NAME}"


@pytest.mark.parametrize(
    "connection",
    [
        "driver: xfs, host: '@'",
        "driver: axis, host: '@'",
        "driver: onvif, host: '@'",
        "driver: snmp, host: {address: '@', community: c}",
        "driver: milesight, listen_host: '@'",
        "driver: dc09, listen_port: 1, account: '1234', listen_host: '@'",
    ],
)
@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("https://10.0.0.7:8443/onvif", "expected a name or an address alone: 10.0.0.7; it is not the place for a URL"),
        ("https://viewer:hunter2@cam.example/", "expected a name or an address alone: cam.example; it is not"),
        ("10.0.0.7/onvif", "expected a name or an address alone: 10.0.0.7; it is not"),
        ("10.0.0.7:8080", "expected a name or an address alone: 10.0.0.7; a port has a key of its own"),
        ("[fe80::7]", "expected a name or an address alone: fe80::7; a port has a key of its own"),
        ("http://", "expected a name or an address alone; it is not the place for a URL"),
        ("cam 1", "expected a name such as"),
    ],
)
def test_what_is_more_than_a_name_or_an_address_is_refused_by_every_driver(
    connection: str, host: str, said: str
) -> None:
    with pytest.raises(ValueError, match=r"(host|address) = ") as caught:
        parse_connection(yaml.safe_load(f"{{{connection.replace('@', host)}}}"))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("host", ["10.0.0.7", "cam_01.branch-7.example", "fe80::1", "fe80::1%eth0", "::", "localhost"])
def test_names_and_addresses_are_taken(host: str) -> None:
    read = parse_connection({"driver": "onvif", "host": host})
    assert getattr(read, "host", None) == host


def test_every_driver_names_itself_in_its_settings_and_the_kinds_it_reads() -> None:
    for name, type_ in DRIVERS.items():
        assert type_.settings.model_fields["driver"].annotation.__args__ == (name,)  # type: ignore[union-attr]
        assert type_.kinds
