"""The whole device catalogue, row by row: what every signal of every kind must fulfil."""

import re

import pytest

from contracts.devices import ATM, KINDS
from contracts.signals import Condition, Deadband, DeviceKind, Presence, Signal, Sort, percent

ROWS = [pytest.param(kind, row, id=f"{kind.name} {row.path}") for kind in KINDS.values() for row in kind.signals]

# Units of the SenML registry that the catalogue uses (RFC 8428, table 12).
SENML_UNITS = {"count", "/", "s", "V", "Cel", "Hz", "B", "bit/s", "%EL"}


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_every_signal_is_declared_soundly(kind: DeviceKind, row: Signal) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_{}]*(/[a-z0-9_{}]+){1,2}", row.path)
    assert row.en
    assert re.search(r"[\u4e00-\u9fff]", row.zh) or row.zh.isascii() is False
    assert row.source
    assert row.unit is None or row.unit in SENML_UNITS
    if row.sort is Sort.STATE:
        words = [state.word for state in row.states]
        assert len(words) == len(set(words))
        assert row.states[row.unknown_ordinal].condition is Condition.UNKNOWN
    else:
        assert not row.states
    if row.sort is Sort.EVENT:
        assert row.heartbeat_s is None
    else:
        assert row.heartbeat_s
        assert row.stale_after_ms() == 2000 * row.heartbeat_s
    low, high = row.bounds
    assert low is None or high is None or low < high


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_no_concrete_path_belongs_to_two_rows(kind: DeviceKind) -> None:
    for row in kind.signals:
        path = re.sub(r"\{n\}", "1", row.path)
        path = re.sub(r"\{\w+\}", "upper", path)
        assert kind.signal(path) == row


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_says_something_that_must_not_be_silent(kind: DeviceKind) -> None:
    assert any(row.presence is Presence.ALWAYS for row in kind.signals)


def test_paths_with_numbers_and_names_are_found() -> None:
    for path in ("cdm/unit12/count", "prr/upper/paper", "cam/exitSlot/state"):
        assert ATM.signal(path) is not None
    for path in ("cdm/unit0/count", "cdm/unit/count", "cdm/unit1/nothing", "cdm", ""):
        assert ATM.signal(path) is None


def test_a_state_is_stored_as_the_place_of_its_word() -> None:
    shutter = ATM.signal("cdm/shutter")
    assert shutter is not None
    assert shutter.ordinal("closed") == 0
    assert shutter.ordinal("jammedOpen") == 2
    assert shutter.ordinal("ajar") is None


def test_a_deadband_holds_back_small_moves_and_repetitions() -> None:
    assert not Deadband(absolute=0).exceeded(5, 5)
    assert Deadband(absolute=0).exceeded(5, 5.001)
    assert not Deadband(absolute=1).exceeded(5, 5.9)
    assert Deadband(absolute=1).exceeded(5, 4)
    assert not percent(20).exceeded(10, 11.9)
    assert percent(20).exceeded(10, 12)
