"""The port between a protocol driver and the gateway."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.errors import DeviceError


@dataclass(frozen=True, slots=True)
class Observation:
    """What a driver saw of one signal.

    Attributes:
        path: concrete signal path of the device's kind, ``cdm/unit1/count``.
        value: a number for gauges and counters, the standard's word for states, a text for events.
        observed_at_ms: when it was seen, milliseconds since 1970 UTC by the gateway's clock; ``None`` for now.
    """

    path: str
    value: float | str
    observed_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device says it is, for the inventory; empty where it does not say."""

    maker: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""


class Sink(Protocol):
    """Where a driver hands over what it saw of one device. The gateway implements it.

    The gateway checks each observation against the device catalogue: a state word that is not listed is stored as
    ``unknown`` and its raw text goes to the component's ``error`` event where there is one. It reports by exception, so a
    driver may hand over the same value as often as it likes.
    """

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
        """Take observations, and what the driver has to know again in the next life of the gateway.

        Returned means both are in the outbox and survive the death of this process; where an observation is an event they
        survive the loss of power, too. Observations and memory are one transaction: whoever finds the one finds the
        other, so a driver that keeps which messages it took here, and looks before it takes one, takes each once.

        Safe to call from one task at a time per device; order is kept. Cancelled means that nobody knows whether it was
        taken; :meth:`recall` tells.

        Args:
            observations: what was seen, in order; may be empty.
            keep: key → text to keep in place of what was kept under that key, ``None`` to forget it; keys not named stay.
                Keys are the driver's own: those of another device, or of another driver of the same device, are apart.
                How many there are is for the driver to bound.

        Raises:
            DependencyUnavailable: the outbox cannot be written; nothing of this call was taken, so do not answer the
                device as if it were.
        """
        ...

    async def recall(self) -> Mapping[str, str]:
        """What is kept for this device and driver, by key, in no order; empty where nothing is.

        It is what the last :meth:`observe` that reached the disk left. To be called at the beginning of every
        :meth:`Driver.run`, because the run before it may have been cut off in the middle of a hand-over.

        Raises:
            DependencyUnavailable: the outbox cannot be read.
        """
        ...

    async def identify(self, identity: Identity) -> None:
        """Say what the device is. A change of a known identity becomes the ``link/identity`` event."""
        ...

    def refuse(self, raw: bytes | str, error: DeviceError) -> None:
        """Keep an input that broke the protocol for inspection, count it, and go on."""
        ...


class Driver(Protocol):
    """Reads one device.

    The gateway supervises: it calls :meth:`run`, and when that raises or returns it counts, reports
    ``link/state = down`` for :class:`~contracts.errors.DeviceUnreachable`, waits with growing back-off and calls it
    again on the same object. A driver keeps what must outlive a reconnect (counters, last totals) in itself, what must
    outlive the process (messages taken, conditions that hold) in the sink's memory, and reports its own ``link/*`` signals
    while it runs.
    """

    protocol: str
    """Short name, as in the signal ``driver/{name}/state``: ``xfs``, ``dc09``, ``axis``."""

    async def run(self, sink: Sink) -> None:
        """Connect, read, hand over; until cancelled or the connection is beyond saving.

        Every wait has a timeout; every task it starts has ended when it returns.

        Raises:
            DeviceUnreachable: no connection or no answer in time.
            DeviceRefused: the device said no.
            DeviceMisbehaved: the device broke its protocol in a way that ends the connection.
        """
        ...
