"""A simulated Milesight people counter, which pushes what it counted over HTTP or MQTT."""

from simulators.milesight.delivery import MqttTarget
from simulators.milesight.report import Quirks
from simulators.milesight.sensor import MilesightSimulator

__all__ = ["MilesightSimulator", "MqttTarget", "Quirks"]
