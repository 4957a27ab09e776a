"""Cameras over ONVIF and RTSP."""

from contracts.devices import CAMERA
from contracts.errors import ConfigurationError
from contracts.signals import DeviceKind
from gateway.driver import Driver
from gateway.drivers.onvif.driver import OnvifDriver
from gateway.drivers.onvif.settings import Settings
from runtime.clock import Clock

__all__ = ["Settings", "create"]


def create(settings: Settings, kind: DeviceKind, clock: Clock) -> Driver:
    """Make the driver of one camera.

    Raises:
        ConfigurationError: the device is no camera, or the certificate authority file cannot be read.
    """
    if kind.name != CAMERA.name:
        raise ConfigurationError(
            f"driver onvif reads {CAMERA.name}, not {kind.name}; correct the device's kind or driver"
        )
    return OnvifDriver(settings, clock)
