"""Verdicts, clauses and delays as pure functions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import KINDS
from rules.condition import IDLE, ConditionState, Delays, Outcome, Phase, deadline_ms, elapse, judge
from rules.kinds.every import EveryClause
from rules.kinds.state import StateClause
from rules.kinds.threshold import PercentBand, SignalLimit, ThresholdClause
from rules.pattern import PathPattern
from rules.verdict import MET, NOT_MET, NOTHING, Memory, Truth, Verdict, any_of

DELAYS = Delays(30_000, 60_000)
AT = 1_000_000


@pytest.mark.parametrize(
    ("phase", "truth", "after", "outcome"),
    [
        (Phase.IDLE, Truth.MET, Phase.RISING, Outcome.ON_DELAY_STARTED),
        (Phase.IDLE, Truth.NOT_MET, Phase.IDLE, Outcome.UNCHANGED),
        (Phase.IDLE, Truth.UNKNOWN, Phase.IDLE, Outcome.UNCHANGED),
        (Phase.RISING, Truth.MET, Phase.RISING, Outcome.UNCHANGED),
        (Phase.RISING, Truth.NOT_MET, Phase.IDLE, Outcome.ON_DELAY_BROKEN),
        (Phase.RISING, Truth.UNKNOWN, Phase.IDLE, Outcome.WITHHELD),
        (Phase.ACTIVE, Truth.MET, Phase.ACTIVE, Outcome.UNCHANGED),
        (Phase.ACTIVE, Truth.NOT_MET, Phase.FALLING, Outcome.OFF_DELAY_STARTED),
        (Phase.ACTIVE, Truth.UNKNOWN, Phase.ACTIVE, Outcome.WITHHELD),
        (Phase.FALLING, Truth.MET, Phase.ACTIVE, Outcome.OFF_DELAY_BROKEN),
        (Phase.FALLING, Truth.NOT_MET, Phase.FALLING, Outcome.UNCHANGED),
        (Phase.FALLING, Truth.UNKNOWN, Phase.ACTIVE, Outcome.WITHHELD),
    ],
)
def test_every_phase_answers_every_verdict(phase: Phase, truth: Truth, after: Phase, outcome: Outcome) -> None:
    state = IDLE if phase is Phase.IDLE else ConditionState(phase, AT)
    moved, reason = judge(state, truth, AT + 5_000, DELAYS)
    assert (moved.phase, reason) == (after, outcome)


def test_without_delays_a_verdict_acts_at_once() -> None:
    raised, reason = judge(IDLE, Truth.MET, AT, Delays())
    assert (raised, reason) == (ConditionState(Phase.ACTIVE, AT), Outcome.RAISED)
    assert judge(raised, Truth.NOT_MET, AT, Delays()) == (IDLE, Outcome.CLEARED)


def test_a_delay_ends_at_its_deadline_however_late_it_is_noticed() -> None:
    rising, _ = judge(IDLE, Truth.MET, AT, DELAYS)
    assert deadline_ms(rising, DELAYS) == AT + 30_000
    assert elapse(rising, DELAYS) == (ConditionState(Phase.ACTIVE, AT + 30_000), Outcome.RAISED_AFTER_DELAY)
    falling = ConditionState(Phase.FALLING, AT)
    assert elapse(falling, DELAYS) == (IDLE, Outcome.CLEARED_AFTER_DELAY)
    assert deadline_ms(falling, DELAYS) == AT + 60_000
    assert elapse(IDLE, DELAYS) == (IDLE, Outcome.UNCHANGED)


@given(st.lists(st.sampled_from([Truth.NOT_MET, Truth.UNKNOWN])), st.sampled_from(list(Phase)))
def test_without_a_met_verdict_nothing_is_ever_raised(truths: list[Truth], phase: Phase) -> None:
    state = ConditionState(Phase.IDLE if phase is Phase.RISING else phase, AT)
    for truth in truths:
        state, outcome = judge(state, truth, AT, Delays())
        assert not outcome.raises


@given(st.lists(st.sampled_from([Truth.MET, Truth.UNKNOWN])))
def test_without_a_verdict_that_it_is_gone_nothing_is_ever_cleared(truths: list[Truth]) -> None:
    state = ConditionState(Phase.ACTIVE, AT)
    for truth in truths:
        state, outcome = judge(state, truth, AT, Delays())
        assert not outcome.clears
        assert state.phase is Phase.ACTIVE


@pytest.mark.parametrize(
    ("verdicts", "truth"),
    [
        ([], Truth.UNKNOWN),
        ([Verdict.NONE], Truth.UNKNOWN),
        ([Verdict.NONE, Verdict.FALSE], Truth.NOT_MET),
        ([Verdict.LOST, Verdict.FALSE], Truth.UNKNOWN),
        ([Verdict.LOST, Verdict.TRUE], Truth.MET),
        ([Verdict.FALSE, Verdict.TRUE], Truth.MET),
    ],
)
def test_one_clause_is_enough_and_a_lost_one_holds(verdicts: list[Verdict], truth: Truth) -> None:
    assert any_of(verdicts) is truth


def test_an_unknown_state_is_no_verdict() -> None:
    signal = KINDS["atm"].signal("cdm/transport")
    assert signal is not None
    check = StateClause(state="cdm/transport", words=("inoperative",)).check(signal)
    ok, bad, unknown = (float(signal.ordinal(word) or 0) for word in ("ok", "inoperative", "unknown"))
    assert check.read(NOTHING, [unknown], AT) == NOTHING
    assert check.read(Memory(Verdict.FALSE), [unknown], AT) == NOTHING
    lost = check.read(Memory(Verdict.TRUE), [unknown], AT)
    assert lost.verdict is Verdict.LOST
    assert check.read(lost, [bad], AT).verdict is Verdict.TRUE
    assert check.read(lost, [ok], AT).verdict is Verdict.FALSE


def test_a_held_state_counts_from_its_first_reading() -> None:
    signal = KINDS["gateway"].signal("uplink/state")
    assert signal is not None
    check = StateClause(state="uplink/state", words=("disconnected",), held_s=90).check(signal)
    down, unknown = float(signal.ordinal("disconnected") or 0), float(signal.ordinal("unknown") or 0)
    first = check.read(NOTHING, [down], AT)
    assert first == Memory(Verdict.FALSE, AT)
    assert check.read(first, [down], AT + 60_000) == first
    assert check.deadline_ms(first, 0) == AT + 90_000
    assert check.read(first, [unknown], AT + 60_000) == NOTHING


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e3), st.booleans())
def test_the_deadband_applies_to_clearing_only(value: float, limit: float, band: float, above: bool) -> None:
    clause = ThresholdClause(threshold="clock/skew", deadband=band, **{"above" if above else "below": limit})
    check = clause.check(KINDS["atm"].signals[0])
    beyond = value > limit if above else value < limit
    assert (check.read(Memory(Verdict.FALSE), [value], AT).verdict is Verdict.TRUE) == beyond
    back = (limit - value if above else value - limit) >= band
    assert (check.read(Memory(Verdict.TRUE), [value], AT).verdict is Verdict.FALSE) == (not beyond and back)


@given(st.floats(-200, 200), st.sampled_from([Verdict.TRUE, Verdict.FALSE]), st.booleans(), st.booleans())
def test_quiet_values_change_no_verdict(value: float, verdict: Verdict, above: bool, absolute: bool) -> None:
    clause = ThresholdClause(
        threshold="clock/skew", absolute=absolute, deadband=10.0, **{"above" if above else "below": 60.0}
    )
    check = clause.check(KINDS["atm"].signals[0])
    quiet = check.quiet(Memory(verdict))
    if quiet is not None and quiet[0] <= value <= quiet[1]:
        assert check.read(Memory(verdict), [value], AT) == Memory(verdict)


def test_a_limit_that_nobody_reported_gives_no_verdict() -> None:
    clause = ThresholdClause(
        threshold="cdm/unit*/count",
        below=SignalLimit(signal="cdm/unit*/low_threshold"),
        deadband=PercentBand(percent=2, of="cdm/unit*/initial"),
    )
    check = clause.check(KINDS["atm"].signals[0])
    assert clause.paths == ("cdm/unit*/count", "cdm/unit*/low_threshold", "cdm/unit*/initial")
    assert check.read(NOTHING, [1.0, math.nan, 2000.0], AT) == NOTHING
    assert check.read(NOTHING, [1.0, 300.0, math.nan], AT).verdict is Verdict.TRUE
    assert check.read(Memory(Verdict.TRUE), [339.0, 300.0, 2000.0], AT).verdict is Verdict.TRUE
    assert check.read(Memory(Verdict.TRUE), [340.0, 300.0, 2000.0], AT).verdict is Verdict.FALSE


def test_every_part_must_have_the_word_and_unknown_ones_withhold() -> None:
    signal = KINDS["atm"].signal("cdm/unit1/replenishment")
    assert signal is not None
    check = EveryClause(every="cdm/unit*/replenishment", words=("empty",)).check(signal)
    ok, empty, unknown = (float(signal.ordinal(word) or 0) for word in ("ok", "empty", "unknown"))
    assert check.read(NOTHING, [empty, empty, math.nan], AT) == MET
    assert check.read(NOTHING, [empty, ok], AT) == NOT_MET
    assert check.read(MET, [empty, unknown], AT).verdict is Verdict.LOST
    assert check.read(NOT_MET, [empty, unknown], AT) == NOTHING
    assert check.read(MET, [ok, unknown], AT) == NOT_MET


@pytest.mark.parametrize(
    ("pattern", "path", "part"),
    [
        ("cdm/unit*/count", "cdm/unit12/count", "cdm/unit12"),
        ("cdm/unit*/count", "cdm/reject1/count", None),
        ("zone*/alarm", "zone3/alarm", "zone3"),
        ("*/device", "cdm/device", "cdm"),
        ("aux/*_door", "aux/safe_door", "aux/safe_door"),
        ("driver/*/state", "driver/xfs/state", "driver/xfs"),
        ("link/state", "link/state", ""),
        ("link/state", "link/states", None),
    ],
)
def test_a_star_names_the_part(pattern: str, path: str, part: str | None) -> None:
    assert PathPattern(pattern).part_of(path) == part
