"""Driver for ATMs and terminals that speak XFS4IoT (WebSocket and JSON); it only reads."""

from contracts.signals import DeviceKind
from gateway.driver import Driver
from gateway.drivers.xfs4iot.driver import XfsDriver
from gateway.drivers.xfs4iot.settings import Settings
from runtime.clock import Clock

__all__ = ["Settings", "create"]


def create(settings: Settings, kind: DeviceKind, clock: Clock) -> Driver:
    """Make the driver of one machine; nothing is connected before :meth:`~gateway.driver.Driver.run`."""
    return XfsDriver(settings, kind, clock)
