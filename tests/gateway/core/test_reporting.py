"""Other deadbands and heartbeats by setting."""

import pytest
from pydantic import ValidationError

from contracts.devices import FOOTFALL_SENSOR
from contracts.signals import Deadband
from gateway.reporting import ReportingSettings, with_reporting
from gateway.settings import GatewaySettings


def test_a_signal_reports_as_the_settings_say_and_the_others_as_the_catalogue_says() -> None:
    kind = with_reporting(FOOTFALL_SENSOR, {"sensor/last_count_age": ReportingSettings(deadband=2, heartbeat_s=10)})
    age, uptime = kind.signal("sensor/last_count_age"), kind.signal("sensor/uptime")
    assert age is not None
    assert (age.deadband, age.heartbeat_s) == (Deadband(absolute=2), 10)
    assert uptime == FOOTFALL_SENSOR.signal("sensor/uptime")


def test_a_kind_nobody_speaks_of_stays_the_same() -> None:
    assert with_reporting(FOOTFALL_SENSOR, {"cdm/shutter": ReportingSettings(heartbeat_s=5)}) is FOOTFALL_SENSOR


def test_a_misspelt_signal_is_named_with_those_near_it() -> None:
    with pytest.raises(ValidationError, match=r"no signal .sensor/last_count..*sensor/last_count_age"):
        GatewaySettings(branch_id="BR0001", reporting={"sensor/last_count": ReportingSettings(deadband=1)})
