"""Makes faults of what the engine found: rows, states and events in the transaction that stores the engine's state."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.faults import EndReason, FaultEvent, FaultState, WorkOrderAdvice
from rules.adapters import fault_rows
from rules.adapters.fault_rows import FaultRow
from rules.condition import Outcome
from rules.instance import Change
from rules.lifecycle import EVENTS, LATCHED_STATES, Transition, move
from runtime.event_log import SYSTEM, EventLog

_REASONS: Final = {
    Outcome.FORGOTTEN: EndReason.DEVICE_REMOVED,
    Outcome.REPLACED: EndReason.DEVICE_CHANGED,
    Outcome.UNCOVERED: EndReason.RULE_CHANGED,
}


@dataclass(slots=True)
class Applied:
    """What a list of changes did, for the figures.

    Attributes:
        raised: (rule id, milliseconds from the deciding reading or ``None``) of each fault raised.
        active: how many more faults are active than before.
    """

    raised: list[tuple[str, int | None]] = field(default_factory=list)
    active: int = 0


def subject(fault_id: int) -> str:
    """Subject of a fault's events in the log."""
    return f"fault/{fault_id}"


async def record(
    connection: AsyncConnection,
    event_log: EventLog,
    row: FaultRow,
    transition: Transition,
    *,
    observed_at_ms: int,
    trigger_at_ms: int | None = None,
    work_order: WorkOrderAdvice | None = None,
    actor: str = SYSTEM,
    reason: EndReason | None = None,
) -> None:
    """Append the events of a transition for a fault as it stands after it."""
    event = FaultEvent(
        fault_id=row.id,
        rule_id=row.rule_id,
        device_id=row.device_id,
        branch_id=row.branch_id,
        component=row.component,
        part=row.part,
        family=row.family,
        severity=row.severity,
        state=row.state,
        title_en=row.title_en,
        title_zh=row.title_zh,
        observed_at_ms=observed_at_ms,
        trigger_at_ms=trigger_at_ms,
        work_order=work_order,
        reason=reason,
    )
    for type_ in EVENTS[transition]:
        await event_log.append(connection, type_, subject(row.id), event, actor)


async def apply(connection: AsyncConnection, event_log: EventLog, changes: Sequence[Change], now_ms: int) -> Applied:
    """Raise and clear faults in order.

    A change that finds its effect made already has none: a fault is raised once and cleared once.

    Args:
        connection: the transaction.
        event_log: where the events go.
        changes: of the engine.
        now_ms: the server's time.
    """
    applied = Applied()
    for change in changes:
        if change.outcome.raises:
            await _raise(connection, event_log, change, now_ms, applied)
        else:
            await _end(connection, event_log, change, now_ms, applied)
    return applied


async def _raise(
    connection: AsyncConnection, event_log: EventLog, change: Change, now_ms: int, applied: Applied
) -> None:
    standing = await fault_rows.find_active(connection, change.key)
    if standing is None:
        transition = Transition.RAISE
        row = await fault_rows.add(connection, change, move(None, transition), now_ms)
        if row is None:
            return
        took_ms = None if change.trigger_at_ms is None else now_ms - change.trigger_at_ms
        applied.raised.append((change.rule.id, took_ms))
        applied.active += 1
    elif FaultState(standing.state) in LATCHED_STATES:
        transition = Transition.REACTIVATE
        row = await fault_rows.change(
            connection,
            standing.id,
            move(FaultState(standing.state), transition),
            ended_observed_at_ms=None,
            occurrences=standing.occurrences + 1,
        )
    else:
        return
    await record(
        connection,
        event_log,
        row,
        transition,
        observed_at_ms=change.observed_at_ms,
        trigger_at_ms=change.trigger_at_ms,
        work_order=change.rule.work_order,
    )


async def _end(connection: AsyncConnection, event_log: EventLog, change: Change, now_ms: int, applied: Applied) -> None:
    standing = await fault_rows.find_active(connection, change.key)
    if standing is None or FaultState(standing.state) in LATCHED_STATES:
        return
    latches = change.rule.latch and not change.outcome.ends_unseen
    transition = Transition.LATCH if latches else Transition.CLEAR
    row = await fault_rows.change(
        connection,
        standing.id,
        move(FaultState(standing.state), transition),
        ended_observed_at_ms=change.observed_at_ms,
        cleared_at_ms=None if latches else now_ms,
    )
    applied.active -= not latches
    await record(
        connection,
        event_log,
        row,
        transition,
        observed_at_ms=change.observed_at_ms,
        trigger_at_ms=change.trigger_at_ms,
        work_order=change.rule.work_order,
        reason=_REASONS.get(change.outcome),
    )


async def end_without_rule(
    connection: AsyncConnection, event_log: EventLog, rule_ids: Collection[str], now_ms: int
) -> Applied:
    """End the faults whose rule is no longer loaded: nothing would ever clear them. Latched ones wait for people still.

    Args:
        connection: the transaction.
        event_log: where the events go.
        rule_ids: the rules that are loaded.
        now_ms: the server's time.
    """
    applied = Applied()
    for standing in await fault_rows.active_without_rule(connection, rule_ids):
        row = await fault_rows.change(
            connection,
            standing.id,
            move(FaultState(standing.state), Transition.CLEAR),
            ended_observed_at_ms=now_ms,
            cleared_at_ms=now_ms,
        )
        applied.active -= 1
        await record(
            connection,
            event_log,
            row,
            Transition.CLEAR,
            observed_at_ms=now_ms,
            reason=EndReason.RULE_REMOVED,
        )
    return applied
