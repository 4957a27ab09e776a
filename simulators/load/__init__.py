"""Packs of thousands of branches that have no devices: what gateways would send, made for its own sake."""

from simulators.load.sender import Load, LoadReport

__all__ = ["Load", "LoadReport"]
