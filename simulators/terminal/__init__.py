"""The self-service terminal: modules behind an XFS4IoT server; computer, A4 printer and power supply behind SNMP."""

from simulators.terminal.failures import FAILURES
from simulators.terminal.mib import SnmpQuirks
from simulators.terminal.simulator import TerminalSimulator
from simulators.xfs4iot import Quirks

__all__ = ["FAILURES", "Quirks", "SnmpQuirks", "TerminalSimulator"]
