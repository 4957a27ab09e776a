"""XFS4IoT as a machine speaks it: a service publisher and one WebSocket service for each of the machine's modules.

What stands here knows the protocol only; a machine (``simulators.atm``, ``simulators.terminal``) says which modules it has
and what they are doing.
"""

from simulators.xfs4iot.conversation import Pace
from simulators.xfs4iot.quirks import Dialect, Quirks
from simulators.xfs4iot.service_host import ServiceHost

__all__ = ["Dialect", "Pace", "Quirks", "ServiceHost"]
