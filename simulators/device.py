"""What every simulated device offers to branches and scenarios."""

from collections.abc import Collection
from typing import Protocol


class SimulatedDevice(Protocol):
    """A device with a physical model, reachable over its own protocol on loopback.

    The model lives in :meth:`run`; between :meth:`start` and :meth:`stop` the protocol is served. Failures are physical
    (a note jams, a cassette runs low): what the protocol then says follows from the model.
    """

    local_id: str
    """Id inside the branch: ``atm-01``."""

    kind: str
    """Device kind of the catalogue."""

    @property
    def failures(self) -> Collection[str]:
        """Names of the failures that can be injected."""
        ...

    async def start(self) -> None:
        """Begin to serve the protocol; returned means it can be reached."""
        ...

    async def run(self) -> None:
        """Live until cancelled."""
        ...

    async def stop(self) -> None:
        """Stop serving; connections are closed."""
        ...

    async def inject(self, failure: str) -> None:
        """Let a failure happen now.

        Raises:
            ValueError: the device has no such failure; the message lists those it has.
        """
        ...

    async def repair(self, failure: str) -> None:
        """Do what a technician or the branch staff does about the failure, with the marks it leaves (vendor mode, test)."""
        ...
