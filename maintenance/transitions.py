"""The life of a work order as a table: from which state which command leads where, and what it needs.

A technician's way is ``new → triaged → offered → accepted → travelling → on_site → repaired → verifying → closed``. The
rest are side ways. Nothing moves an order except a row of :data:`TRANSITIONS`; the diagram in the documentation is made
from it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.errors import DomainError
from contracts.work_orders import WorkOrderCommand as Command
from contracts.work_orders import WorkOrderState as State


class Need(StrEnum):
    """What a command must bring."""

    ASSIGNEE = "assignee"
    REASON = "reason"
    PAUSE_REASON = "pause_reason"
    DUPLICATE_OF = "duplicate_of"


class Target(StrEnum):
    """Targets that depend on where the order came from."""

    BACK = "back"  # the state in which the work was left: paused, or sent to be verified


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: in ``state``, ``command`` leads to ``target``.

    Attributes:
        state: state it starts in.
        command: what moves it.
        target: where it leads.
        needs: what the command must bring.
        automatic: only the system gives this command (a clock or telemetry), never a person.
        remembers: state to go back to later; ``None`` keeps what was remembered.
    """

    state: State
    command: Command
    target: State | Target
    needs: frozenset[Need] = frozenset()
    automatic: bool = False
    remembers: State | None = None


def _rows() -> tuple[Transition, ...]:
    assignee, reason = frozenset({Need.ASSIGNEE}), frozenset({Need.REASON})
    rows = [
        Transition(State.NEW, Command.TRIAGE, State.TRIAGED),
        Transition(State.TRIAGED, Command.OFFER, State.OFFERED, assignee),
        Transition(State.OFFERED, Command.ACCEPT, State.ACCEPTED),
        Transition(State.OFFERED, Command.DECLINE, State.TRIAGED, reason),
        Transition(State.OFFERED, Command.EXPIRE_OFFER, State.TRIAGED, automatic=True),
        Transition(State.ACCEPTED, Command.DEPART, State.TRAVELLING),
        Transition(State.ACCEPTED, Command.DECLINE, State.TRIAGED, reason),
        Transition(State.TRAVELLING, Command.ARRIVE, State.ON_SITE),
        Transition(State.ON_SITE, Command.REPAIR, State.REPAIRED, remembers=State.ON_SITE),
        Transition(State.ON_SITE, Command.CLOSE_INCOMPLETE, State.CLOSED_INCOMPLETE, reason),
        Transition(State.PAUSED, Command.RESUME, Target.BACK),
        Transition(State.PAUSED, Command.CLOSE_INCOMPLETE, State.CLOSED_INCOMPLETE, reason),
        Transition(State.REPAIRED, Command.VERIFY, State.VERIFYING, automatic=True),
        Transition(State.VERIFYING, Command.CONFIRM, State.CLOSED, automatic=True),
        Transition(State.VERIFYING, Command.FAIL_VERIFICATION, Target.BACK, automatic=True),
        Transition(State.VERIFYING, Command.OVERRIDE_VERIFICATION, State.CLOSED, reason),
        Transition(State.CLOSED, Command.REOPEN, State.TRIAGED, reason),
        Transition(State.CLOSED_INCOMPLETE, Command.REOPEN, State.TRIAGED, reason),
    ]
    rows += [
        Transition(state, Command.FIX_REMOTELY, State.VERIFYING, remembers=state)
        for state in (State.NEW, State.TRIAGED, State.ACCEPTED)
    ]
    rows += [
        Transition(state, Command.PAUSE, State.PAUSED, frozenset({Need.PAUSE_REASON}), remembers=state)
        for state in (State.ACCEPTED, State.TRAVELLING, State.ON_SITE)
    ]
    rows += [
        Transition(state, Command.CANCEL, State.CANCELLED, reason)
        for state in (
            State.NEW, State.TRIAGED, State.OFFERED, State.ACCEPTED, State.TRAVELLING, State.ON_SITE, State.PAUSED,
        )
    ]  # fmt: skip
    rows += [
        Transition(state, Command.MARK_DUPLICATE, State.DUPLICATE, frozenset({Need.DUPLICATE_OF}))
        for state in (State.NEW, State.TRIAGED, State.OFFERED)
    ]
    return tuple(rows)


TRANSITIONS: Final = {(row.state, row.command): row for row in _rows()}


class CommandNotAllowed(DomainError):  # noqa: N818
    """The order's state does not allow the command."""

    code = "command_not_allowed"


class CommandIncomplete(DomainError):  # noqa: N818
    """The command lacks something it needs."""

    code = "command_incomplete"


def allowed_commands(state: State) -> tuple[Command, ...]:
    """Commands a person may give in a state, in the order of the vocabulary."""
    return tuple(
        command for command in Command if (row := TRANSITIONS.get((state, command))) is not None and not row.automatic
    )


def next_state(state: State, command: Command, back: State | None, given: frozenset[Need], *, automatic: bool) -> State:
    """Decide where a command leads.

    Args:
        state: the order's state.
        command: what shall happen.
        back: the remembered state.
        given: what the command brings.
        automatic: whether the system gives it.

    Raises:
        CommandNotAllowed: not in this state, or not by a person.
        CommandIncomplete: something it needs is missing.
    """
    row = TRANSITIONS.get((state, command))
    if row is None or row.automatic != automatic:
        allowed = ", ".join(allowed_commands(state)) or "none: the order is over"
        raise CommandNotAllowed(f"command {command} is not allowed in state {state}; allowed: {allowed}")
    missing = sorted(row.needs - given)
    if missing:
        raise CommandIncomplete(f"command {command} needs {', '.join(missing)}")
    if isinstance(row.target, Target):
        if back is None:
            raise CommandNotAllowed(f"command {command}: no earlier state is known to go back to")
        return back
    return row.target


def remembered_state(state: State, command: Command, back: State | None) -> State | None:
    """State to remember after a command, for the way back."""
    return TRANSITIONS[state, command].remembers or back


def ways_back(state: State) -> frozenset[State]:
    """States that an order in ``state`` may go back to: those remembered on the ways into it."""
    back: set[State] = set()
    for row in TRANSITIONS.values():
        if row.target is state:
            back |= {row.remembers} if row.remembers is not None else ways_back(row.state)
    return frozenset(back)
