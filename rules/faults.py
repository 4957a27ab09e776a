"""Faults for those who look at them and act on them: the console, reports."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Select, select

from contracts.faults import FaultState, Severity, WorkOrderAdvice
from rules.adapters import fault_rows
from rules.adapters.fault_rows import FaultRow
from rules.adapters.tables import fault
from rules.fault_changes import Applied, record
from rules.figures import Figures
from rules.lifecycle import UNACKNOWLEDGED_STATES, Transition, move
from rules.rule import Rule, Text
from runtime.clock import Clock
from runtime.database import Database
from runtime.event_log import EventLog


class FaultFilter(StrEnum):
    """Which faults a list shows."""

    ACTIVE = "active"  # the condition or a latch holds
    UNACKNOWLEDGED = "unacknowledged"  # nobody acknowledged, active or not
    ALL = "all"


class FaultView(BaseModel):
    """A fault as it stands.

    Attributes:
        id: id of the fault.
        rule_id: the rule that raised it.
        device_id: full device id.
        branch_id: branch.
        component: component inside the device.
        part: matched part such as ``cdm/unit2``, empty where the rule names the component alone.
        family: what one visit would fix.
        severity: severity.
        state: state (ISA-18.2).
        active: whether the condition or a latch holds.
        latches: whether it needs a reset after the condition is gone.
        title_en: name in English.
        title_zh: name in Chinese.
        en: the rule's texts in English, ``None`` where the rule is no longer loaded.
        zh: the rule's texts in Chinese.
        respond_s: seconds within which somebody must act, ``None`` where the rule is no longer loaded.
        work_order: the work the rule asks for.
        observed_at_ms: when it began by observation time, delay included.
        trigger_at_ms: observation time of the reading that decided it, ``None`` where a timer did.
        raised_at_ms: when it was raised, by the server's clock.
        detection_ms: from the deciding reading to the fault, ``None`` where a timer decided.
        ended_observed_at_ms: when the condition ended by observation time, delay included.
        cleared_at_ms: when it was cleared, by the server's clock.
        acknowledged_at_ms: when it was acknowledged last.
        acknowledged_by: by whom.
        acknowledge_comment: what they said.
        reset_at_ms: when its latch was reset.
        reset_by: by whom.
        reset_comment: what they said.
        occurrences: how often the condition began; more than once under a latch.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    rule_id: str
    device_id: str
    branch_id: str
    component: str
    part: str
    family: str
    severity: Severity
    state: FaultState
    active: bool
    latches: bool
    title_en: str
    title_zh: str
    en: Text | None
    zh: Text | None
    respond_s: float | None
    work_order: WorkOrderAdvice | None
    observed_at_ms: int
    trigger_at_ms: int | None
    raised_at_ms: int
    detection_ms: int | None
    ended_observed_at_ms: int | None
    cleared_at_ms: int | None
    acknowledged_at_ms: int | None
    acknowledged_by: str | None
    acknowledge_comment: str | None
    reset_at_ms: int | None
    reset_by: str | None
    reset_comment: str | None
    occurrences: int


class FaultSummary(BaseModel):
    """Figures over all faults.

    Attributes:
        raised: faults raised ever.
        active: of those, active now.
        cleared: of those, no longer active.
        by_rule: faults raised by rule id.
        detection_ms: milliseconds from the deciding reading to the fault, rules without delay, ascending.
    """

    model_config = ConfigDict(frozen=True)

    raised: int
    active: int
    cleared: int
    by_rule: dict[str, int]
    detection_ms: tuple[int, ...]


