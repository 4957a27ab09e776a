"""One rule on one part of one device: its clauses, its condition and the times at which time alone changes them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from contracts.identity import branch_of
from rules.condition import IDLE, ConditionState, Outcome, Phase, deadline_ms, elapse, judge
from rules.kinds.absence import AbsenceCheck, AbsenceClause
from rules.kinds.clause import Check
from rules.opening_hours import OpeningHours
from rules.rule import Rule
from rules.verdict import NOTHING, Memory, Truth, Verdict, any_of

UNSEEN = -1
"""Series number of a path that was never reported."""


class View(Protocol):
    """What an instance sees of the readings at the moment it is looked at."""

    def value(self, series: int) -> float:
        """Newest value, NaN where there is none."""
        ...

    def seen_ms(self, series: int, by_ms: int) -> int:
        """Time of the newest reading, 0 where there is none; exact where silence by ``by_ms`` could matter."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """Which condition: a rule on a part of a device."""

    rule_id: str
    device_id: str
    part: str


@dataclass(frozen=True, slots=True)
class Change:
    """A fault to raise or to clear.

    Attributes:
        rule: its rule.
        key: its condition.
        outcome: what happened, one that raises or clears.
        observed_at_ms: when, by observation time, the delay included.
        trigger_at_ms: observation time of the reading that decided it, ``None`` where a timer did.
    """

    rule: Rule
    key: Key
    outcome: Outcome
    observed_at_ms: int
    trigger_at_ms: int | None

    @property
    def branch_id(self) -> str:
        return branch_of(self.key.device_id)

    @property
    def component(self) -> str:
        return self.rule.component_of(self.key.part)


@dataclass(slots=True)
class BoundClause:
    """A clause of the rule bound to the series of one part, in the order of the clause's paths, or of all parts."""

    check: Check
    series: list[int]

    def values(self, view: View) -> Sequence[float]:
        return [math.nan if series == UNSEEN else view.value(series) for series in self.series]


