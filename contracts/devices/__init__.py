"""The device catalogue: every kind of device with its signals.

A new signal is one row in its kind's file; a new kind is one file here and one entry in :data:`KINDS`.
"""

from typing import Final

from contracts.devices.alarm_panel import ALARM_PANEL
from contracts.devices.atm import ATM
from contracts.devices.camera import CAMERA
from contracts.devices.footfall_sensor import FOOTFALL_SENSOR
from contracts.devices.gateway import GATEWAY
from contracts.devices.self_service_terminal import SELF_SERVICE_TERMINAL
from contracts.signals import DeviceKind

KINDS: Final[dict[str, DeviceKind]] = {
    kind.name: kind for kind in (ATM, SELF_SERVICE_TERMINAL, CAMERA, ALARM_PANEL, FOOTFALL_SENSOR, GATEWAY)
}

__all__ = [
    "ALARM_PANEL",
    "ATM",
    "CAMERA",
    "FOOTFALL_SENSOR",
    "GATEWAY",
    "KINDS",
    "SELF_SERVICE_TERMINAL",
    "DeviceKind",
]
