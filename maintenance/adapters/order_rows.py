"""Reading and writing work orders on a connection that the caller's transaction owns."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import NotFound
from contracts.faults import FaultEvent
from contracts.work_orders import OPEN_STATES, WorkOrderState
from maintenance.adapters.tables import work_order, work_order_command, work_order_fault, work_order_request
from maintenance.order import OpenOrderExists, WorkOrder, order_number


def _order(row: RowMapping) -> WorkOrder:
    return WorkOrder.model_validate(dict(row))


async def get(connection: AsyncConnection, order_id: int, *, lock: bool = False) -> WorkOrder:
    """One order; ``lock`` keeps others from changing it until the transaction ends.

    Raises:
        NotFound: there is no such order.
    """
    query = select(work_order).where(work_order.c.id == order_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).mappings().first()
    if row is None:
        raise NotFound(f"work order {order_number(order_id)} does not exist")
    return _order(row)


async def find_open(connection: AsyncConnection, device_id: str, component: str, family: str) -> WorkOrder | None:
    """The open order of a device, component and family, locked until the transaction ends."""
    query = (
        select(work_order)
        .where(
            work_order.c.device_id == device_id,
            work_order.c.component == component,
            work_order.c.family == family,
            work_order.c.state.in_(OPEN_STATES),
        )
        .with_for_update()
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _order(row)


async def add(connection: AsyncConnection, values: dict[str, Any]) -> WorkOrder:
    """Insert an order.

    Raises:
        OpenOrderExists: another process opened one for the same device, component and family at the same moment; the
            partial unique index held. The transaction is lost; try again and join.
    """
    try:
        result = await connection.execute(insert(work_order).values(values).returning(work_order))
    except IntegrityError as error:
        what = f"{values['device_id']} {values['component']} {values['family']}"
        raise OpenOrderExists(f"an order for {what} was opened at the same moment; try again") from error
    return _order(result.mappings().one())


async def change(connection: AsyncConnection, order: WorkOrder, now_ms: int, **values: Any) -> WorkOrder:
    """Update an order and count its revision."""
    result = await connection.execute(
        update(work_order)
        .where(work_order.c.id == order.id)
        .values(changed_at_ms=now_ms, revision=order.revision + 1, **values)
        .returning(work_order)
    )
    return _order(result.mappings().one())


async def page(
    connection: AsyncConnection,
    *,
    states: Collection[WorkOrderState],
    branch_id: str | None,
    device_id: str | None,
    assignee: str | None,
    limit: int,
    before_id: int | None,
) -> list[WorkOrder]:
    """Orders, newest first."""
    query = select(work_order).order_by(work_order.c.id.desc()).limit(limit)
    if states:
        query = query.where(work_order.c.state.in_(states))
    for column, wanted in (
        (work_order.c.branch_id, branch_id), (work_order.c.device_id, device_id), (work_order.c.assignee, assignee)
    ):  # fmt: skip
        if wanted is not None:
            query = query.where(column == wanted)
    if before_id is not None:
        query = query.where(work_order.c.id < before_id)
    return [_order(row) for row in (await connection.execute(query)).mappings()]


async def count_by_state(connection: AsyncConnection) -> dict[WorkOrderState, int]:
    """How many orders stand in each state."""
    rows = await connection.execute(select(work_order.c.state, func.count()).group_by(work_order.c.state))
    return {WorkOrderState(state): count for state, count in rows}


async def in_states(connection: AsyncConnection, states: Collection[WorkOrderState]) -> list[WorkOrder]:
    """All orders in some states, oldest first."""
    query = select(work_order).where(work_order.c.state.in_(states)).order_by(work_order.c.id)
    return [_order(row) for row in (await connection.execute(query)).mappings()]


# -- the faults of an order ------------------------------------------------------------------------------------------


async def link_fault(connection: AsyncConnection, fault_id: int, order_id: int) -> None:
    """Join a fault to an order. A latched fault that came back after its order ended joins the next one too."""
    await connection.execute(insert(work_order_fault).values(fault_id=fault_id, work_order_id=order_id))


async def mark_cleared(connection: AsyncConnection, fault_id: int, cleared_at_ms: int) -> None:
    """Remember when a fault cleared."""
    await connection.execute(
        update(work_order_fault).where(work_order_fault.c.fault_id == fault_id).values(cleared_at_ms=cleared_at_ms)
    )


async def faults_of(connection: AsyncConnection, order_id: int) -> Sequence[tuple[int, int | None]]:
    """(fault id, cleared_at_ms or ``None``) of every fault that joined an order, oldest first."""
    query = (
        select(work_order_fault.c.fault_id, work_order_fault.c.cleared_at_ms)
        .where(work_order_fault.c.work_order_id == order_id)
        .order_by(work_order_fault.c.fault_id)
    )
    return [(fault_id, cleared) for fault_id, cleared in await connection.execute(query)]


# -- requests that wait before they open an order --------------------------------------------------------------------


async def add_request(connection: AsyncConnection, fault: FaultEvent, due_at_ms: int) -> None:
    """Let a fault wait before it opens an order."""
    await connection.execute(
        insert(work_order_request).values(
            fault_id=fault.fault_id, due_at_ms=due_at_ms, fault=fault.model_dump_json()
        )
    )  # fmt: skip


async def drop_request(connection: AsyncConnection, fault_id: int) -> None:
    """The fault cleared before its wait was over, or was served."""
    await connection.execute(delete(work_order_request).where(work_order_request.c.fault_id == fault_id))


async def due_requests(connection: AsyncConnection, now_ms: int) -> list[FaultEvent]:
    """Faults whose wait is over, oldest first."""
    query = (
        select(work_order_request.c.fault)
        .where(work_order_request.c.due_at_ms <= now_ms)
        .order_by(work_order_request.c.due_at_ms, work_order_request.c.fault_id)
        .with_for_update()
    )
    return [FaultEvent.model_validate_json(text) for text in (await connection.execute(query)).scalars()]


# -- commands already carried out ------------------------------------------------------------------------------------


async def command_done(connection: AsyncConnection, command_id: str) -> tuple[int, str] | None:
    """(order id, command) of a command id that was carried out before."""
    query = select(work_order_command.c.work_order_id, work_order_command.c.command).where(
        work_order_command.c.command_id == command_id
    )
    row = (await connection.execute(query)).first()
    return None if row is None else (row[0], row[1])


async def remember_command(connection: AsyncConnection, command_id: str, order_id: int, command: str) -> None:
    """Remember a command id, so that its repetition has no effect."""
    await connection.execute(
        insert(work_order_command).values(command_id=command_id, work_order_id=order_id, command=command)
    )
