"""Cases beside a rule: series in the compact notation, and what the real engine must say at certain times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contracts.devices import KINDS
from contracts.faults import FaultState
from contracts.gateway_messages import KindName
from contracts.readings import EventReading, ReadingBatch, SeriesInfo
from contracts.signals import Signal, Sort
from rules.condition import Outcome
from rules.engine import Engine
from rules.instance import Change, Key
from rules.lifecycle import Transition, move
from rules.notation import Sample, parse_series
from rules.opening_hours import OpeningHours, OpeningHoursSettings
from rules.rule import Rule

BEGIN_MS: Final = round(datetime(2026, 3, 2, 2, 0, tzinfo=UTC).timestamp() * 1000)
"""Time 0 of every case: Monday, 10:00 at the branch (+08:00)."""

HOURS: Final = OpeningHours.of(OpeningHoursSettings(opens="09:00", closes="17:00"), "+08:00")
"""Opening hours in cases."""

_DEVICE: Final = "BR0001/device-01"


class Proves(StrEnum):
    """What a case is there to prove; a rule needs one of each."""

    FIRES = "fires"
    QUIET = "quiet"
    MISSING_DATA = "missing_data"


class StateInCase(StrEnum):
    """State of the fault as a case writes it."""

    NORMAL = "normal"
    ACTIVE = "active"
    LATCHED = "latched"


_STATES: Final = {
    FaultState.UNACKNOWLEDGED: StateInCase.ACTIVE,
    FaultState.LATCHED_UNACKNOWLEDGED: StateInCase.LATCHED,
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expectation(_Model):
    """State of the fault ``at_s`` seconds after the case began, with the reason: the outcome that led to it."""

    at_s: float = Field(ge=0)
    state: StateInCase
    reason: Outcome
    part: str | None = None


def _series(text: str) -> str:
    parse_series(text)
    return text


class Case(_Model):
    """One case of a rule.

    Attributes:
        proves: what for.
        name: the claim, in words.
        kind: device kind, where the rule looks at several.
        begin_s: seconds after :data:`BEGIN_MS` of the first sample, for cases about opening hours.
        every_s: seconds between samples.
        series: samples of each path, the first at time 0; what has ended is silent.
        expect: what must be so, in order of time.
    """

    proves: Proves
    name: str = Field(min_length=1)
    kind: KindName | None = None
    begin_s: float = 0.0
    every_s: float = Field(default=10.0, gt=0)
    series: dict[str, Annotated[str, AfterValidator(_series)]]
    expect: tuple[Expectation, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        times = [expectation.at_s for expectation in self.expect]
        if times != sorted(times):
            raise ValueError(f"expect: at_s {times}: expected ascending times")
        return self


@dataclass(frozen=True, slots=True)
class _Device:
    device_id: str
    kind: str
    branch_id: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met."""

    rule_id: str
    case: str
    text: str

    def __str__(self) -> str:
        return f"rule {self.rule_id}: case {self.case!r}: {self.text}"


def missing_cases(cases: Sequence[Case]) -> list[Proves]:
    """What a rule's cases do not prove."""
    return [wanted for wanted in Proves if all(case.proves is not wanted for case in cases)]


def run_case(rule: Rule, case: Case) -> Iterator[Failure]:
    """Run a case over the real engine and report what is not as expected.

    Raises:
        ValueError: the case names a signal or a word that its device kind has not.
    """
    kind = case.kind or rule.kinds[0]
    begin_ms = BEGIN_MS + round(case.begin_s * 1000)
    engine = Engine([rule], HOURS)
    series = [SeriesInfo(index, _DEVICE, kind, path, _signal(kind, path)) for index, path in enumerate(case.series)]
    states: dict[Key, FaultState] = {}
    _apply(states, engine.set_devices([_Device(_DEVICE, kind, "BR0001")], begin_ms))
    columns = [parse_series(text) for text in case.series.values()]
    feed = [
        (step * case.every_s, info, sample)
        for step in range(max(map(len, columns), default=0))
        for info, samples in zip(series, columns, strict=True)
        if step < len(samples) and (sample := samples[step]) is not None
    ]
    for expectation in case.expect:
        while feed and feed[0][0] <= expectation.at_s:
            at_s, info, sample = feed.pop(0)
            at_ms = begin_ms + round(at_s * 1000)
            _apply(states, engine.tick(at_ms - 1))
            _apply(states, engine.take(_batch(info, at_ms, sample), series))
        _apply(states, engine.tick(begin_ms + round(expectation.at_s * 1000)))
        yield from _compare(rule, case, engine, states, expectation)


def _compare(
    rule: Rule, case: Case, engine: Engine, states: dict[Key, FaultState], expectation: Expectation
) -> Iterator[Failure]:
    parts = [condition.key.part for condition in engine.conditions()]
    if expectation.part is None and len(parts) > 1:
        yield Failure(
            rule.id, case.name, f"at {expectation.at_s:g} s: name the part, one of {', '.join(sorted(parts))}"
        )
        return
    part = expectation.part if expectation.part is not None else (parts[0] if parts else "")
    key = Key(rule.id, _DEVICE, part)
    condition = engine.condition(key)
    state = _STATES.get(states.get(key, FaultState.NORMAL), StateInCase.NORMAL)
    reason = condition.outcome if condition is not None else Outcome.UNCHANGED
    if (state, reason) != (expectation.state, expectation.reason):
        yield Failure(
            rule.id,
            case.name,
            f"at {expectation.at_s:g} s {part}: expected {expectation.state} ({expectation.reason}), "
            f"got {state} ({reason})",
        )


def _apply(states: dict[Key, FaultState], changes: Sequence[Change]) -> None:
    for change in changes:
        before = states.get(change.key, FaultState.NORMAL)
        if change.outcome.raises:
            latched = before in {FaultState.LATCHED_UNACKNOWLEDGED, FaultState.LATCHED_ACKNOWLEDGED}
            # An earlier fault that returned is over; a further one is a fault of its own.
            states[change.key] = move(
                before if latched else None, Transition.REACTIVATE if latched else Transition.RAISE
            )
        else:
            states[change.key] = move(before, Transition.LATCH if change.rule.latch else Transition.CLEAR)


def _signal(kind: str, path: str) -> Signal:
    signal = KINDS[kind].signal(path)
    if signal is None:
        raise ValueError(f"{path}: device kind {kind} has no such signal")
    return signal


def _batch(info: SeriesInfo, at_ms: int, sample: Sample) -> ReadingBatch:
    if info.signal.sort is Sort.EVENT:
        return replace(ReadingBatch.of([]), events=(EventReading(info.series, at_ms, str(sample)),))
    return ReadingBatch.of([(info.series, at_ms, _number(info.signal, sample))])


def _number(signal: Signal, sample: Sample) -> float:
    if signal.sort is not Sort.STATE:
        if not isinstance(sample, float):
            raise ValueError(f"{signal.path}: expected numbers, got {sample!r}")
        return sample
    ordinal = signal.ordinal(str(sample))
    if ordinal is None:
        words = ", ".join(state.word for state in signal.states)
        raise ValueError(f"{signal.path}: unknown word {sample!r}, expected one of {words}")
    return float(ordinal)
