"""An offer that nobody answers expires, and the order goes back to the dispatcher."""

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.work_orders import WorkOrderCommand, WorkOrderState
from maintenance.adapters import order_rows
from maintenance.work_orders import CommandRequest, WorkOrders
from runtime.clock import Clock


class Offers:
    """Watches how long offers stand.

    Args:
        work_orders: the door to work orders.
        clock: now.
        timeout_ms: how long a technician has to accept.
    """

    def __init__(self, work_orders: WorkOrders, clock: Clock, timeout_ms: int) -> None:
        self._work_orders = work_orders
        self._clock = clock
        self._timeout_ms = timeout_ms

    async def step(self, connection: AsyncConnection) -> int:
        """Let offers expire that are due; tells how many."""
        expired = 0
        for order in await order_rows.in_states(connection, (WorkOrderState.OFFERED,)):
            current = await order_rows.get(connection, order.id, lock=True)
            if current.offered_at_ms is not None and self._clock.now_ms() - current.offered_at_ms >= self._timeout_ms:
                request = CommandRequest(
                    command=WorkOrderCommand.EXPIRE_OFFER, note=f"no answer from {current.assignee}"
                )
                await self._work_orders.move(connection, current, request, automatic=True)
                expired += 1
        return expired
