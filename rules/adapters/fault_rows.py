"""Reading and writing faults on a connection that the caller's transaction owns."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import NotFound
from contracts.faults import FaultState
from rules.adapters.tables import fault
from rules.instance import Change, Key
from rules.lifecycle import ACTIVE_STATES, LATCHED_STATES

FaultRow = Row[Any]


async def get(connection: AsyncConnection, fault_id: int, *, lock: bool = False) -> FaultRow:
    """One fault; ``lock`` keeps others from changing it until the transaction ends.

    Raises:
        NotFound: there is no such fault.
    """
    query = select(fault).where(fault.c.id == fault_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise NotFound(f"fault {fault_id} does not exist")
    return row


async def find_active(connection: AsyncConnection, key: Key) -> FaultRow | None:
    """The active fault of a rule, device and part, locked until the transaction ends."""
    query = (
        select(fault)
        .where(
            fault.c.rule_id == key.rule_id,
            fault.c.device_id == key.device_id,
            fault.c.part == key.part,
            fault.c.active,
        )
        .with_for_update()
    )
    return (await connection.execute(query)).first()


async def active_without_rule(connection: AsyncConnection, rule_ids: Collection[str]) -> Sequence[FaultRow]:
    """Faults whose condition holds and whose rule is none of these, locked until the transaction ends."""
    query = (
        select(fault)
        .where(fault.c.active, fault.c.state.not_in(LATCHED_STATES), fault.c.rule_id.not_in(rule_ids))
        .order_by(fault.c.id)
        .with_for_update()
    )
    return (await connection.execute(query)).all()


async def add(connection: AsyncConnection, change: Change, state: FaultState, now_ms: int) -> FaultRow | None:
    """Insert the fault that a change raises.

    Returns:
        The fault, ``None`` where the partial unique index says that another process raised it at the same moment.
    """
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    rule = change.rule
    statement = (
        insert(fault)
        .values(
            rule_id=rule.id,
            device_id=change.key.device_id,
            branch_id=change.branch_id,
            component=change.component,
            part=change.key.part,
            family=rule.family,
            severity=rule.severity,
            state=state,
            active=True,
            title_en=rule.en.name,
            title_zh=rule.zh.name,
            observed_at_ms=change.observed_at_ms,
            trigger_at_ms=change.trigger_at_ms,
            raised_at_ms=now_ms,
            occurrences=1,
        )
        .on_conflict_do_nothing(index_elements=["rule_id", "device_id", "part"], index_where=fault.c.active)
        .returning(fault)
    )
    row: FaultRow | None = (await connection.execute(statement)).first()
    return row


async def change(connection: AsyncConnection, fault_id: int, state: FaultState, **values: object) -> FaultRow:
    """Give a fault its new state, with what else changes."""
    statement = (
        update(fault)
        .where(fault.c.id == fault_id)
        .values(state=state, active=state in ACTIVE_STATES, **values)
        .returning(fault)
    )
    row: FaultRow = (await connection.execute(statement)).one()
    return row


async def select_page(connection: AsyncConnection, query: Select[Any], limit: int) -> Sequence[FaultRow]:
    """Faults of a query, newest first."""
    rows: Sequence[FaultRow] = (await connection.execute(query.order_by(fault.c.id.desc()).limit(limit))).all()
    return rows


async def count_by_rule(connection: AsyncConnection) -> Sequence[tuple[str, int, int]]:
    """(rule, faults raised, faults active) of every rule that raised one."""
    query = (
        select(fault.c.rule_id, func.count(), func.count().filter(fault.c.active))
        .group_by(fault.c.rule_id)
        .order_by(fault.c.rule_id)
    )
    return [(rule_id, raised, active) for rule_id, raised, active in await connection.execute(query)]


async def latencies_ms(connection: AsyncConnection) -> list[int]:
    """Milliseconds from the deciding reading to the fault, of faults that no timer decided, ascending."""
    took = fault.c.raised_at_ms - fault.c.trigger_at_ms
    query = select(took).where(fault.c.trigger_at_ms.is_not(None)).order_by(took)
    return list((await connection.execute(query)).scalars())
