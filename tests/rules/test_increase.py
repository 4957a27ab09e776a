"""Counters that grow too much: the kind ``increase`` against a naive model, and over restarts."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.faults import Severity
from rules.cases import HOURS
from rules.engine import Engine
from rules.instance import Key
from rules.kinds.increase import IncreaseClause
from rules.rule import Rule, Text
from rules.verdict import NOTHING, Memory, Verdict
from tests.rules.site import BEGIN_MS, MemoryHistory, Row, Site, batch_of

PANEL = "BR1/alarm-01"
SITE = Site((PANEL, "alarm_panel", ["zone1/alarms", "zone2/alarms", "panel/wrong_codes"]))
WITHIN_S = 60
TEXT = Text(name="Counter grew", cause="a", consequence="b", action="c")


def rule_of(at_least: float, path: str = "zone*/alarms") -> Rule:
    return Rule(
        id="alm.growing",
        kinds=("alarm_panel",),
        when=(IncreaseClause(increase=path, at_least=at_least, within_s=WITHIN_S),),
        severity=Severity.MINOR,
        family="nuisance",
        component="zone",
        respond_s=0,
        en=TEXT,
        zh=TEXT,
    )


def growth_within(samples: Sequence[tuple[int, float]], at_ms: int, told_by_ms: int) -> float:
    """The naive model: what a counter grew in the window that ends at ``at_ms``, as told by then; a fall counts from 0."""
    total = 0.0
    for (_, before), (then_ms, value) in itertools.pairwise(samples):
        if at_ms - WITHIN_S * 1000 < then_ms <= told_by_ms:
            total += value - before if value >= before else value
    return total


def faults_of_the_model(samples: Sequence[tuple[int, float]], at_least: float, end_ms: int) -> list[tuple[bool, int]]:
    """Every raise and clear. What leaves the window leaves it before a reading of the same moment tells more."""
    moments = {at_ms for at_ms, _ in samples} | {at_ms + WITHIN_S * 1000 for at_ms, _ in samples}
    told: list[tuple[bool, int]] = []
    active = False
    for at_ms in sorted(moment for moment in moments if moment <= end_ms):
        for told_by_ms in (at_ms - 1, at_ms):
            if (growth_within(samples, at_ms, told_by_ms) >= at_least) != active:
                active = not active
                told.append((active, at_ms))
    return told


steps_ms = st.sampled_from([1, 1_000, 10_000, 29_999, 30_000, 59_999, 60_000, 60_001, 300_000])
counts = st.integers(0, 6).map(float)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, float]]:
    """A counter that grows, stands still and begins again."""
    at_ms, value = BEGIN_MS, float(draw(st.integers(0, 1000)))
    samples = [(at_ms, value)]
    for _ in range(draw(st.integers(0, 40))):
        at_ms += draw(steps_ms)
        value = draw(counts) if draw(st.integers(0, 5)) == 0 else value + draw(counts)
        samples.append((at_ms, value))
    return samples


@settings(max_examples=400, deadline=None)
@given(histories(), st.integers(1, 8))
def test_the_faults_are_those_of_a_naive_model(samples: list[tuple[int, float]], at_least: int) -> None:
    engine = Engine([rule_of(at_least)], HOURS)
    engine.set_devices(SITE.devices, BEGIN_MS)
    end_ms = samples[-1][0] + 1_000_000
    changes = engine.take(batch_of([Row(0, at_ms, value) for at_ms, value in samples]), SITE.series)
    changes += engine.tick(end_ms)
    assert {change.key.part for change in changes} <= {"zone1"}
    told = [(change.outcome.raises, change.observed_at_ms) for change in changes]
    assert told == faults_of_the_model(samples, at_least, end_ms)


@settings(max_examples=200, deadline=None)
@given(histories(), histories(), st.integers(1, 8), st.lists(st.integers(1, 10), max_size=5))
def test_each_part_has_a_fault_of_its_own_over_any_restart(
    first: list[tuple[int, float]], second: list[tuple[int, float]], at_least: int, sizes: list[int]
) -> None:
    async def run() -> None:
        rule = rule_of(at_least)
        rows = sorted([Row(0, *sample) for sample in first] + [Row(1, *sample) for sample in second], key=_time)
        end_ms = rows[-1].at_ms + 1_000_000
        history = MemoryHistory()
        engine = Engine([rule], HOURS)
        changes = []
        left = rows
        for size in [*sizes, len(rows)]:
            part, left = left[:size], left[size:]
            await history.commit(part)
            changes += engine.take(batch_of(part), SITE.series)
            stored = [condition for condition in engine.conditions() if not condition.is_trivial]
            engine = Engine([rule], HOURS)
            for old in stored:
                engine.resume(old.key, old.state, old.at_ms, dict(old.memories))
            assert engine.prime(await history.newest_live(history.position), SITE.series) == []
        changes += engine.tick(end_ms)
        for part_name, samples in (("zone1", first), ("zone2", second)):
            told = [
                (change.outcome.raises, change.observed_at_ms)
                for change in changes
                if change.key == Key(rule.id, PANEL, part_name)
            ]
            assert told == faults_of_the_model(samples, at_least, end_ms)

    asyncio.run(run())


def _time(row: Row) -> int:
    return row.at_ms


@given(st.lists(st.tuples(st.integers(1, 100_000), st.floats(0, 1e6, allow_nan=False)), max_size=200))
def test_what_is_remembered_never_grows_beyond_the_limit(samples: list[tuple[int, float]]) -> None:
    check = IncreaseClause(increase="zone*/alarms", at_least=5, within_s=WITHIN_S).check(SITE.series[0].signal)
    memory, at_ms = NOTHING, BEGIN_MS
    for step_ms, value in samples:
        at_ms += step_ms
        memory = check.read(memory, [value], at_ms)
        assert len(memory.grown) <= 5


def test_a_counter_that_creeps_in_fractions_is_added_up() -> None:
    check = IncreaseClause(increase="zone*/alarms", at_least=5, within_s=WITHIN_S).check(SITE.series[0].signal)
    memory = check.read(NOTHING, [0.0], BEGIN_MS)
    verdicts = []
    for step in range(1, 60):
        memory = check.read(memory, [step / 10], BEGIN_MS + step * 100)
        verdicts.append(memory.verdict)
    assert verdicts.index(Verdict.TRUE) == 49
    assert len(memory.grown) <= 5


def test_the_first_reading_and_a_repeated_one_tell_of_no_growth() -> None:
    check = IncreaseClause(increase="zone*/alarms", at_least=1, within_s=WITHIN_S).check(SITE.series[0].signal)
    first = check.read(NOTHING, [700.0], BEGIN_MS)
    assert first == Memory(Verdict.FALSE, level=700.0)
    assert check.read(first, [700.0], BEGIN_MS + 5000) is first
    assert first.is_trivial


def test_a_device_that_left_and_came_back_begins_anew() -> None:
    engine = Engine([rule_of(3)], HOURS)
    engine.set_devices(SITE.devices, BEGIN_MS)
    raised = engine.take(batch_of([Row(0, BEGIN_MS, 1.0), Row(0, BEGIN_MS + 1000, 9.0)]), SITE.series)
    assert [change.outcome.raises for change in raised] == [True]
    assert [change.outcome.raises for change in engine.set_devices([], BEGIN_MS + 2000)] == [False]
    engine.set_devices(SITE.devices, BEGIN_MS + 3000)
    assert engine.take(batch_of([Row(0, BEGIN_MS + 4000, 90.0)]), SITE.series) == []
    again = engine.take(batch_of([Row(0, BEGIN_MS + 5000, 93.0)]), SITE.series)
    assert [change.outcome.raises for change in again] == [True]


def test_back_fill_tells_of_no_growth() -> None:
    engine = Engine([rule_of(3)], HOURS)
    engine.set_devices(SITE.devices, BEGIN_MS)
    rows = [Row(0, BEGIN_MS, 1.0), Row(0, BEGIN_MS + 1000, 9.0, live=False), Row(0, BEGIN_MS + 2000, 3.0)]
    assert engine.take(batch_of(rows), SITE.series) == []


@pytest.mark.parametrize("at_least", [0, 0.5, 1001])
def test_a_limit_below_one_or_beyond_what_is_remembered_is_refused(at_least: float) -> None:
    with pytest.raises(ValueError, match="at_least"):
        IncreaseClause(increase="zone*/alarms", at_least=at_least, within_s=WITHIN_S)
