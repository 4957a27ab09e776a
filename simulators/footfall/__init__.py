"""A simulated footfall sensor: visitors, a counter that sees most of them, and its HTTP interface."""

from simulators.footfall.sensor import FootfallSimulator, Quirks

__all__ = ["FootfallSimulator", "Quirks"]
