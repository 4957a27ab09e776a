"""Customers of one machine: they come one after the other, and leave when a crew needs the machine."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from simulators.world import World

Script = Iterator[float]
"""A visit: a generator that moves the machine and yields seconds of the world until its next move."""

_RUSH_ARRIVAL_S: Final = 0.5
_RUSH_PHASE_S: Final = 0.25
_LEAVING_PHASE_S: Final = 0.05
_FREE_TIMEOUT_S: Final = 10.0


class Premises(Protocol):
    """The machine as its customers meet it."""

    @property
    def attended(self) -> bool:
        """A crew has it, or is about to."""
        ...

    def next_arrival_s(self) -> float:
        """Seconds of the world until the next ordinary customer."""
        ...

    def next_script(self) -> Script:
        """The next ordinary customer's visit."""
        ...

    def turn_away(self) -> None:
        """A customer found the machine attended."""
        ...


@dataclass(frozen=True, slots=True)
class Rush:
    """Customers who come in haste.

    Attributes:
        script: makes the next one's visit.
        over: tells whether the last of them has been.
    """

    script: Callable[[], Script]
    over: Callable[[], bool]


class Patronage:
    """Plays visits one at a time, at the world's pace.

    Args:
        world: pace.
        premises: the machine.
        publish: called after every move.
    """

    def __init__(self, world: World, premises: Premises, publish: Callable[[], None]) -> None:
        self._world = world
        self._premises = premises
        self._publish = publish
        self._stirred = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self._rush: Rush | None = None

    def stir(self) -> None:
        """Something changed that people look at: waiting is thought over."""
        self._stirred.set()

    def rush(self, rush: Rush | None) -> None:
        """Let hurried customers come until their rush is over; ``None`` ends one."""
        self._rush = rush
        self._stirred.set()

    async def send_off(self) -> None:
        """Wait until the last customer has left; the premises have to be attended already.

        Raises:
            TimeoutError: the customer did not leave within 10 s.
        """
        self._stirred.set()
        async with asyncio.timeout(_FREE_TIMEOUT_S):
            await self._free.wait()

    async def receive(self) -> None:
        """Let customers come, until cancelled."""
        while True:
            rush = self._rush
            await self._pause(_RUSH_ARRIVAL_S if rush else self._world.real_s(self._premises.next_arrival_s()))
            if self._rush is not rush:
                continue  # whoever was waited for is not the next one any more
            if self._premises.attended:
                self._premises.turn_away()
                continue
            await self._play(rush.script() if rush else self._premises.next_script())
            if self._rush is not None and self._rush.over():
                self._rush = None

    async def _play(self, script: Script) -> None:
        self._free.clear()
        try:
            for world_s in script:
                self._publish()
                await self._pause(self._world.real_s(world_s))
        finally:
            for _ in script:  # where the simulation ends in mid-visit, the customer still leaves with card and cash
                continue
            self._publish()
            self._free.set()

    async def _pause(self, real_s: float) -> None:
        """Wait, but look again at how long whenever something stirs."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (left_s := began + min(real_s, self._longest_pause_s()) - loop.time()) > 0:
            self._stirred.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._stirred.wait()
            except TimeoutError:
                return

    def _longest_pause_s(self) -> float:
        if self._premises.attended and not self._free.is_set():
            return _LEAVING_PHASE_S
        return _RUSH_PHASE_S if self._rush else float("inf")
