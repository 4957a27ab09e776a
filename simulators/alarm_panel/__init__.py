"""A simulated intruder alarm that reports over SIA DC-09, as the sending side."""

from simulators.alarm_panel.panel import AlarmPanelSimulator

__all__ = ["AlarmPanelSimulator"]
