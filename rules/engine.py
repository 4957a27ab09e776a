"""The rule engine: whole batches in, faults to raise and to clear out.

State is a function of the readings in order of arrival and of the times that passed; how the readings are cut into batches,
or that some come twice, makes no difference. Late readings (not newer than one already taken of their series) and
back-filled ones are not judged: history raises nothing.
"""

import heapq
import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from contracts.devices import KINDS
from contracts.readings import EventReading, ReadingBatch, SeriesInfo
from rules.columns import Columns, Sifted
from rules.condition import ConditionState, Outcome, Phase
from rules.index import RuleIndex, Use
from rules.instance import UNSEEN, BoundClause, Change, Instance, Key
from rules.kinds.absence import AbsenceCheck, AbsenceClause
from rules.kinds.every import EveryClause
from rules.opening_hours import OpeningHours
from rules.pattern import PathPattern
from rules.ports import Device
from rules.rule import Rule
from rules.verdict import Memory, Verdict


class Engine:
    """Evaluates rules. Not safe for concurrent use; whoever owns it calls one method at a time."""

    def __init__(self, rules: Sequence[Rule], hours: OpeningHours) -> None:
        self.dirty: Final[set[Instance]] = set()
        """Conditions whose stored state is out of date; whoever stores them clears it."""
        self._rules = {rule.id: rule for rule in rules}
        self._hours = hours
        self._index = RuleIndex(rules)
        self._expecting = [
            (rule, index, clause)
            for rule in rules
            for index, clause in enumerate(rule.when)
            if isinstance(clause, AbsenceClause)
        ]
        self._columns = Columns()
        self._instances: dict[Key, Instance] = {}
        self._watchers: dict[int, list[tuple[Instance, tuple[int, ...]]]] = {}
        self._of_device: dict[str, list[Instance]] = {}
        self._devices: dict[str, str] | None = None
        self._to_judge_anew: list[Instance] = []
        self._timers: list[tuple[int, int, Instance]] = []
        self._order = itertools.count()
        self._sifted: Sifted | None = None
        self._arrival = 0

    # -- what an instance sees (rules.instance.View) -----------------------------------------------------------------

    def value(self, series: int) -> float:
        return float(self._columns.value[series])

    def seen_ms(self, series: int, by_ms: int) -> int:
        seen = int(self._columns.seen_ms[series])
        if self._sifted is not None and seen + int(self._columns.silence_ms[series]) <= by_ms:
            # The columns still show the time before the batch: look for a reading that arrived earlier in it.
            seen = max(seen, self._sifted.seen_ms(series, self._arrival))
        return seen

    # -- input -------------------------------------------------------------------------------------------------------

    def register(self, series: Sequence[SeriesInfo]) -> None:
        """Learn new series.

        Args:
            series: all series known so far; the index is the series number.
        """
        known = self._columns.size
        if len(series) <= known:
            return
        self._columns.grow(len(series))
        for number in range(known, len(series)):
            info = series[number]
            uses = self._index.uses(info.kind, info.path)
            if uses:
                self._watch(info, uses)

    def take(self, batch: ReadingBatch, series: Sequence[SeriesInfo]) -> list[Change]:
        """Evaluate a batch.

        Args:
            batch: readings in arrival order; its events come after them.
            series: all series known so far; the index is the series number.

        Returns:
            Faults to raise and to clear, in order of arrival of what decided them.
        """
        self.register(series)
        changes = self._take_readings(batch) if len(batch) else []
        if batch.events:
            changes += self._take_events(batch.events)
        return changes

    def _take_readings(self, batch: ReadingBatch) -> list[Change]:
        sifted = self._columns.sift(batch)
        changes: list[Change] = []
        moved: dict[Instance, None] = {}
        self._sifted = sifted
        loud = sifted.loud
        for number, at_ms, value, arrival in zip(
            sifted.series[loud].tolist(),
            sifted.observed_at_ms[loud].tolist(),
            sifted.value[loud].tolist(),
            sifted.arrival[loud].tolist(),
            strict=True,
        ):
            self._columns.value[number] = value
            self._arrival = arrival
            for instance, clauses in self._watchers[number]:
                changed, more = instance.read(clauses, at_ms, self)
                changes += more
                if changed:
                    moved[instance] = None
        self._sifted = None
        self._columns.settle(sifted)
        self.dirty.update(moved)
        for instance in moved:
            self._awaken(instance)
        return changes

    def _take_events(self, events: Sequence[EventReading]) -> list[Change]:
        changes: list[Change] = []
        seen_ms = self._columns.seen_ms
        for event in events:
            watchers = self._watchers.get(event.series)
            if watchers is None or not event.live or event.observed_at_ms <= seen_ms[event.series]:
                continue
            seen_ms[event.series] = event.observed_at_ms
            for instance, clauses in watchers:
                changed, more = instance.read(clauses, event.observed_at_ms, self)
                changes += more
                if changed:
                    self.dirty.add(instance)
                    self._awaken(instance)
        return changes

    def tick(self, now_ms: int) -> list[Change]:
        """Let time pass.

        Args:
            now_ms: observation time up to which no more readings are expected, milliseconds since 1970 UTC.
        """
        changes: list[Change] = []
        timers = self._timers
        while timers and timers[0][0] <= now_ms:
            due_ms, _, instance = heapq.heappop(timers)
            if instance.armed_ms != due_ms:
                continue  # armed again for an earlier time
            instance.armed_ms = None
            changed, more = instance.tick(now_ms, self)
            changes += more
            if changed:
                self.dirty.add(instance)
                self._awaken(instance)
            else:
                self._arm(instance)
        return changes

    def set_devices(self, devices: Iterable[Device], now_ms: int) -> list[Change]:
        """Learn the whole inventory: what is new is expected to report, what is gone is forgotten.

        A device that became another kind is gone and new.
        """
        present = {device.device_id: device.kind for device in devices}
        before = self._devices
        changes: list[Change] = []
        for device_id in sorted(self._of_device if before is None else before):
            for instance in self._of_device.get(device_id, ()):
                outcome = _gone(instance, present.get(device_id), None if before is None else before[device_id])
                if outcome is not None:
                    changes += instance.forget(outcome, now_ms)
                    self.dirty.add(instance)
                    self._awaken(instance)
        for device_id, kind in present.items():
            if before is None or before.get(device_id) != kind:
                for rule, index, clause in self._expecting:
                    if kind in rule.kinds:
                        self._expect(rule, index, clause, device_id, kind, now_ms)
        self._devices = present
        return changes

    # -- restart -----------------------------------------------------------------------------------------------------

    def resume(self, key: Key, state: ConditionState, at_ms: int, memories: dict[int, Memory] | None) -> bool:
        """Put back a stored condition, before :meth:`prime`.

        Args:
            key: which.
            state: its delay's state.
            at_ms: observation time it was judged up to.
            memories: of its clauses, ``None`` where they belong to an older form of the rule.

        Returns:
            Whether the rule still exists.
        """
        rule = self._rules.get(key.rule_id)
        if rule is None:
            return False
        instance = self._instance(rule, key.device_id, key.part)
        instance.at_ms = at_ms
        if memories is not None:
            instance.state, instance.memories = state, memories
        elif state.phase in {Phase.ACTIVE, Phase.FALLING}:
            instance.state = ConditionState(Phase.ACTIVE, state.since_ms)
            self._to_judge_anew.append(instance)
        return True

    def prime(self, latest: ReadingBatch, series: Sequence[SeriesInfo]) -> list[Change]:
        """Learn the newest reading of each series; judge those of which :meth:`resume` put back nothing."""
        self.register(series)
        live = latest.live & self._columns.watched[latest.series]
        numbers, times = latest.series[live], latest.observed_at_ms[live]
        self._columns.value[numbers] = latest.value[live]
        self._columns.seen_ms[numbers] = times
        changes: list[Change] = []
        for place in np.argsort(times, kind="stable").tolist():
            for instance, clauses in self._watchers[int(numbers[place])]:
                for index in clauses:
                    if index not in instance.memories:
                        changes += instance.prime(index, int(times[place]), self)
                        if not instance.is_trivial:
                            self.dirty.add(instance)
        for instance in self._to_judge_anew:
            changes += instance.judge_anew(self)
            self.dirty.add(instance)
        self._to_judge_anew.clear()
        for number in self._watchers:
            self._refresh(number)
        for instance in self._instances.values():
            self._arm(instance)
        return changes

    def conditions(self) -> Iterable[Instance]:
        """All conditions that have been looked at."""
        return self._instances.values()

    def condition(self, key: Key) -> Instance | None:
        """One condition."""
        return self._instances.get(key)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _instance(self, rule: Rule, device_id: str, part: str) -> Instance:
        key = Key(rule.id, device_id, part)
        instance = self._instances.get(key)
        if instance is None:
            hours = self._hours.later(rule.after_opening_s) if rule.opening_hours else None
            instance = self._instances[key] = Instance(rule, key, hours)
            self._of_device.setdefault(device_id, []).append(instance)
        return instance

    def _watch(self, info: SeriesInfo, uses: Sequence[Use]) -> None:
        watchers: dict[Instance, list[int]] = {}
        for use in uses:
            instance = self._instance(use.rule, info.device_id, use.part)
            clause = use.rule.when[use.clause]
            bound = instance.clauses.get(use.clause)
            if bound is None:
                bound = BoundClause(clause.check(info.signal), [UNSEEN] * len(clause.paths))
                if isinstance(clause, EveryClause):
                    bound.series.clear()
                instance.clauses[use.clause] = bound
            elif use.path == 0:
                bound.check = clause.check(info.signal)
            if isinstance(clause, EveryClause):
                bound.series.append(info.series)
            else:
                bound.series[use.path] = info.series
            watchers.setdefault(instance, []).append(use.clause)
            if isinstance(bound.check, AbsenceCheck):
                silence = self._columns.silence_ms
                silence[info.series] = min(silence[info.series], bound.check.silent_ms)
        self._columns.watched[info.series] = True
        self._watchers[info.series] = [(instance, tuple(clauses)) for instance, clauses in watchers.items()]

    def _expect(self, rule: Rule, index: int, clause: AbsenceClause, device_id: str, kind: str, now_ms: int) -> None:
        """Wait for a signal of a device that is new in the inventory."""
        signal = KINDS[kind].signal(clause.absent)
        if signal is None:
            return
        instance = self._instance(rule, device_id, rule.part_of(PathPattern(clause.absent), clause.absent) or "")
        bound = instance.clauses.setdefault(index, BoundClause(clause.check(signal), [UNSEEN]))
        series = bound.series[0]
        seen_ms = 0 if series == UNSEEN else int(self._columns.seen_ms[series])
        memory = instance.memory(index)
        is_back = not instance.expected
        instance.expected = True
        if (seen_ms == 0 or is_back) and memory.since_ms == 0 and memory.verdict is not Verdict.TRUE:
            instance.expect(index, now_ms)
            self.dirty.add(instance)
        self._arm(instance)

    def _refresh(self, series: int) -> None:
        """Bring the sieve up to date for a series."""
        low, high = -np.inf, np.inf
        awake = False
        for instance, clauses in self._watchers[series]:
            for index in clauses:
                bound, memory = instance.clauses[index], instance.memory(index)
                own = bound.series[0] == series
                quiet = (bound.check.quiet(memory) if own else None) or (np.inf, -np.inf)
                low, high = max(low, quiet[0]), min(high, quiet[1])
                silent = isinstance(bound.check, AbsenceCheck) and memory.verdict is Verdict.TRUE
                awake |= own and (silent or memory.verdict is Verdict.FORGOTTEN)
        self._columns.quiet_low[series], self._columns.quiet_high[series] = low, high
        self._columns.awake[series] = awake

    def _awaken(self, instance: Instance) -> None:
        """Bring the sieve up to date for every series of a condition that changed, and its timer."""
        for bound in instance.clauses.values():
            for series in bound.series:
                if series != UNSEEN:
                    self._refresh(series)
        self._arm(instance)

    def _arm(self, instance: Instance) -> None:
        due_ms = instance.deadline_ms(0, self)
        if due_ms is not None and (instance.armed_ms is None or due_ms < instance.armed_ms):
            instance.armed_ms = due_ms
            heapq.heappush(self._timers, (due_ms, next(self._order), instance))


def _gone(instance: Instance, kind: str | None, before: str | None) -> Outcome | None:
    """Why a condition has lost its device, ``None`` where it has not.

    Args:
        instance: the condition.
        kind: kind of its device now, ``None`` where the inventory has it no more.
        before: kind by the inventory before, ``None`` where that is not known.
    """
    if kind is None:
        return Outcome.FORGOTTEN
    if before not in {None, kind} or kind not in instance.rule.kinds:
        return Outcome.REPLACED
    return None
