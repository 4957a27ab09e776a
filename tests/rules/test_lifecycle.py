"""The life of a fault: the table alone, and as a state machine against the three bits it is made of."""

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.faults import FaultEventType, FaultState
from rules.lifecycle import (
    ACTIVE_STATES,
    EVENTS,
    LATCHED_STATES,
    TABLE,
    UNACKNOWLEDGED_STATES,
    Transition,
    TransitionNotAllowed,
    move,
)


def test_every_other_pair_is_refused_with_a_stable_code() -> None:
    states = [None, *FaultState]
    refused = [(state, step) for state in states for step in Transition if (state, step) not in TABLE]
    assert len(refused) == len(states) * len(Transition) - len(TABLE)
    for state, step in refused:
        with pytest.raises(TransitionNotAllowed, match=f"{step} does not go with state") as caught:
            move(state, step)
        assert caught.value.code == "fault_transition_not_allowed"


def test_every_state_can_be_reached_and_left_for_normal() -> None:
    reached = {move(None, Transition.RAISE)}
    while more := {after for (before, _), after in TABLE.items() if before in reached} - reached:
        reached |= more
    assert reached == set(FaultState)


class FaultLife(RuleBasedStateMachine):
    """Drives one condition; the model is the bits active, acknowledged and latched."""

    def __init__(self) -> None:
        super().__init__()
        self.state: FaultState | None = None
        self.active = self.acknowledged = self.latched = False
        self.events: list[FaultEventType] = []

    def _go(self, step: Transition) -> None:
        self.state = move(self.state, step)
        self.events += EVENTS[step]

    @precondition(lambda self: not self.active and not self.latched)
    @rule()
    def a_condition_begins(self) -> None:
        self.state, self.events = None, []
        self._go(Transition.RAISE)
        self.active, self.acknowledged = True, False

    @precondition(lambda self: self.latched)
    @rule()
    def a_condition_comes_back_under_the_latch(self) -> None:
        self._go(Transition.REACTIVATE)
        self.active, self.latched, self.acknowledged = True, False, False

    @precondition(lambda self: self.active)
    @rule()
    def the_condition_ends(self) -> None:
        self._go(Transition.CLEAR)
        self.active = False

    @precondition(lambda self: self.active)
    @rule()
    def the_condition_ends_and_a_latch_holds(self) -> None:
        self._go(Transition.LATCH)
        self.active, self.latched = False, True

    @precondition(lambda self: self.state is not None)
    @rule()
    def somebody_acknowledges(self) -> None:
        if self.acknowledged:
            with pytest.raises(TransitionNotAllowed):
                move(self.state, Transition.ACKNOWLEDGE)
        else:
            self._go(Transition.ACKNOWLEDGE)
            self.acknowledged = True

    @precondition(lambda self: self.state is not None)
    @rule()
    def somebody_resets(self) -> None:
        if self.latched and self.acknowledged:
            self._go(Transition.RESET)
            self.latched = False
        else:
            with pytest.raises(TransitionNotAllowed):
                move(self.state, Transition.RESET)

    @invariant()
    def the_state_is_what_the_bits_say(self) -> None:
        if self.state is None:
            return
        assert (self.state in ACTIVE_STATES) == (self.active or self.latched)
        assert (self.state in LATCHED_STATES) == self.latched
        assert (self.state in UNACKNOWLEDGED_STATES) == (not self.acknowledged)

    @invariant()
    def a_fault_is_raised_once_and_cleared_once(self) -> None:
        assert self.events.count(FaultEventType.RAISED) <= 1
        over = self.state is not None and self.state not in ACTIVE_STATES
        assert self.events.count(FaultEventType.CLEARED) == over


TestFaultLife = FaultLife.TestCase
