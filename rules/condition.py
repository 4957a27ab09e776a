"""The delays of a rule: a pure state machine for each rule, device and part.

A delay runs only while the verdict is known. Missing data ends a running on-delay, because nothing is raised without
evidence, and a running off-delay, because nothing is cleared without it. Deadlines are times of observation: a delay that
is noticed late ends when it would have ended.
"""

from dataclasses import dataclass
from enum import StrEnum

from rules.verdict import Truth


class Phase(StrEnum):
    """Where a condition stands. The words are stored; append only."""

    IDLE = "idle"
    RISING = "rising"  # met, the on-delay runs
    ACTIVE = "active"
    FALLING = "falling"  # no longer met, the off-delay runs


class Outcome(StrEnum):
    """What a verdict or the end of a delay did, with its reason."""

    UNCHANGED = "unchanged"
    ON_DELAY_STARTED = "on_delay_started"
    ON_DELAY_BROKEN = "on_delay_broken"
    RAISED = "raised"
    RAISED_AFTER_DELAY = "raised_after_delay"
    OFF_DELAY_STARTED = "off_delay_started"
    OFF_DELAY_BROKEN = "off_delay_broken"
    CLEARED = "cleared"
    CLEARED_AFTER_DELAY = "cleared_after_delay"
    WITHHELD = "withheld"  # no verdict: an active fault is frozen, a delay ends
    FORGOTTEN = "forgotten"  # the device left the inventory
    REPLACED = "replaced"  # the device's id now stands for another kind of device
    UNCOVERED = "uncovered"  # the rule was changed and watches nothing of this part any more

    @property
    def raises(self) -> bool:
        return self in {Outcome.RAISED, Outcome.RAISED_AFTER_DELAY}

    @property
    def clears(self) -> bool:
        return self in {Outcome.CLEARED, Outcome.CLEARED_AFTER_DELAY} or self.ends_unseen

    @property
    def ends_unseen(self) -> bool:
        """Whether it ends a fault, latched or not, because nobody can say any more whether its condition holds."""
        return self in {Outcome.FORGOTTEN, Outcome.REPLACED, Outcome.UNCOVERED}


@dataclass(frozen=True, slots=True)
class Delays:
    """How long a condition must hold before it raises, and be gone before it clears, in milliseconds."""

    on_ms: int = 0
    off_ms: int = 0


@dataclass(frozen=True, slots=True)
class ConditionState:
    """State of a condition.

    Attributes:
        phase: where it stands.
        since_ms: when the phase began, milliseconds since 1970 UTC; 0 while idle.
    """

    phase: Phase = Phase.IDLE
    since_ms: int = 0


IDLE = ConditionState()


def judge(state: ConditionState, truth: Truth, at_ms: int, delays: Delays) -> tuple[ConditionState, Outcome]:
    """Take a verdict.

    Args:
        state: before it.
        truth: the verdict.
        at_ms: observation time of what decided it; not before any deadline that :func:`deadline_ms` named earlier.
        delays: of the rule.
    """
    match state.phase, truth:
        case Phase.IDLE, Truth.MET:
            if delays.on_ms == 0:
                return ConditionState(Phase.ACTIVE, at_ms), Outcome.RAISED
            return ConditionState(Phase.RISING, at_ms), Outcome.ON_DELAY_STARTED
        case Phase.RISING, Truth.NOT_MET:
            return IDLE, Outcome.ON_DELAY_BROKEN
        case Phase.RISING, Truth.UNKNOWN:
            return IDLE, Outcome.WITHHELD
        case Phase.ACTIVE, Truth.NOT_MET:
            if delays.off_ms == 0:
                return IDLE, Outcome.CLEARED
            return ConditionState(Phase.FALLING, at_ms), Outcome.OFF_DELAY_STARTED
        case Phase.ACTIVE, Truth.UNKNOWN:
            return state, Outcome.WITHHELD
        case Phase.FALLING, Truth.MET:
            return ConditionState(Phase.ACTIVE, at_ms), Outcome.OFF_DELAY_BROKEN
        case Phase.FALLING, Truth.UNKNOWN:
            return ConditionState(Phase.ACTIVE, at_ms), Outcome.WITHHELD
        case _:
            return state, Outcome.UNCHANGED


def deadline_ms(state: ConditionState, delays: Delays) -> int | None:
    """When the running delay ends, ``None`` where none runs."""
    if state.phase is Phase.RISING:
        return state.since_ms + delays.on_ms
    if state.phase is Phase.FALLING:
        return state.since_ms + delays.off_ms
    return None


def elapse(state: ConditionState, delays: Delays) -> tuple[ConditionState, Outcome]:
    """End the running delay at its deadline."""
    deadline = deadline_ms(state, delays)
    if deadline is None:
        return state, Outcome.UNCHANGED
    if state.phase is Phase.RISING:
        return ConditionState(Phase.ACTIVE, deadline), Outcome.RAISED_AFTER_DELAY
    return IDLE, Outcome.CLEARED_AFTER_DELAY
