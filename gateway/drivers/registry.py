"""Which protocols there are, and the settings each one needs.

A new protocol is one folder beside this file and one row in :data:`DRIVERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from contracts.devices import ALARM_PANEL, ATM, FOOTFALL_SENSOR
from contracts.signals import DeviceKind
from gateway.driver import Driver
from gateway.drivers import axis, sia_dc09, xfs4iot
from runtime.clock import Clock
from runtime.settings import Section, describe


@dataclass(frozen=True, slots=True)
class DriverType:
    """A protocol the gateway speaks.

    Attributes:
        settings: model of its ``connection`` section, with the protocol's short name as ``driver``.
        create: makes the driver of one device.
        kinds: device kinds it can read.
        answers: whether devices wait for an answer to what they tell and tell it again without one. What the others tell
            once waits in memory while the outbox cannot be written.
    """

    settings: type[Section]
    create: Callable[[Any, DeviceKind, Clock], Driver]
    kinds: frozenset[str]
    answers: bool = False


DRIVERS: Final[dict[str, DriverType]] = {
    "xfs": DriverType(xfs4iot.Settings, xfs4iot.create, frozenset({ATM.name})),
    "dc09": DriverType(sia_dc09.Settings, sia_dc09.create, frozenset({ALARM_PANEL.name}), answers=True),
    "axis": DriverType(axis.Settings, axis.create, frozenset({FOOTFALL_SENSOR.name})),
}


def parse_connection(value: object) -> Section:
    """Read a ``connection`` section as the settings of the driver it names.

    Raises:
        ValueError: no such driver, or its settings are wrong: each wrong key with its value and what is allowed.
    """
    if isinstance(value, Section):
        return value
    name = value.get("driver") if isinstance(value, dict) else None
    if not isinstance(name, str) or name not in DRIVERS:
        raise ValueError(f"driver = {name!r}: expected one of {', '.join(DRIVERS)}")
    try:
        return DRIVERS[name].settings.model_validate(value)
    except ValidationError as error:
        raise ValueError(describe(error, name).replace("\n", "; ")) from error


def driver_of(connection: Section) -> str:
    """Short name of the protocol a ``connection`` section is for."""
    return str(getattr(connection, "driver", ""))
