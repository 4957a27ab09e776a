"""Alarm panels over SIA DC-09: a receiver that commits first and acknowledges second."""

from contracts.devices import ALARM_PANEL
from contracts.errors import ConfigurationError
from contracts.signals import DeviceKind
from gateway.driver import Driver
from gateway.drivers.sia_dc09.driver import Dc09Driver
from gateway.drivers.sia_dc09.settings import Settings, check_together
from runtime.clock import Clock

__all__ = ["Settings", "check_together", "create"]


def create(settings: Settings, kind: DeviceKind, clock: Clock) -> Driver:
    """Make the driver of one panel.

    Raises:
        ConfigurationError: the device is no alarm panel.
    """
    if kind.name != ALARM_PANEL.name:
        raise ConfigurationError(
            f"driver dc09 reads {ALARM_PANEL.name}, not {kind.name}; correct the device's kind or driver"
        )
    return Dc09Driver(settings, clock)
