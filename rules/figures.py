"""Prometheus metrics of the rules."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rules.fault_changes import Applied
from runtime.metrics import LATENCY_BUCKETS_S

_EVALUATION_BUCKETS_S = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


class Figures:
    """Counts what the rules do."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._raised = Counter(
            "branchwatch_faults_raised", "Faults raised since the start of the process", ["rule"], registry=registry
        )
        self.active = Gauge("branchwatch_faults_active", "Faults whose condition or latch holds", registry=registry)
        self.evaluation_s = Histogram(
            "branchwatch_rules_evaluation_seconds",
            "Evaluation of one batch, without the database",
            registry=registry,
            buckets=_EVALUATION_BUCKETS_S,
        )
        self._latency_s = Histogram(
            "branchwatch_device_to_fault_seconds",
            "From the observation of the deciding reading to the fault, rules without delay",
            registry=registry,
            buckets=LATENCY_BUCKETS_S,
        )

    def count(self, applied: Applied) -> None:
        """Count what a transaction did, after its commit."""
        for rule_id, took_ms in applied.raised:
            self._raised.labels(rule_id).inc()
            if took_ms is not None:
                self._latency_s.observe(took_ms / 1000)
        self.active.inc(applied.active)