class Faults:
    """Lists faults and takes what people do about them."""

    def __init__(
        self, rules: Mapping[str, Rule], database: Database, event_log: EventLog, clock: Clock, figures: Figures
    ) -> None:
        self._rules = rules
        self._database = database
        self._event_log = event_log
        self._clock = clock
        self._figures = figures

    async def list(
        self,
        state: FaultFilter = FaultFilter.ACTIVE,
        *,
        branch_id: str | None = None,
        device_id: str | None = None,
        rule_id: str | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> Sequence[FaultView]:
        """Faults, newest first.

        Args:
            state: which.
            branch_id: of one branch only.
            device_id: of one device only.
            rule_id: of one rule only.
            limit: at most so many.
            before_id: only those with a smaller id, for the next page.

        Raises:
            DependencyUnavailable: the database does not answer.
        """
        query: Select[tuple[object, ...]] = select(fault)
        if state is FaultFilter.ACTIVE:
            query = query.where(fault.c.active)
        elif state is FaultFilter.UNACKNOWLEDGED:
            query = query.where(fault.c.state.in_(UNACKNOWLEDGED_STATES))
        for column, wanted in (
            (fault.c.branch_id, branch_id),
            (fault.c.device_id, device_id),
            (fault.c.rule_id, rule_id),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        if before_id is not None:
            query = query.where(fault.c.id < before_id)
        async with self._database.read() as connection:
            return [self._view(row) for row in await fault_rows.select_page(connection, query, limit)]

    async def get(self, fault_id: int) -> FaultView:
        """One fault.

        Raises:
            NotFound: there is no such fault.
        """
        async with self._database.read() as connection:
            return self._view(await fault_rows.get(connection, fault_id))

    async def acknowledge(self, fault_id: int, actor: str, comment: str = "") -> FaultView:
        """Say that somebody has taken notice.

        Raises:
            NotFound: there is no such fault.
            TransitionNotAllowed: it is acknowledged already.
        """
        return await self._move(fault_id, Transition.ACKNOWLEDGE, actor, "acknowledge", comment)

    async def reset(self, fault_id: int, actor: str, comment: str = "") -> FaultView:
        """Release the latch after the condition is gone and the fault was acknowledged.

        Raises:
            NotFound: there is no such fault.
            TransitionNotAllowed: its condition holds, nothing latches, or nobody acknowledged it.
        """
        return await self._move(fault_id, Transition.RESET, actor, "reset", comment)

    async def summary(self) -> FaultSummary:
        """Figures over all faults, counted by the database."""
        async with self._database.read() as connection:
            counts = await fault_rows.count_by_rule(connection)
            latencies = await fault_rows.latencies_ms(connection)
        raised, active = sum(row[1] for row in counts), sum(row[2] for row in counts)
        return FaultSummary(
            raised=raised,
            active=active,
            cleared=raised - active,
            by_rule={rule_id: count for rule_id, count, _ in counts},
            detection_ms=tuple(latencies),
        )

    async def _move(self, fault_id: int, transition: Transition, actor: str, verb: str, comment: str) -> FaultView:
        now_ms = self._clock.now_ms()
        done = "acknowledged" if transition is Transition.ACKNOWLEDGE else "reset"
        async with self._database.write() as connection:
            before = await fault_rows.get(connection, fault_id, lock=True)
            state = move(FaultState(before.state), transition)
            values: dict[str, object] = {f"{done}_at_ms": now_ms, f"{done}_by": actor, f"{verb}_comment": comment}
            if transition is Transition.RESET:
                values["cleared_at_ms"] = now_ms
            row = await fault_rows.change(connection, fault_id, state, **values)
            rule = self._rules.get(row.rule_id)
            await record(
                connection,
                self._event_log,
                row,
                transition,
                observed_at_ms=now_ms,
                work_order=rule.work_order if rule is not None else None,
                actor=actor,
            )
        self._figures.count(Applied(active=int(row.active) - int(before.active)))
        await self._event_log.announce()
        return self._view(row)

    def _view(self, row: FaultRow) -> FaultView:
        rule = self._rules.get(row.rule_id)
        values = dict(row._mapping)  # noqa: SLF001  (public in SQLAlchemy in spite of its name)
        return FaultView(
            **values,
            latches=rule is not None and rule.latch,
            en=None if rule is None else rule.en,
            zh=None if rule is None else rule.zh,
            respond_s=None if rule is None else rule.respond_s,
            work_order=None if rule is None else rule.work_order,
            detection_ms=None if row.trigger_at_ms is None else row.raised_at_ms - row.trigger_at_ms,
        )
