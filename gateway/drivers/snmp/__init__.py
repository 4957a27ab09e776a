"""Driver for a machine's computer, printer and power supply over SNMP; it only reads."""

from contracts.errors import ConfigurationError
from contracts.signals import DeviceKind
from gateway.driver import Driver
from gateway.drivers.snmp.settings import Settings
from runtime.clock import Clock

__all__ = ["Settings", "create"]


def create(settings: Settings, kind: DeviceKind, clock: Clock) -> Driver:
    """Make the driver of one machine; nothing is asked before :meth:`~gateway.driver.Driver.run`.

    Raises:
        ConfigurationError: a part is configured that this kind of device does not have.
    """
    from gateway.drivers.snmp.driver import SnmpDriver  # a gateway without SNMP devices does not load pysnmp

    for part, signal in (("host", "host/uptime"), ("printer", "prs/device"), ("ups", "ups/source")):
        if getattr(settings, part) is not None and kind.signal(signal) is None:
            raise ConfigurationError(
                f"driver snmp: a device of kind {kind.name} has no {part}; remove {part} from its connection"
            )
    return SnmpDriver(settings, kind, clock)
