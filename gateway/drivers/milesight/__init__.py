"""Milesight people counters that push JSON over HTTP or MQTT."""

from contracts.devices import FOOTFALL_SENSOR
from contracts.errors import ConfigurationError
from contracts.signals import DeviceKind
from gateway.driver import Driver
from gateway.drivers.milesight.driver import MilesightDriver
from gateway.drivers.milesight.settings import Settings
from runtime.clock import Clock

__all__ = ["Settings", "create"]


def create(settings: Settings, kind: DeviceKind, clock: Clock) -> Driver:
    """Make the driver of one sensor.

    Raises:
        ConfigurationError: the device is no footfall sensor.
    """
    if kind.name != FOOTFALL_SENSOR.name:
        raise ConfigurationError(
            f"driver milesight reads {FOOTFALL_SENSOR.name}, not {kind.name}; correct the device's kind or driver"
        )
    return MilesightDriver(settings, clock)
