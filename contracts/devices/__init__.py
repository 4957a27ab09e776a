"""The device catalogue: every kind of device with its signals.

A new signal is one row in its kind's file; a new kind is one file here and one entry in :data:`KINDS`.
"""

from typing import Final

from contracts.devices.alarm_panel import ALARM_PANEL
from contracts.devices.atm import ATM
from contracts.devices.footfall_sensor import FOOTFALL_SENSOR
from contracts.devices.gateway import GATEWAY
from contracts.signals import DeviceKind

KINDS: Final[dict[str, DeviceKind]] = {kind.name: kind for kind in (ATM, ALARM_PANEL, FOOTFALL_SENSOR, GATEWAY)}

__all__ = ["ALARM_PANEL", "ATM", "FOOTFALL_SENSOR", "GATEWAY", "KINDS", "DeviceKind"]
