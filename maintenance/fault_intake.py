"""Faults become work orders: a named consumer of the event log opens, joins and takes note of what cleared."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.faults import FaultEvent, FaultEventType, Severity
from contracts.work_orders import WorkOrderCommand, WorkOrderEventType, WorkOrderState
from maintenance.adapters import order_rows
from maintenance.order import WorkOrder, key_of, subject
from maintenance.work_orders import CommandRequest, WorkOrders
from runtime.clock import Clock
from runtime.event_log import Event, EventLog

CONSUMER: Final = "maintenance.work_orders"
"""Name under which the position in the event log is kept."""

EVENT_TYPES: Final = (FaultEventType.RAISED, FaultEventType.REACTIVATED, FaultEventType.CLEARED)

_SEVERITIES: Final = list(Severity)  # worst first


class FaultIntake:
    """Turns fault events into work orders, inside the consumer's transaction."""

    def __init__(self, work_orders: WorkOrders, event_log: EventLog, clock: Clock) -> None:
        self._work_orders = work_orders
        self._event_log = event_log
        self._clock = clock

    async def handle(self, connection: AsyncConnection, event: Event) -> None:
        """Effect of one fault event."""
        fault = FaultEvent.model_validate(event.data)
        if event.type == FaultEventType.CLEARED:
            await order_rows.drop_request(connection, fault.fault_id)
            if (
                fault.reason is None
            ):  # else nobody saw the condition gone: the rule or the device is, which proves no repair
                await order_rows.mark_cleared(connection, fault.fault_id, event.at_ms)
            return
        if fault.work_order is None:
            return
        open_order = await order_rows.find_open(connection, *key_of(fault))
        if open_order is not None and event.type == FaultEventType.REACTIVATED:
            await self._came_back(connection, open_order, fault)
        elif open_order is not None:
            await self._join(connection, open_order, fault)
        elif fault.work_order.wait_s > 0:
            await order_rows.add_request(connection, fault, event.at_ms + round(fault.work_order.wait_s * 1000))
        else:
            await self._open(connection, fault)

    async def open_due(self, connection: AsyncConnection) -> int:
        """Open or join orders for faults whose wait is over; tells how many there were."""
        due = await order_rows.due_requests(connection, self._clock.now_ms())
        for fault in due:
            await order_rows.drop_request(connection, fault.fault_id)
            open_order = await order_rows.find_open(connection, *key_of(fault))
            if open_order is not None:
                await self._join(connection, open_order, fault)
            else:
                await self._open(connection, fault)
        return len(due)

    async def _open(self, connection: AsyncConnection, fault: FaultEvent) -> None:
        advice, now_ms = fault.work_order, self._clock.now_ms()
        if advice is None:
            return
        order = await order_rows.add(
            connection,
            {
                "branch_id": fault.branch_id,
                "device_id": fault.device_id,
                "component": fault.component,
                "family": fault.family,
                "type": advice.type,
                "skill": advice.skill,
                "severity": fault.severity,
                "title_en": fault.title_en,
                "title_zh": fault.title_zh,
                "state": WorkOrderState.NEW,
                "fault_count": 1,
                "verify_hold_s": advice.verify_hold_s,
                "opened_at_ms": now_ms,
                "changed_at_ms": now_ms,
                "revision": 1,
            },
        )
        await order_rows.link_fault(connection, fault.fault_id, order.id)
        await self._event_log.append(connection, WorkOrderEventType.OPENED, subject(order.id), order.event())

    async def _join(self, connection: AsyncConnection, order: WorkOrder, fault: FaultEvent) -> None:
        """Count a further fault of the same device, component and family."""
        await order_rows.link_fault(connection, fault.fault_id, order.id)
        hold_s = fault.work_order.verify_hold_s if fault.work_order is not None else 0.0
        joined = await order_rows.change(
            connection,
            order,
            self._clock.now_ms(),
            fault_count=order.fault_count + 1,
            severity=min(order.severity, fault.severity, key=_SEVERITIES.index),
            verify_hold_s=max(order.verify_hold_s, hold_s),
        )
        await self._event_log.append(
            connection, WorkOrderEventType.JOINED, subject(order.id), joined.event(note=f"fault {fault.fault_id}")
        )
        await self._came_back(connection, joined, fault)

    async def _came_back(self, connection: AsyncConnection, order: WorkOrder, fault: FaultEvent) -> None:
        """A fault that comes, or comes back under its latch, while a repair is being verified fails the verification."""
        if order.state is WorkOrderState.VERIFYING:
            request = CommandRequest(
                command=WorkOrderCommand.FAIL_VERIFICATION, note=f"{fault.title_en} came back (fault {fault.fault_id})"
            )
            await self._work_orders.move(connection, order, request, automatic=True)
