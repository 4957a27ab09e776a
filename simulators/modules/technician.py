"""What a technician does at a machine, step by step, with the marks that leaves.

A script yields real seconds: a technician works at the real pace, so that a demonstration can watch. Before one begins,
the operator switch has been turned off ``run`` and the last customer has left.
"""

import asyncio
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final, Protocol

from simulators.modules.cabinet import Cabinet
from simulators.modules.patronage import Patronage

STEP_S: Final = 0.25
"""Real seconds of a step: a repair takes 2 to 3 s, so that it can be watched."""


class Party(Enum):
    """Who comes about a failure."""

    TECHNICIAN = auto()  # with the switch on maintenance, in vendor mode, with a test at the end
    CASH_CREW = auto()  # with the switch on supervisor and an exchange
    NOBODY = auto()  # done from afar, or by itself


class Serviceable(Protocol):
    """A machine that can be taken into vendor mode and tried."""

    cabinet: Cabinet

    def test(self) -> object:
        """Try it after a repair."""
        ...


def repair_script(machine: Serviceable, mend: Callable[[], object], step_s: float = STEP_S) -> Iterator[float]:
    """Take the machine into vendor mode, mend it, try it, give it back: eight steps.

    Args:
        machine: the machine.
        mend: the hand's work itself.
        step_s: how long a step takes, real seconds.

    Yields:
        Real seconds until the next move.
    """
    cabinet = machine.cabinet
    cabinet.vendor_mode = "enterPending"
    yield step_s
    cabinet.enter_vendor_mode()
    cabinet.cabinet_door = "open"
    yield 2 * step_s
    mend()
    yield 2 * step_s
    machine.test()
    yield 2 * step_s
    cabinet.cabinet_door = "closed"
    cabinet.vendor_mode = "exitPending"
    yield step_s
    cabinet.exit_vendor_mode()
    cabinet.operator_switch = "run"
    yield 0.0


class Crew:
    """People of the bank or the maker at one machine, one party at a time.

    Args:
        cabinet: whose operator switch they turn.
        patronage: customers, who are sent off first.
        publish: called after every move.
    """

    def __init__(self, cabinet: Cabinet, patronage: Patronage, publish: Callable[[], None]) -> None:
        self._cabinet = cabinet
        self._patronage = patronage
        self._publish = publish
        self._one_party = asyncio.Lock()

    async def work(self, operator_switch: str, script: Callable[[], Iterator[float]]) -> None:
        """Turn the switch, wait until the customer has left, work, and turn it back.

        Args:
            operator_switch: where it is turned.
            script: makes the work; called when the machine is free.

        Raises:
            TimeoutError: the customer did not leave.
        """
        async with self._one_party:
            self._cabinet.operator_switch = operator_switch
            self._publish()
            try:
                await self._patronage.send_off()
                self._patronage.rush(None)
                await self._play(script())
            finally:
                self._cabinet.operator_switch = "run"
                self._publish()

    async def _play(self, script: Iterator[float]) -> None:
        try:
            for real_s in script:
                self._publish()
                await asyncio.sleep(real_s)
        finally:
            for _ in script:  # an interrupted crew still leaves the machine in order
                continue
            self._publish()
