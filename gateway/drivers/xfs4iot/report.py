"""The one way from the tasks of a driver to its sink: one at a time, in order, and no event text is lost on the way."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from contracts.errors import DependencyUnavailable, DeviceError
from contracts.signals import DeviceKind, Sort
from gateway.driver import Identity, Observation, Sink
from gateway.drivers.xfs4iot.memory import Memory

KEPT_EVENTS_MOST: Final = 1000
"""Event texts kept while the outbox cannot be written; the oldest go first."""


class Report:
    """Hands observations to the sink of a run; kept across runs.

    States, gauges and counters are read again after a failure of the outbox, so only event texts have to be kept.

    Args:
        kind: signals that the kind does not have are left out, because a machine may have more than it is watched for.
        memory: written with whatever is handed over.
    """

    def __init__(self, kind: DeviceKind, memory: Memory) -> None:
        self._kind = kind
        self._memory = memory
        self._sink: Sink | None = None
        self._turn = asyncio.Lock()
        self._kept: deque[Observation] = deque(maxlen=KEPT_EVENTS_MOST)

    async def open(self, sink: Sink) -> None:
        """Use the sink of a new run.

        Raises:
            DependencyUnavailable: what is kept of the machine cannot be read.
        """
        self._memory.recall(await sink.recall())
        self._sink = sink

    def refuse(self, raw: str | bytes, error: DeviceError) -> None:
        """Hand over an input that broke the protocol."""
        if self._sink is not None:
            self._sink.refuse(raw, error)

    async def identify(self, identity: Identity) -> None:
        """Hand over what the machine says it is."""
        if self._sink is not None:
            async with self._turn:
                await self._sink.identify(identity)

    async def observe(self, observations: Iterable[Observation]) -> None:
        """Hand over what was seen.

        Raises:
            DependencyUnavailable: the outbox cannot be written; event texts wait for the next call.
        """
        if self._sink is None:
            raise RuntimeError("open() comes before observe()")
        async with self._turn:
            batch = [*self._kept, *(item for item in observations if self._kind.signal(item.path) is not None)]
            self._kept.clear()
            if not batch:
                return
            keep = self._memory.changes()
            try:
                await self._sink.observe(batch, keep)
            except DependencyUnavailable:
                self._kept.extend(item for item in batch if self._is_event(item))
                raise
            self._memory.written(keep)

    def _is_event(self, item: Observation) -> bool:
        signal = self._kind.signal(item.path)
        return signal is not None and signal.sort is Sort.EVENT
