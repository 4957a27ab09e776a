"""What came of a scenario: faults and work orders as the API shows them, held against what was expected."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np

from branchwatch.demo_report import (
    DemoReport,
    Expectation,
    FaultCounts,
    Latencies,
    Packs,
    Percentiles,
    WorkOrderCounts,
)
from branchwatch.deployment import Completeness, Deployment
from rules.files import load_rules
from rules.kinds.absence import AbsenceClause
from rules.kinds.state import StateClause
from rules.overrides import Override, apply_overrides
from rules.rule import Rule
from simulators.player import Player
from simulators.scenario import Expected, Step

FEWEST_RULES: Final = 5
"""So many different rules have to be raised for the demonstration to show something."""


FAULT_WITHIN_MS: Final = 1000
"""Longest time from an observation to its fault that 99 of 100 may take."""


@dataclass(frozen=True)
class Findings:
    """A look at the API at the end of a scenario."""

    player: Player
    devices: Sequence[Mapping[str, Any]]
    faults: Sequence[Mapping[str, Any]]
    orders: Sequence[Mapping[str, Any]]

    @classmethod
    async def gather(cls, deployment: Deployment, player: Player) -> Self:
        """Ask the API."""
        api = deployment.api
        orders = await api.all_items("/api/v1/work-orders")
        return cls(
            player,
            await api.all_items("/api/v1/devices"),
            await api.all_items("/api/v1/faults", state="all"),
            [await api.get(f"/api/v1/work-orders/{order['id']}") for order in orders],
        )

    def report(self, duration_s: float, packs: Packs, completeness: Completeness) -> DemoReport:
        """Put the report together."""
        over = [fault for fault in self.faults if fault["cleared_at_ms"] is not None]
        states = Counter(order["state"] for order in self.orders)
        return DemoReport(
            duration_s=duration_s,
            branches=len(self.player.branches),
            devices=len(self.devices),
            packs=packs,
            readings=completeness.readings,
            faults=FaultCounts(
                raised=len(self.faults),
                cleared=len(over),
                active=len(self.faults) - len(over),
                by_rule=dict(Counter(fault["rule_id"] for fault in self.faults)),
            ),
            work_orders=WorkOrderCounts(opened=len(self.orders), closed=states["closed"], by_state=dict(states)),
            latency_ms=Latencies(device_to_store=completeness.device_to_store, device_to_fault=self._device_to_fault()),
            expectations=[
                *(found for step in self.player.scenario.steps for found in self._of_step(step)),
                self._rules_raised(),
                self._no_false_alarm(),
                self._fault_in_time(),
                Expectation(
                    name="every pack is committed",
                    met=packs.committed == packs.sent and not packs.holes_open,
                    detail=f"{packs.committed} of {packs.sent}, {packs.holes_open} holes open",
                ),
                Expectation(
                    name="every reading is stored once",
                    met=completeness.readings.stored == completeness.readings.produced
                    and not completeness.readings.doubled,
                    detail=f"{completeness.readings.stored} of {completeness.readings.produced}",
                ),
            ],
        )

    def _device_to_fault(self) -> Percentiles:
        waits = [
            fault["raised_at_ms"] - fault["observed_at_ms"]
            for fault in self.faults
            if fault["rule_id"] in self._immediate
        ]
        if not waits:
            return Percentiles(p50=None, p99=None)
        return Percentiles(p50=float(np.percentile(waits, 50)), p99=float(np.percentile(waits, 99)))

    def _of_step(self, step: Step) -> list[Expectation]:
        began_ms = self.player.happened.get(step.name)
        if began_ms is None:
            return [Expectation(name=f"{step.name}: happens", met=False, detail="the demonstration ended before it")]
        found = []
        for expected in step.expect:
            name = step.name if len(step.expect) == 1 else f"{step.name}, {expected.rule} on {step.device_of(expected)}"
            found += self._of_expected(name, expected, self._device_of(step, expected), began_ms)
        return found

    def _of_expected(self, name: str, expected: Expected, device_id: str, began_ms: int) -> list[Expectation]:
        fault = next(
            (
                fault
                for fault in sorted(self.faults, key=lambda fault: int(fault["id"]))
                if (fault["rule_id"], fault["device_id"]) == (expected.rule, device_id)
                and fault["raised_at_ms"] >= began_ms
            ),
            None,
        )
        if fault is None:
            nothing = f"{expected.rule} was not raised on {device_id}"
            return [Expectation(name=f"{name}: fault", met=False, detail=nothing)]
        after_s = (fault["raised_at_ms"] - began_ms) / 1000
        raised = f"{expected.rule} on {device_id} after {after_s:.1f} s"
        found = [Expectation(name=f"{name}: fault", met=True, detail=raised)]
        if expected.cleared:
            over_ms = fault["cleared_at_ms"]
            detail = "still there" if over_ms is None else f"over after {(over_ms - began_ms) / 1000:.1f} s"
            found.append(Expectation(name=f"{name}: cleared", met=over_ms is not None, detail=detail))
        if expected.rule in self._without_order:
            return found
        order = next((order for order in self.orders if fault["id"] in order["fault_ids"]), None)
        found.append(
            Expectation(
                name=f"{name}: work order",
                met=order is not None,
                detail=f"{order['number']} is {order['state']}" if order else f"no order for fault {fault['id']}",
            )
        )
        if expected.closed:
            closed = order is not None and order["state"] == "closed"
            found.append(
                Expectation(
                    name=f"{name}: closed after verification",
                    met=closed,
                    detail=f"{order['number']} is {order['state']}" if order else "no order",
                )
            )
        return found

    def _rules_raised(self) -> Expectation:
        raised = {fault["rule_id"] for fault in self.faults}
        wanted = min(FEWEST_RULES, len({expected.rule for _, expected in self._expected}))
        return Expectation(
            name=f"at least {wanted} rules raise faults",
            met=len(raised) >= wanted,
            detail=f"{len(raised)}: {', '.join(sorted(raised))}",
        )

    def _no_false_alarm(self) -> Expectation:
        expected = {(expected.rule, self._device_of(step, expected)) for step, expected in self._expected}
        others = [
            f"{fault['rule_id']} on {fault['device_id']}"
            for fault in self.faults
            if (fault["rule_id"], fault["device_id"]) not in expected
        ]
        return Expectation(
            name="no fault without a cause", met=not others, detail=", ".join(others) or "none but those expected"
        )

    def _fault_in_time(self) -> Expectation:
        p99 = self._device_to_fault().p99
        nothing_due = not {expected.rule for _, expected in self._expected} & self._immediate
        return Expectation(
            name=f"99 of 100 faults without a delay are raised within {FAULT_WITHIN_MS / 1000:g} s",
            met=nothing_due if p99 is None else p99 < FAULT_WITHIN_MS,
            detail="nothing was measured"
            if p99 is None
            else f"{p99:.0f} ms from the gateway's observation to the fault",
        )

    @property
    def _expected(self) -> Sequence[tuple[Step, Expected]]:
        return [(step, expected) for step in self.player.scenario.steps for expected in step.expect]

    @cached_property
    def _rules(self) -> Sequence[Rule]:
        """The catalogue as the scenario overrides it."""
        overrides = {name: Override.model_validate(values) for name, values in self.player.scenario.rules.items()}
        return apply_overrides(load_rules(), overrides)

    @cached_property
    def _immediate(self) -> frozenset[str]:
        return frozenset(rule.id for rule in self._rules if _is_immediate(rule))

    @cached_property
    def _without_order(self) -> frozenset[str]:
        return frozenset(rule.id for rule in self._rules if rule.work_order is None)

    def _device_of(self, step: Step, expected: Expected) -> str:
        return f"{self.player.branch_of(step).branch_id}/{step.device_of(expected)}"


def _is_immediate(rule: Rule) -> bool:
    """Whether a rule raises with the reading itself, so that its latency is the system's and not a delay's."""
    waits = any(
        isinstance(clause, AbsenceClause) or (isinstance(clause, StateClause) and clause.held_s) for clause in rule.when
    )
    return not rule.on_delay_s and not waits