@dataclass(slots=True, eq=False)
class Instance:
    """A condition in memory, compared by identity.

    Attributes:
        rule: its rule.
        key: which condition of it.
        hours: when its verdict counts, ``None`` for always.
        clauses: the clauses that can say something, by their index in the rule.
        memories: what they remember, by the same index.
        state: the delay's state.
        at_ms: observation time up to which it was judged.
        outcome: what happened last.
        armed_ms: the deadline somebody waits for on its behalf, ``None`` for none.
        expected: whether the inventory has the device, so that its silence counts.
    """

    rule: Rule
    key: Key
    hours: OpeningHours | None
    clauses: dict[int, BoundClause] = field(default_factory=dict)
    memories: dict[int, Memory] = field(default_factory=dict)
    state: ConditionState = IDLE
    at_ms: int = 0
    outcome: Outcome = Outcome.UNCHANGED
    armed_ms: int | None = None
    expected: bool = True

    def memory(self, index: int) -> Memory:
        return self.memories.get(index, NOTHING)

    @property
    def is_trivial(self) -> bool:
        """Whether the newest readings alone tell everything about it."""
        return self.state.phase is Phase.IDLE and all(memory.is_trivial for memory in self.memories.values())

    def read(self, indexes: Iterable[int], at_ms: int, view: View) -> tuple[bool, list[Change]]:
        """Take a reading of a series that some clauses watch.

        A reading that changes no memory has no effect at all, whoever happened to look at it.

        Args:
            indexes: the clauses.
            at_ms: observation time.
            view: already shows the reading's value, and the time of the reading before it.

        Returns:
            Whether anything changed, and the faults to raise and to clear in order.
        """
        moved = any(self._would_change(index, at_ms, view) for index in indexes)
        if not moved:
            return False, []
        at_ms = max(at_ms, self.at_ms)
        changes = self._advance(at_ms, view)
        for index in indexes:
            bound = self.clauses[index]
            self.memories[index] = bound.check.read(self.memory(index), bound.values(view), at_ms)
        changes += self._judge(at_ms, at_ms)
        return True, changes

    def _would_change(self, index: int, at_ms: int, view: View) -> bool:
        bound, memory = self.clauses[index], self.memory(index)
        after = bound.check.read(memory, bound.values(view), at_ms)
        if after is not memory and after != memory:
            return True
        if not isinstance(bound.check, AbsenceCheck):
            return False
        due_ms = self._clause_deadline_ms(index, at_ms, view)
        return due_ms is not None and due_ms <= at_ms

    def prime(self, index: int, at_ms: int, view: View) -> list[Change]:
        """Take the newest reading of a clause that nothing is remembered of.

        Only one that meets the condition is judged: any other tells nothing that was not known when the state was stored,
        and must not move the time of what was.
        """
        bound = self.clauses[index]
        self.memories[index] = memory = bound.check.read(self.memory(index), bound.values(view), at_ms)
        return self._judge(max(at_ms, self.at_ms), None) if memory.verdict is Verdict.TRUE else []

    def judge_anew(self, view: View) -> list[Change]:
        """Judge an active condition whose rule was changed, after :meth:`prime`: nothing else might ever end it."""
        seen_ms = [view.seen_ms(bound.series[0], 0) for bound in self.clauses.values() if bound.series[0] != UNSEEN]
        at_ms = max([self.at_ms, *seen_ms])
        if not self.clauses and not any(isinstance(clause, AbsenceClause) for clause in self.rule.when):
            return self.forget(Outcome.UNCOVERED, at_ms)
        return self._judge(at_ms, None)

    def tick(self, now_ms: int, view: View) -> tuple[bool, list[Change]]:
        """Let time pass: end what is due by ``now_ms``."""
        due_ms = self.deadline_ms(now_ms, view)
        if due_ms is None or due_ms > now_ms:
            return False, []
        return True, self._advance(now_ms, view)

    def expect(self, index: int, now_ms: int) -> None:
        """Begin to wait for a signal that the inventory says is there."""
        self.memories[index] = Memory(self.memory(index).verdict, now_ms)

    def forget(self, outcome: Outcome, now_ms: int) -> list[Change]:
        """Drop everything: nothing will be seen any more. An active fault clears, because nobody could clear it later.

        What is dropped is remembered as such: the newest readings are still known and must not bring it back.
        """
        was_active = self.state.phase in {Phase.ACTIVE, Phase.FALLING}
        self.memories = dict.fromkeys(self.clauses, Memory(Verdict.FORGOTTEN))
        self.state, self.outcome, self.expected = IDLE, outcome, False
        return [Change(self.rule, self.key, outcome, max(now_ms, self.at_ms), None)] if was_active else []

    def deadline_ms(self, by_ms: int, view: View) -> int | None:
        """When time alone will change something, ``None`` for never."""
        due = [self._clause_deadline_ms(index, by_ms, view) for index in self.clauses]
        due.append(deadline_ms(self.state, self.rule.delays))
        due.append(self._boundary_ms())
        return min((moment for moment in due if moment is not None), default=None)

    def _clause_deadline_ms(self, index: int, by_ms: int, view: View) -> int | None:
        bound = self.clauses[index]
        if isinstance(bound.check, AbsenceCheck) and not self.expected:
            return None
        series = bound.series[0]
        seen_ms = 0 if series == UNSEEN else view.seen_ms(series, by_ms)
        return bound.check.deadline_ms(self.memory(index), seen_ms)

    def _boundary_ms(self) -> int | None:
        """Next opening or closing time, where the rule asks for it and there is something to withhold."""
        if self.hours is None or self.at_ms == 0:
            return None
        if any_of(memory.verdict for memory in self.memories.values()) is Truth.UNKNOWN:
            return None
        return self.hours.next_change_ms(self.at_ms)

    def _advance(self, to_ms: int, view: View) -> list[Change]:
        """End every timer due by ``to_ms``, in the order of their deadlines; at the same time the rule's delay first."""
        changes: list[Change] = []
        while True:
            delay_ms = deadline_ms(self.state, self.rule.delays)
            boundary_ms = self._boundary_ms()
            clauses = {index: self._clause_deadline_ms(index, to_ms, view) for index in self.clauses}
            due = [moment for moment in (delay_ms, boundary_ms, *clauses.values()) if moment is not None]
            moment = min(due, default=to_ms + 1)
            if moment > to_ms:
                self.at_ms = max(self.at_ms, to_ms)
                return changes
            self.at_ms = max(self.at_ms, moment)
            if moment == delay_ms:
                self.state, outcome = elapse(self.state, self.rule.delays)
                changes += self._note(outcome, moment, None)
                continue
            for index, clause_ms in clauses.items():
                if clause_ms == moment:
                    self.memories[index] = self.clauses[index].check.elapse(self.memory(index))
            changes += self._judge(self.at_ms, None)

    def _judge(self, at_ms: int, trigger_at_ms: int | None) -> list[Change]:
        self.at_ms = max(self.at_ms, at_ms)
        truth = any_of(memory.verdict for memory in self.memories.values())
        if self.hours is not None and not self.hours.is_open(at_ms):
            truth = Truth.UNKNOWN
        self.state, outcome = judge(self.state, truth, at_ms, self.rule.delays)
        return self._note(outcome, at_ms, trigger_at_ms)

    def _note(self, outcome: Outcome, at_ms: int, trigger_at_ms: int | None) -> list[Change]:
        if outcome is not Outcome.UNCHANGED:
            self.outcome = outcome
        if outcome.raises or outcome.clears:
            return [Change(self.rule, self.key, outcome, at_ms, trigger_at_ms)]
        return []
