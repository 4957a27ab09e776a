"""The regular upkeep of the time-series store, beside the intake."""

import asyncio
from typing import Final

from collector.metrics import IntakeMetrics
from collector.store import TimeSeriesStore
from contracts.errors import DependencyUnavailable
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.supervisor import Backoff

_log = get_logger(__name__)

EVERY_S: Final = 60.0


class StoreUpkeep:
    """The service that lets the store compact, roll up and expire. It comes up after the store and goes down before it.

    A failure is logged and tried again later: it costs disk and speed of queries, not readings.
    """

    name = "store upkeep"

    def __init__(self, store: TimeSeriesStore, clock: Clock, metrics: IntakeMetrics, every_s: float = EVERY_S) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._every_s = every_s
        self._backoff = Backoff(first_s=every_s, most_s=10 * every_s)
        self._working = asyncio.Lock()

    async def start(self) -> None:
        """Nothing to make ready."""

    async def run(self) -> None:
        """Look every minute, and go on at once while there is more to do."""
        failures = 0
        while True:
            try:
                async with self._working:
                    done = await self._store.maintain(self._clock.now_ms())
            except DependencyUnavailable as error:
                failures += 1
                _log.warning("store upkeep failed; it is tried again", tries=failures, error=str(error))
                await asyncio.sleep(self._backoff.delay_s(failures))
                continue
            failures = 0
            self._metrics.compacted.inc(done.compacted)
            self._metrics.expired.inc(done.expired)
            self._metrics.damaged_files.set(len(self._store.damages()))
            if not done.more:
                await asyncio.sleep(self._every_s)

    async def stop(self) -> None:
        """The store waits for its own threads when it is closed."""
