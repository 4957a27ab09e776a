"""The page about the protocol says what the code does."""

import re
from pathlib import Path

import yaml

from contracts.devices import ALARM_PANEL
from gateway.drivers.sia_dc09.settings import Settings
from gateway.settings import DeviceSettings

PAGE = (Path(__file__).parents[3] / "docs" / "protocols" / "sia-dc09.md").read_text(encoding="utf-8")


def test_its_example_is_a_device() -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    device = DeviceSettings.model_validate(yaml.safe_load(example.group(1)))
    connection = device.all_connections[0]
    assert isinstance(connection, Settings)
    assert connection.key == bytes.fromhex("00112233445566778899AABBCCDDEEFF")


def test_it_names_every_setting_with_its_default() -> None:
    named = {
        key for row in re.findall(r"^\| (`[^|]*) \|", PAGE, re.MULTILINE) for key in re.findall(r"`([a-z_]+)`", row)
    }
    assert Settings.model_fields.keys() - {"driver"} <= named
    for name, default in (("supervision_s", 60), ("idle_timeout_s", 300), ("supervision_factor", 3)):
        assert Settings.model_fields[name].default == default
        assert re.search(rf"`{name}`[^|]*\| `{default}`", PAGE)


def test_it_names_every_signal_of_a_panel_and_no_other() -> None:
    named = set(re.findall(r"`((?:panel|zone\{n\}|area\{n\}|comm|link|clock)/[a-z_0-9]+)`", PAGE))
    signals = {signal.path for signal in ALARM_PANEL.signals}
    assert named <= signals
    assert signals - named == {"link/round_trip", "link/identity"}, "a panel is never asked, and says no serial number"
