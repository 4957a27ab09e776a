"""What came of a scenario: faults and work orders as the API shows them, held against what was expected."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from simulators.scenario import Step

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
        overrides = {name: Override.model_validate(values) for name, values in self.player.scenario.rules.items()}
        immediate = {rule.id for rule in apply_overrides(load_rules(), overrides) if _is_immediate(rule)}
        waits = [
            fault["raised_at_ms"] - fault["observed_at_ms"] for fault in self.faults if fault["rule_id"] in immediate
        ]
        if not waits:
            return Percentiles(p50=None, p99=None)
        return Percentiles(p50=float(np.percentile(waits, 50)), p99=float(np.percentile(waits, 99)))

    def _of_step(self, step: Step) -> list[Expectation]:
        device_id = self._device_of(step)
        began_ms = self.player.happened.get(step.name)
        if began_ms is None:
            return [Expectation(name=f"{step.name}: happens", met=False, detail="the demonstration ended before it")]
        fault = next(
            (
                fault
                for fault in sorted(self.faults, key=lambda fault: int(fault["id"]))
                if (fault["rule_id"], fault["device_id"]) == (step.expect.rule, device_id)
                and fault["raised_at_ms"] >= began_ms
            ),
            None,
        )
        if fault is None:
            nothing = f"{step.expect.rule} was not raised on {device_id}"
            return [Expectation(name=f"{step.name}: fault", met=False, detail=nothing)]
        after_s = (fault["raised_at_ms"] - began_ms) / 1000
        found = [
            Expectation(
                name=f"{step.name}: fault",
                met=True,
                detail=f"{step.expect.rule} on {device_id} after {after_s:.1f} s",
            )
        ]
        order = next((order for order in self.orders if fault["id"] in order["fault_ids"]), None)
        found.append(
            Expectation(
                name=f"{step.name}: work order",
                met=order is not None,
                detail=f"{order['number']} is {order['state']}" if order else f"no order for fault {fault['id']}",
            )
        )
        if step.expect.closed:
            closed = order is not None and order["state"] == "closed"
            found.append(
                Expectation(
                    name=f"{step.name}: closed after verification",
                    met=closed,
                    detail=f"{order['number']} is {order['state']}" if order else "no order",
                )
            )
        return found

    def _rules_raised(self) -> Expectation:
        raised = {fault["rule_id"] for fault in self.faults}
        return Expectation(
            name=f"at least {FEWEST_RULES} rules raise faults",
            met=len(raised) >= FEWEST_RULES,
            detail=f"{len(raised)}: {', '.join(sorted(raised))}",
        )

    def _no_false_alarm(self) -> Expectation:
        expected = {(step.expect.rule, self._device_of(step)) for step in self.player.scenario.steps}
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
        return Expectation(
            name=f"99 of 100 faults without a delay are raised within {FAULT_WITHIN_MS / 1000:g} s",
            met=p99 is not None and p99 < FAULT_WITHIN_MS,
            detail="nothing was measured"
            if p99 is None
            else f"{p99:.0f} ms from the gateway's observation to the fault",
        )

    def _device_of(self, step: Step) -> str:
        return f"{self.player.branch_of(step).branch_id}/{step.expected_device}"


def _is_immediate(rule: Rule) -> bool:
    """Whether a rule raises with the reading itself, so that its latency is the system's and not a delay's."""
    waits = any(
        isinstance(clause, AbsenceClause) or (isinstance(clause, StateClause) and clause.held_s) for clause in rule.when
    )
    return not rule.on_delay_s and not waits
