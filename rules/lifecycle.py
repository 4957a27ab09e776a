"""The life of a fault as a table (ISA-18.2): active, acknowledged and latched make its states.

A fault ends when its condition is gone and somebody acknowledged it. A further occurrence is a fault of its own, except
while a latch holds: then the same fault becomes active again.
"""

from enum import StrEnum
from typing import Final

from contracts.errors import DomainError
from contracts.faults import FaultEventType, FaultState


class Transition(StrEnum):
    """What moves a fault."""

    RAISE = "raise"
    ACKNOWLEDGE = "acknowledge"
    CLEAR = "clear"  # the condition is gone, nothing latches
    LATCH = "latch"  # the condition is gone, the latch holds
    REACTIVATE = "reactivate"  # the condition came back while the latch held
    RESET = "reset"  # a person releases the latch


_S, _T = FaultState, Transition

TABLE: Final[dict[tuple[FaultState | None, Transition], FaultState]] = {
    (None, _T.RAISE): _S.UNACKNOWLEDGED,
    (_S.UNACKNOWLEDGED, _T.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    (_S.UNACKNOWLEDGED, _T.CLEAR): _S.RETURNED_UNACKNOWLEDGED,
    (_S.UNACKNOWLEDGED, _T.LATCH): _S.LATCHED_UNACKNOWLEDGED,
    (_S.ACKNOWLEDGED, _T.CLEAR): _S.NORMAL,
    (_S.ACKNOWLEDGED, _T.LATCH): _S.LATCHED_ACKNOWLEDGED,
    (_S.RETURNED_UNACKNOWLEDGED, _T.ACKNOWLEDGE): _S.NORMAL,
    (_S.LATCHED_UNACKNOWLEDGED, _T.ACKNOWLEDGE): _S.LATCHED_ACKNOWLEDGED,
    (_S.LATCHED_UNACKNOWLEDGED, _T.REACTIVATE): _S.UNACKNOWLEDGED,
    (_S.LATCHED_ACKNOWLEDGED, _T.REACTIVATE): _S.UNACKNOWLEDGED,
    (_S.LATCHED_ACKNOWLEDGED, _T.RESET): _S.NORMAL,
}
"""State after a transition; ``None`` stands for a fault that is not there yet."""

EVENTS: Final[dict[Transition, tuple[FaultEventType, ...]]] = {
    _T.RAISE: (FaultEventType.RAISED,),
    _T.ACKNOWLEDGE: (FaultEventType.ACKNOWLEDGED,),
    _T.CLEAR: (FaultEventType.CLEARED,),
    _T.LATCH: (FaultEventType.LATCHED,),
    _T.REACTIVATE: (FaultEventType.REACTIVATED,),
    _T.RESET: (FaultEventType.RESET, FaultEventType.CLEARED),
}
"""Events that a transition leaves in the log, so that every fault is raised once and cleared once."""

ACTIVE_STATES: Final = frozenset(
    {_S.UNACKNOWLEDGED, _S.ACKNOWLEDGED, _S.LATCHED_UNACKNOWLEDGED, _S.LATCHED_ACKNOWLEDGED}
)
"""States in which a fault counts as the one active fault of its rule, device and part."""

LATCHED_STATES: Final = frozenset({_S.LATCHED_UNACKNOWLEDGED, _S.LATCHED_ACKNOWLEDGED})

UNACKNOWLEDGED_STATES: Final = frozenset({_S.UNACKNOWLEDGED, _S.RETURNED_UNACKNOWLEDGED, _S.LATCHED_UNACKNOWLEDGED})


class TransitionNotAllowed(DomainError):  # noqa: N818  (a refusal, not a failure)
    """The fault's state does not allow the transition."""

    code = "fault_transition_not_allowed"


def move(state: FaultState | None, transition: Transition) -> FaultState:
    """State after a transition.

    Args:
        state: before it, ``None`` for a fault that is not there yet.
        transition: what happens.

    Raises:
        TransitionNotAllowed: the table has no such line; the message says what is allowed.
    """
    after = TABLE.get((state, transition))
    if after is None:
        allowed = ", ".join(step for before, step in TABLE if before is state) or "nothing"
        raise TransitionNotAllowed(f"{transition} does not go with state {state or 'none'}: allowed is {allowed}")
    return after
