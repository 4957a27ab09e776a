"""The ledger: one commit after another to the store, its mirror in memory, and the listener told of each."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence

from collector.identities import is_of_gateway, sender_of_refused
from collector.intervals import IntervalSet
from collector.latest import LatestValues
from collector.listener import BatchListener
from collector.metrics import IntakeMetrics
from collector.patience import Patience
from collector.series import SeriesRegistry
from collector.store import TimeSeriesStore
from contracts.pack import PackId
from contracts.readings import ReadingBatch, SeriesInfo
from runtime.clock import Clock


class StoreHistory:
    """:class:`collector.listener.History` over a store and its series."""

    def __init__(self, store: TimeSeriesStore, registry: SeriesRegistry) -> None:
        self._store = store
        self._registry = registry

    @property
    def position(self) -> int:
        return self._store.position

    @property
    def replayable_from(self) -> int:
        return self._store.replayable_from

    def series(self) -> Sequence[SeriesInfo]:
        return self._registry.all()

    async def newest_live(self, as_of_position: int) -> ReadingBatch:
        return await self._store.newest_live(as_of_position)

    def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        return self._store.scan_since(position)


class Ledger:
    """Commits batches; one caller, one call at a time. It waits and tries again where a part does not answer."""

    def __init__(
        self,
        store: TimeSeriesStore,
        registry: SeriesRegistry,
        latest: LatestValues,
        listener: BatchListener,
        clock: Clock,
        metrics: IntakeMetrics,
        patience: Patience,
    ) -> None:
        self._store = store
        self._registry = registry
        self._latest = latest
        self._listener = listener
        self._clock = clock
        self._metrics = metrics
        self._patience = patience
        self._committed: dict[tuple[str, str], IntervalSet] = {}
        self._of_gateways: dict[tuple[str, str], IntervalSet] = {}
        self._settled: dict[tuple[str, str], IntervalSet] = {}  # the committed set itself, where nothing was refused

    async def load(self) -> None:
        """Take from the store what is kept in memory, then let the listener catch up."""
        self._registry.load(await self._store.load_series())
        self._committed, self._of_gateways, self._settled = {}, {}, {}
        for (branch_id, boot), runs in (await self._store.load_committed()).items():
            for low, high in runs:
                self._mark(branch_id, boot, low, high)
        self._latest.update(await self._store.latest())
        history = StoreHistory(self._store, self._registry)
        await self._patience.insist("listener", lambda: self._listener.restore(history))

    @property
    def committed(self) -> Mapping[tuple[str, str], IntervalSet]:
        """Committed seqs of gateways' packs for each (branch_id, boot). It grows in place."""
        return self._of_gateways

    def settled(self) -> Mapping[tuple[str, str], IntervalSet]:
        """Seqs that nobody has to send again for each (branch_id, boot): committed, or come and refused whole.

        It grows in place, so that asking costs nothing.
        """
        return self._settled

    def has(self, pack_id: PackId) -> bool:
        """Whether a pack is committed."""
        runs = self._committed.get((pack_id.branch_id, pack_id.boot))
        return runs is not None and pack_id.seq in runs

    async def commit(self, batch: ReadingBatch, packs: Sequence[PackId]) -> None:
        """Commit a batch, whatever it takes; returned means durable in the store and in the listener.

        Args:
            batch: readings and events, possibly none.
            packs: identities of the packs in it, none of them committed yet, none twice.
        """
        new_series = self._registry.unstored()
        if not len(batch) and not batch.events and not packs and not new_series:
            return
        began = time.perf_counter()
        position = await self._patience.insist("store", lambda: self._store.append(batch, packs, new_series))
        self._metrics.commit_s.observe(time.perf_counter() - began)
        if new_series:
            self._registry.mark_stored(new_series[-1].series + 1)
        for pack in packs:
            self._mark(pack.branch_id, pack.boot, pack.seq, pack.seq)
        self._latest.update(batch)
        self._count(batch, packs)
        series = self._registry.all()
        await self._patience.insist("listener", lambda: self._listener.take(batch, series, position))

    def _mark(self, branch_id: str, boot: str, low: int, high: int) -> None:
        """Take seqs as committed."""
        key = branch_id, boot
        runs = self._committed.get(key)
        if runs is None:
            runs = self._committed[key] = IntervalSet()
            if is_of_gateway(boot):
                self._of_gateways[key] = runs
                self._settled.setdefault(key, runs)
        runs.add(low, high)
        sender = sender_of_refused(boot)
        if sender is not None:
            key = branch_id, sender
            settled = self._settled.get(key)
            if settled is None or settled is self._committed.get(key):
                settled = self._settled[key] = IntervalSet() if settled is None else settled.copy()
            settled.add(low, high)
        elif (settled := self._settled.get(key)) is not None and settled is not runs:
            settled.add(low, high)

    def _count(self, batch: ReadingBatch, packs: Sequence[PackId]) -> None:
        self._metrics.packs.inc(len(packs))
        self._metrics.readings.inc(len(batch) + len(batch.events))
        observed_at_ms = batch.observed_at_ms if batch.live.all() else batch.observed_at_ms[batch.live]
        self._metrics.latency_s.observe_ms(self._clock.now_ms() - observed_at_ms)
