"""The transition table: what holds for every row, and the ways people take through it."""

import pytest

from contracts.work_orders import OPEN_STATES
from contracts.work_orders import WorkOrderCommand as Command
from contracts.work_orders import WorkOrderState as State
from maintenance.transitions import (
    TRANSITIONS,
    CommandIncomplete,
    CommandNotAllowed,
    Need,
    Target,
    allowed_commands,
    next_state,
    remembered_state,
    ways_back,
)

EVERYTHING = frozenset(Need)


def walk(*commands: tuple[Command, bool]) -> list[State]:
    state, back, seen = State.NEW, None, []
    for command, automatic in commands:
        state, back = (
            next_state(state, command, back, EVERYTHING, automatic=automatic),
            remembered_state(state, command, back),
        )
        seen.append(state)
    return seen


def test_the_usual_way_leads_from_new_to_closed() -> None:
    assert walk(
        (Command.TRIAGE, False),
        (Command.OFFER, False),
        (Command.ACCEPT, False),
        (Command.DEPART, False),
        (Command.ARRIVE, False),
        (Command.REPAIR, False),
        (Command.VERIFY, True),
        (Command.CONFIRM, True),
    ) == [
        State.TRIAGED,
        State.OFFERED,
        State.ACCEPTED,
        State.TRAVELLING,
        State.ON_SITE,
        State.REPAIRED,
        State.VERIFYING,
        State.CLOSED,
    ]


def test_a_failed_verification_goes_back_to_where_the_work_was_left() -> None:
    on_site = [
        (command, False) for command in (Command.TRIAGE, Command.OFFER, Command.ACCEPT, Command.DEPART, Command.ARRIVE)
    ]
    assert (
        walk(*on_site, (Command.REPAIR, False), (Command.VERIFY, True), (Command.FAIL_VERIFICATION, True))[-1]
        is State.ON_SITE
    )
    assert walk((Command.FIX_REMOTELY, False), (Command.FAIL_VERIFICATION, True))[-1] is State.NEW


@pytest.mark.parametrize("state", [State.ACCEPTED, State.TRAVELLING, State.ON_SITE])
def test_a_pause_ends_in_the_state_it_began_in(state: State) -> None:
    paused = next_state(state, Command.PAUSE, None, EVERYTHING, automatic=False)
    back = remembered_state(state, Command.PAUSE, None)
    assert paused is State.PAUSED
    assert next_state(paused, Command.RESUME, back, EVERYTHING, automatic=False) is state


def test_a_command_says_what_it_lacks() -> None:
    with pytest.raises(CommandIncomplete, match="offer needs assignee"):
        next_state(State.TRIAGED, Command.OFFER, None, frozenset(), automatic=False)


def test_a_person_cannot_confirm_what_telemetry_confirms() -> None:
    with pytest.raises(
        CommandNotAllowed, match="confirm is not allowed in state verifying; allowed: override_verification"
    ):
        next_state(State.VERIFYING, Command.CONFIRM, None, EVERYTHING, automatic=False)


def test_the_system_cannot_give_a_persons_command() -> None:
    with pytest.raises(CommandNotAllowed):
        next_state(State.NEW, Command.TRIAGE, None, EVERYTHING, automatic=True)


@pytest.mark.parametrize("state", sorted(OPEN_STATES))
def test_every_open_state_has_a_way_out(state: State) -> None:
    assert any(row.state is state for row in TRANSITIONS.values())


def test_every_state_can_be_reached_and_every_command_is_used() -> None:
    reached = {State.NEW} | {row.target for row in TRANSITIONS.values() if isinstance(row.target, State)}
    assert reached == set(State)
    assert {row.command for row in TRANSITIONS.values()} == set(Command)


def test_there_is_a_way_back_wherever_a_command_leads_back() -> None:
    assert ways_back(State.PAUSED) == {State.ACCEPTED, State.TRAVELLING, State.ON_SITE}
    assert ways_back(State.VERIFYING) == {State.NEW, State.TRIAGED, State.ACCEPTED, State.ON_SITE}
    assert {row.state for row in TRANSITIONS.values() if row.target is Target.BACK} == {State.PAUSED, State.VERIFYING}


@pytest.mark.parametrize("state", sorted(set(State) - OPEN_STATES - {State.CLOSED, State.CLOSED_INCOMPLETE}))
def test_a_cancelled_or_duplicate_order_is_over(state: State) -> None:
    assert allowed_commands(state) == ()
