"""A simulated intruder alarm that reports over SIA DC-09, as the sending side."""

from simulators.alarm_panel.panel import AlarmPanelSimulator
from simulators.alarm_panel.quirks import Quirks

__all__ = ["AlarmPanelSimulator", "Quirks"]
