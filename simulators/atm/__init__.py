"""The ATM: a physical model of a dispenser or recycler with customers and wear, behind an XFS4IoT server."""

from simulators.atm.failures import FAILURES
from simulators.atm.simulator import AtmSimulator
from simulators.xfs4iot import Dialect, Quirks

__all__ = ["FAILURES", "AtmSimulator", "Dialect", "Quirks"]
