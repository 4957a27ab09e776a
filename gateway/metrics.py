"""Prometheus metrics of gateways: one set a process, each figure labelled with its branch."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from runtime.metrics import LATENCY_BUCKETS_S


class GatewayMetrics:
    """Figures of every gateway in a process; made once for a registry and shared."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"branchwatch_gateway_{name}", text, ["branch", *labels], registry=registry)

        def histogram(name: str, text: str) -> Histogram:
            return Histogram(
                f"branchwatch_gateway_{name}", text, ["branch"], registry=registry, buckets=LATENCY_BUCKETS_S
            )

        self.observations = counter("observations_total", "Observations handed over by drivers", "driver")
        self.readings = counter("readings_total", "Readings stored in the outbox")
        self.refused = counter("refused_total", "Inputs refused", "driver")
        self.overrun = counter("overrun_total", "Observations lost because too many waited for the outbox", "driver")
        self.driver_retries = counter("driver_retries_total", "Times a driver had to be run again", "driver")
        self.outbox_failures = counter("outbox_failures_total", "Hand-overs the outbox could not take")
        self.packs_acknowledged = counter("packs_acknowledged_total", "Packs the broker acknowledged")
        self.packs_resent = counter("packs_resent_total", "Packs sent again on request")
        self.bad_requests = counter("bad_requests_total", "Requests from the collector that could not be read")
        self.pending = Gauge(
            "branchwatch_gateway_outbox_pending_readings",
            "Readings not acknowledged yet",
            ["branch"],
            registry=registry,
        )
        self.connected = Gauge(
            "branchwatch_gateway_connected", "1 while connected to the broker", ["branch"], registry=registry
        )
        self.commit_s = histogram("outbox_commit_seconds", "Time of a commit to the outbox")
        self.round_trip_s = histogram("round_trip_seconds", "From publishing a pack to its acknowledgement")
