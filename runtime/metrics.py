"""Prometheus metrics: one registry a process, passed to whoever counts."""

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

LATENCY_BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 3600.0)
"""From a local hop to an hour of back-fill."""


def new_registry() -> CollectorRegistry:
    """Registry with the process's own figures; metrics are named ``branchwatch_…``."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """Text exposition of all metrics."""
    return generate_latest(registry)
