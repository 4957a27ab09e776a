"""Which protocols there are, and the settings each one needs.

A new protocol is one folder beside this file, whose package gives ``Settings`` and ``create`` (and ``check_together`` where
connections can be at odds), and one row in :data:`ROWS`.
A protocol is imported when a device needs it: a gateway without cameras does without the libraries that cameras need.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from pydantic import ValidationError

from contracts.devices import ALARM_PANEL, ATM, CAMERA, FOOTFALL_SENSOR, SELF_SERVICE_TERMINAL
from contracts.signals import DeviceKind
from gateway.driver import Driver
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
        check_together: checks the settings of all connections of one gateway against each other; raises ``ValueError``.
    """

    settings: type[Section]
    create: Callable[[Any, DeviceKind, Clock], Driver]
    kinds: frozenset[str]
    answers: bool = False
    check_together: Callable[[Iterable[Any]], None] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A protocol by its folder; the rest as in :class:`DriverType`."""

    folder: str
    kinds: frozenset[str]
    answers: bool = False


ROWS: Final[dict[str, Row]] = {
    "xfs": Row("xfs4iot", frozenset({ATM.name, SELF_SERVICE_TERMINAL.name})),
    "dc09": Row("sia_dc09", frozenset({ALARM_PANEL.name}), answers=True),
    "axis": Row("axis", frozenset({FOOTFALL_SENSOR.name})),
    "milesight": Row("milesight", frozenset({FOOTFALL_SENSOR.name}), answers=True),
    "onvif": Row("onvif", frozenset({CAMERA.name})),
    "snmp": Row("snmp", frozenset({ATM.name, SELF_SERVICE_TERMINAL.name})),
}


@cache
def _load(name: str) -> DriverType:
    row = ROWS[name]
    package = import_module(f"gateway.drivers.{row.folder}")
    return DriverType(
        package.Settings, package.create, row.kinds, row.answers, getattr(package, "check_together", None)
    )


class _Drivers(Mapping[str, DriverType]):
    """All protocols by short name, each imported when it is asked for."""

    def __getitem__(self, name: str) -> DriverType:
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(ROWS)

    def __len__(self) -> int:
        return len(ROWS)

    def __contains__(self, name: object) -> bool:
        return name in ROWS


DRIVERS: Final[Mapping[str, DriverType]] = _Drivers()


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
