"""Health and functions: what is not known is neither healthy nor broken."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.api.functions import _ROWS, FunctionState, functions_of
from console.api.health import LINK, UPLINK, Health, HealthReason, SignalState, derive_health
from contracts.devices import KINDS
from contracts.faults import Severity
from contracts.signals import CONDITION_ORDER, Condition, Sort

UP = SignalState(LINK, "up", Condition.OK, stale=False)
DOWN = SignalState(LINK, "down", Condition.FAILED, stale=False)
JAM = SignalState("cdm/shutter", "jammedOpen", Condition.FAILED, stale=False)
LOW = SignalState("cdm/unit1/replenishment", "low", Condition.DEGRADED, stale=False)


def health(*states: SignalState, faults: tuple[Severity, ...] = (), online: bool | None = True) -> Health:
    return derive_health(states, faults, gateway_online=online, is_gateway=False)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (health(UP), Health(Condition.OK, HealthReason.ALL_WELL)),
        (health(UP, LOW), Health(Condition.DEGRADED, HealthReason.SIGNAL, LOW.path)),
        (health(UP, LOW, JAM), Health(Condition.FAILED, HealthReason.SIGNAL, JAM.path)),
        (health(), Health(Condition.UNKNOWN, HealthReason.NEVER_REPORTED)),
        (health(DOWN, JAM), Health(Condition.UNKNOWN, HealthReason.UNREACHABLE, LINK)),
        (health(UP, JAM, online=False), Health(Condition.UNKNOWN, HealthReason.GATEWAY_OFFLINE)),
        (health(UP, online=None), Health(Condition.OK, HealthReason.ALL_WELL)),
        (
            health(SignalState(LINK, "up", Condition.OK, stale=True), JAM),
            Health(Condition.UNKNOWN, HealthReason.STALE, LINK),
        ),
        (health(UP, faults=(Severity.MINOR,)), Health(Condition.DEGRADED, HealthReason.FAULT)),
        (health(UP, LOW, faults=(Severity.CRITICAL,)), Health(Condition.FAILED, HealthReason.FAULT)),
        (health(UP, JAM, faults=(Severity.CRITICAL,)), Health(Condition.FAILED, HealthReason.SIGNAL, JAM.path)),
        (health(UP, faults=(Severity.INFO,)), Health(Condition.OK, HealthReason.ALL_WELL)),
    ],
)
def test_health_is_the_worst_that_is_known(got: Health, expected: Health) -> None:
    assert got == expected


def test_an_old_signal_beside_a_fresh_link_says_nothing() -> None:
    old = SignalState("cdm/shutter", "jammedOpen", Condition.FAILED, stale=True)
    assert health(UP, old) == Health(Condition.OK, HealthReason.ALL_WELL)


@pytest.mark.parametrize(
    ("online", "states", "expected"),
    [
        (True, (), Health(Condition.UNKNOWN, HealthReason.NEVER_REPORTED)),
        (False, (), Health(Condition.FAILED, HealthReason.GATEWAY_OFFLINE, UPLINK)),
        (
            True,
            (SignalState(UPLINK, "connected", Condition.OK, stale=True),),
            Health(Condition.OK, HealthReason.ALL_WELL),
        ),
        (
            True,
            (SignalState("host/app/state", "running", Condition.OK, stale=True),),
            Health(Condition.UNKNOWN, HealthReason.STALE),
        ),
    ],
)
def test_a_gateway_is_known_by_its_connection(online: bool, states: tuple[SignalState, ...], expected: Health) -> None:
    assert derive_health(states, (), gateway_online=online, is_gateway=True) == expected


_states = st.builds(
    SignalState,
    st.sampled_from(["cdm/shutter", "idc/device", "link/state", "vdm/service"]),
    st.just("word"),
    st.sampled_from(list(Condition)),
    stale=st.booleans(),
)


@given(st.lists(_states, unique_by=lambda state: state.path), st.lists(st.sampled_from(list(Severity))), _states)
def test_one_more_fresh_signal_never_makes_a_known_device_look_better(
    states: list[SignalState], faults: list[Severity], extra: SignalState
) -> None:
    before = derive_health(states, faults, gateway_online=True, is_gateway=False)
    more = [*states, SignalState("new/signal", extra.word, extra.condition, stale=False)]
    after = derive_health(more, faults, gateway_online=True, is_gateway=False)
    if before.condition is not Condition.UNKNOWN:
        assert CONDITION_ORDER.index(after.condition) >= CONDITION_ORDER.index(before.condition)


def test_functions_follow_the_parts_they_need() -> None:
    parts = [UP, JAM, SignalState("idc/device", "online", Condition.OK, stale=False), LOW]
    found = {function.name: state for function, state in functions_of("atm", parts, known=True, reachable=True)}
    assert found == {"withdrawal": FunctionState.LOST, "card_service": FunctionState.AVAILABLE}
    out_of_reach = functions_of("atm", parts, known=True, reachable=False)
    assert {state for _, state in out_of_reach} == {FunctionState.LOST}
    assert {state for _, state in functions_of("atm", parts, known=False, reachable=True)} == {FunctionState.UNKNOWN}


def well(*paths: str) -> list[SignalState]:
    return [SignalState(path, "well", Condition.OK, stale=False) for path in paths]


def test_a_terminal_offers_what_its_parts_are_there_for() -> None:
    plain = [UP, *well("host/app/state", "idc/device", "idr/device", "pin/encryption_state")]
    offered = functions_of("self_service_terminal", plain, known=True, reachable=True)
    assert [(function.name, state) for function, state in offered] == [("card_service", FunctionState.AVAILABLE)]
    full = [*plain, *well("idc/stock1/replenishment", "prs/paper", "prs/toner", "prp/device", "prp/ink")]
    offered = functions_of("self_service_terminal", full, known=True, reachable=True)
    assert {function.name for function, _ in offered} == {"card_service", "card_issue", "statement_print", "passbook"}


def test_a_terminal_whose_application_is_down_does_card_service_alone() -> None:
    app = SignalState("host/app/state", "missing", Condition.FAILED, stale=False)
    parts = [UP, app, *well("idc/device", "idc/stock1/replenishment", "idr/device", "prs/paper", "prp/media")]
    found = functions_of("self_service_terminal", parts, known=True, reachable=True)
    assert {function.name: state for function, state in found} == {
        "card_service": FunctionState.AVAILABLE,
        "card_issue": FunctionState.LOST,
        "statement_print": FunctionState.LOST,
        "passbook": FunctionState.LOST,
    }


def test_a_camera_that_records_in_part_gives_reduced_evidence() -> None:
    parts = [UP, *well("video/signal_loss"), SignalState("recording/state", "Idle", Condition.DEGRADED, stale=False)]
    ((function, state),) = functions_of("camera", parts, known=True, reachable=True)
    assert (function.name, function.zh, state) == ("image_evidence", "图像取证", FunctionState.REDUCED)


def test_every_part_a_function_speaks_of_is_in_the_device_catalogue() -> None:
    for function in _ROWS:
        for kind in function.kinds:
            states = [signal.path for signal in KINDS[kind].signals if signal.sort is Sort.STATE]
            for path in (*function.needs, *function.wishes, *function.shown_by):
                pattern = re.compile(re.sub(r"\\\*", "[^/]+", re.escape(path)))
                assert any(pattern.fullmatch(known) for known in states), (function.name, kind, path)


def test_a_failed_wish_only_reduces_a_function() -> None:
    empty = SignalState("cdm/unit2/replenishment", "empty", Condition.FAILED, stale=False)
    parts = [UP, SignalState("cdm/device", "online", Condition.OK, stale=False), empty]
    assert [state for function, state in functions_of("atm", parts, known=True, reachable=True)] == [
        FunctionState.REDUCED
    ]
