"""What the collector counts for Prometheus."""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector as PrometheusCollector

from contracts.readings import Int64s
from runtime.metrics import LATENCY_BUCKETS_S

_NARROW_MS: Final = 100_000


class BatchHistogram(PrometheusCollector):
    """A histogram that takes a whole batch of observations at once."""

    def __init__(self, name: str, documentation: str, buckets_s: tuple[float, ...]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds_s = buckets_s
        self._bounds_ms = np.floor(np.array(buckets_s) * 1000 + 1e-6).astype(np.int64)
        self._counts = np.zeros(len(buckets_s) + 1, dtype=np.int64)
        self._sum_ms = 0

    def observe_ms(self, values_ms: Int64s) -> None:
        """Count observations in whole milliseconds.

        Most batches have few different times, and these are counted first; a sort takes the others.
        """
        if not len(values_ms):
            return
        least_ms, most_ms = int(values_ms.min()), int(values_ms.max())
        if most_ms - least_ms <= _NARROW_MS:
            at_ms = np.bincount(values_ms - least_ms)
            upto = np.append(0, np.cumsum(at_ms))[np.clip(self._bounds_ms - least_ms + 1, 0, len(at_ms))]
        else:
            upto = np.searchsorted(np.sort(values_ms), self._bounds_ms, side="right")
        self._counts += np.diff(upto, prepend=0, append=len(values_ms))
        self._sum_ms += int(values_ms.sum())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        labels = [f"{bound:g}" for bound in self._bounds_s] + ["+Inf"]
        cumulative = np.cumsum(self._counts)
        buckets = [(label, float(count)) for label, count in zip(labels, cumulative, strict=True)]
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum_ms / 1000)


class IntakeMetrics:
    """Metrics of the intake, registered once a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.packs = Counter("branchwatch_packs_committed", "packs committed to the store", registry=registry)
        self.duplicates = Counter(
            "branchwatch_packs_duplicate", "packs dropped as already committed", registry=registry
        )
        self.readings = Counter("branchwatch_readings_stored", "readings and events stored", registry=registry)
        self.refused = Counter("branchwatch_refused", "records and messages refused", ["code"], registry=registry)
        self.batch = Histogram(
            "branchwatch_batch_messages", "messages in a micro-batch",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000), registry=registry,
        )  # fmt: skip
        self.commit_s = Histogram(
            "branchwatch_commit_seconds", "time of a commit to the store",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5), registry=registry,
        )  # fmt: skip
        self.latency_s = BatchHistogram(
            "branchwatch_device_to_store_seconds", "observation to commit, live readings", LATENCY_BUCKETS_S
        )
        registry.register(self.latency_s)
        self.requested = Counter("branchwatch_packs_requested", "packs asked for again", registry=registry)
        self._inbox = Gauge("branchwatch_inbox_messages", "messages received and not yet taken", registry=registry)
        self._connected = Gauge("branchwatch_intake_connected", "1 while connected to the broker", registry=registry)
        self.waiting = Gauge(
            "branchwatch_intake_waiting",
            "1 while the intake waits for a store, listener or database",
            registry=registry,
        )

        self.compacted = Counter(
            "branchwatch_readings_compacted", "readings put in order by the store", registry=registry
        )
        self.expired = Counter("branchwatch_readings_expired", "readings past their retention", registry=registry)
        self.damaged_files = Gauge(
            "branchwatch_store_damaged_files", "parts of the store that cannot be read", registry=registry
        )

    def watch(self, inbox: Callable[[], float], connected: Callable[[], float]) -> None:
        """Read these whenever somebody scrapes."""
        self._inbox.set_function(inbox)
        self._connected.set_function(connected)
