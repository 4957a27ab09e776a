"""What the collector counts for Prometheus."""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector as PrometheusCollector

from runtime.metrics import LATENCY_BUCKETS_S


class BatchHistogram(PrometheusCollector):
    """A histogram that takes a whole batch of observations at once."""

    def __init__(self, name: str, documentation: str, buckets_s: tuple[float, ...]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds_s = np.array(buckets_s)
        self._counts = np.zeros(len(buckets_s) + 1, dtype=np.int64)
        self._sum_s = 0.0

    def observe(self, values_s: npt.NDArray[np.float64]) -> None:
        """Count observations in seconds."""
        places = np.searchsorted(self._bounds_s, values_s)
        self._counts += np.bincount(places, minlength=len(self._counts))
        self._sum_s += float(values_s.sum())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        labels = [f"{bound:g}" for bound in self._bounds_s] + ["+Inf"]
        cumulative = np.cumsum(self._counts)
        buckets = [(label, float(count)) for label, count in zip(labels, cumulative, strict=True)]
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum_s)


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
