"""The demonstration's report: counts, latencies, and whether everything expected came about."""

from collections.abc import Mapping

from pydantic import BaseModel


class Packs(BaseModel):
    """Packs of all gateways."""

    sent: int
    committed: int
    duplicates_dropped: int
    holes_open: int


class ReadingCounts(BaseModel):
    """Readings: produced at the drivers, stored by a query on the store after the drain."""

    produced: int
    stored: int
    lost: int
    doubled: int


class FaultCounts(BaseModel):
    """Faults at the end of the scenario."""

    raised: int
    cleared: int
    active: int
    by_rule: dict[str, int]


class WorkOrderCounts(BaseModel):
    """Work orders at the end of the scenario."""

    opened: int
    closed: int
    by_state: dict[str, int]


class Percentiles(BaseModel):
    """Latency in milliseconds; ``None`` where nothing was measured."""

    p50: float | None
    p99: float | None


class Latencies(BaseModel):
    """From the gateway's observation to the store and to the fault; rules with a delay are left out of the latter."""

    device_to_store: Percentiles
    device_to_fault: Percentiles


class Expectation(BaseModel):
    """Something that had to come about."""

    name: str
    met: bool
    detail: str


class DemoReport(BaseModel):
    """What a demonstration did, as JSON."""

    duration_s: float
    branches: int
    devices: int
    packs: Packs
    readings: ReadingCounts
    faults: FaultCounts
    work_orders: WorkOrderCounts
    latency_ms: Latencies
    expectations: list[Expectation]

    @property
    def ok(self) -> bool:
        """All expectations met, nothing lost, nothing doubled."""
        return all(item.met for item in self.expectations) and not self.readings.lost and not self.readings.doubled

    def summary(self) -> str:
        """The report for a person at a terminal."""
        packs, readings, faults, orders = self.packs, self.readings, self.faults, self.work_orders
        rows = {
            "run": f"{self.branches} branches, {self.devices} devices, {self.duration_s:.0f} s",
            "readings": f"produced {readings.produced}, stored {readings.stored}, lost {readings.lost}, doubled {readings.doubled}",
            "packs": f"sent {packs.sent}, committed {packs.committed}, repeated and dropped {packs.duplicates_dropped}, "
            f"holes open {packs.holes_open}",
            "faults": f"raised {faults.raised}, cleared {faults.cleared}, active {faults.active} ({_counts(faults.by_rule)})",
            "orders": f"opened {orders.opened}, closed {orders.closed} ({_counts(orders.by_state)})",
            "latency": f"device to store {_ms(self.latency_ms.device_to_store)}, "
            f"device to fault {_ms(self.latency_ms.device_to_fault)}",
        }
        lines = [f"{name:<10} {text}" for name, text in rows.items()]
        lines += [f"{'met' if item.met else 'NOT MET':<10} {item.name}: {item.detail}" for item in self.expectations]
        return "\n".join(lines)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _ms(latency: Percentiles) -> str:
    if latency.p50 is None or latency.p99 is None:
        return "not measured"
    return f"p50 {latency.p50:.0f} ms p99 {latency.p99:.0f} ms"
