"""The ATM: a physical model of a dispenser with customers and wear, behind an XFS4IoT server."""

from simulators.atm.message_format import Dialect
from simulators.atm.simulator import FAILURES, AtmSimulator

__all__ = ["FAILURES", "AtmSimulator", "Dialect"]
