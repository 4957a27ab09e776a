"""The witness of the loss tests: a device that says numbers, and a driver that writes down which of them were taken.

What it wrote down does not depend on the outbox. Each number is an event and a value of a gauge, so that both ways through
the gateway and the store are counted. The next number is kept in the driver's memory, in the transaction of the one before:
over however many lives of a gateway every number is handed over until it is taken, and never after.
"""

import asyncio
from collections.abc import Callable

from contracts.signals import DeviceKind
from gateway.driver import Driver, Observation, Sink
from gateway.drivers.registry import DRIVERS, DriverType
from runtime.clock import Clock

PROTOCOL = "xfs"
EVENT = "cdm/error"
GAUGE = "cdm/unit1/count"

_NEXT = "next"


class Numbers:
    """A driver whose device says one number after another.

    Args:
        tell: told each number when its hand-over has returned.
        pause_s: between two numbers.
        last: the last number to say.
    """

    protocol = PROTOCOL

    def __init__(self, tell: Callable[[int], object], pause_s: float, last: int | None = None) -> None:
        self._tell = tell
        self._pause_s = pause_s
        self._last = last

    async def run(self, sink: Sink) -> None:
        number = int((await sink.recall()).get(_NEXT, "1"))
        await sink.observe([Observation("link/state", "up")])
        while self._last is None or number <= self._last:
            await sink.observe(
                [Observation(EVENT, str(number)), Observation(GAUGE, float(number))], keep={_NEXT: str(number + 1)}
            )
            self._tell(number)
            number += 1
            await asyncio.sleep(self._pause_s)
        await asyncio.Event().wait()


def driver_type(tell: Callable[[int], object], pause_s: float, last: int | None = None) -> DriverType:
    """The witness as a protocol the gateway speaks."""

    def create(_settings: object, _kind: DeviceKind, _clock: Clock) -> Driver:
        return Numbers(tell, pause_s, last)

    return DriverType(DRIVERS[PROTOCOL].settings, create, frozenset({"atm"}))
