"""Telemetry verifies a repair: every fault has cleared and stays clear, or the order goes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.work_orders import WorkOrderCommand, WorkOrderState
from maintenance.adapters import order_rows
from maintenance.order import WorkOrder
from maintenance.work_orders import CommandRequest, WorkOrders
from runtime.clock import Clock


class Verdict(StrEnum):
    """What telemetry says about a repair, and why."""

    HOLDS = "all faults cleared and stayed clear"
    TOO_EARLY = "cleared, but not yet for long enough"
    STILL_ACTIVE = "a fault still stands"
    NEVER_CLEARED = "a fault still stands after the longest wait"


@dataclass(frozen=True, slots=True)
class VerificationBounds:
    """How long verification waits for a fault to clear before the order goes back, in milliseconds."""

    longest_wait_ms: int


def judge(
    faults: Sequence[int | None], verifying_since_ms: int, hold_ms: int, bounds: VerificationBounds, now_ms: int
) -> Verdict:
    """Decide on a repair.

    Args:
        faults: when each fault of the order cleared, milliseconds since 1970; ``None`` while it stands.
        verifying_since_ms: when verification began.
        hold_ms: how long the faults must stay clear, counted from the clearing or from the repair, whichever is later.
        bounds: longest wait for a clearing.
        now_ms: now.
    """
    cleared = [moment for moment in faults if moment is not None]
    if len(cleared) < len(faults):
        waited_ms = now_ms - verifying_since_ms
        return Verdict.NEVER_CLEARED if waited_ms >= bounds.longest_wait_ms else Verdict.STILL_ACTIVE
    steady_since_ms = max([verifying_since_ms, *cleared])
    return Verdict.HOLDS if now_ms - steady_since_ms >= hold_ms else Verdict.TOO_EARLY


class Verification:
    """Moves repaired orders through verification."""

    def __init__(self, work_orders: WorkOrders, clock: Clock, bounds: VerificationBounds) -> None:
        self._work_orders = work_orders
        self._clock = clock
        self._bounds = bounds

    async def step(self, connection: AsyncConnection) -> int:
        """Look at every repaired or verifying order once; tells how many moved."""
        moved = 0
        for order in await order_rows.in_states(connection, (WorkOrderState.REPAIRED, WorkOrderState.VERIFYING)):
            current = await order_rows.get(connection, order.id, lock=True)
            request = await self._request(connection, current)
            if request is not None:
                await self._work_orders.move(connection, current, request, automatic=True)
                moved += 1
        return moved

    async def _request(self, connection: AsyncConnection, order: WorkOrder) -> CommandRequest | None:
        if order.state is WorkOrderState.REPAIRED:
            return CommandRequest(command=WorkOrderCommand.VERIFY)
        if order.state is not WorkOrderState.VERIFYING or order.verifying_since_ms is None:
            return None
        faults = [cleared for _fault_id, cleared in await order_rows.faults_of(connection, order.id)]
        verdict = judge(
            faults, order.verifying_since_ms, round(order.verify_hold_s * 1000), self._bounds, self._clock.now_ms()
        )
        if verdict is Verdict.HOLDS:
            return CommandRequest(command=WorkOrderCommand.CONFIRM, note=verdict)
        if verdict is Verdict.NEVER_CLEARED:
            return CommandRequest(command=WorkOrderCommand.FAIL_VERIFICATION, note=verdict)
        return None
