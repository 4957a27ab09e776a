"""The one way from the tasks of a camera's driver to its sink: one at a time, with the memory, and no event text is lost."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from contracts.errors import DependencyUnavailable, DeviceMisbehaved
from gateway.driver import Identity, Observation, Sink
from gateway.drivers.onvif import memory
from gateway.drivers.onvif.soap_answer import UnfitAnswer
from runtime.logs import get_logger

_log = get_logger(__name__)

KEPT_EVENTS_MOST: Final = 200
"""Event texts kept while the outbox cannot be written; the oldest go first."""

_EVENTS: Final = frozenset({"device/event"})


class Report:
    """Hands observations to the sink of a run; kept across runs, as is the memory.

    Args:
        host: the camera, for logs.
    """

    def __init__(self, host: str) -> None:
        self.memory = memory.Memory()
        self._host = host
        self._sink: Sink | None = None
        self._turn = asyncio.Lock()
        self._kept_events: deque[Observation] = deque(maxlen=KEPT_EVENTS_MOST)
        self._is_recalled = False
        self._on_disk = ""

    async def open(self, sink: Sink) -> None:
        """Use the sink of a new run; the memory is read once, because this object then knows all that is kept, and more.

        Raises:
            DependencyUnavailable: what is kept of the camera cannot be read.
        """
        kept = await sink.recall()
        if not self._is_recalled:
            known = memory.read(kept)
            if known is None:
                _log.warning("what is kept of the camera cannot be read; counters begin anew", host=self._host)
            else:
                for name in type(known).model_fields:
                    setattr(self.memory, name, getattr(known, name))
            self._is_recalled = True
        self._on_disk = kept.get(memory.KEY, "{}")
        self._sink = sink

    def refuse(self, error: DeviceMisbehaved, sample: bytes = b"") -> None:
        """Count and keep an answer that broke the protocol."""
        self.memory.protocol_errors += 1
        if self._sink is not None:
            self._sink.refuse(error.sample if isinstance(error, UnfitAnswer) else sample, error)

    async def identify(self, identity: Identity) -> None:
        """Hand over what the camera says it is."""
        if self._sink is not None:
            async with self._turn:
                await self._sink.identify(identity)

    async def observe(self, observations: Iterable[Observation]) -> None:
        """Hand over what was seen, with what changed in the memory.

        Raises:
            DependencyUnavailable: the outbox cannot be written; event texts wait for the next call, states are read again.
        """
        if self._sink is None:
            raise RuntimeError("open() comes before observe()")
        async with self._turn:
            batch = [*self._kept_events, *observations]
            self._kept_events.clear()
            text = self.memory.write()
            try:
                await self._sink.observe(batch, {memory.KEY: text} if text != self._on_disk else {})
            except DependencyUnavailable:
                self._kept_events.extend(seen for seen in batch if seen.path in _EVENTS)
                raise
            self._on_disk = text
