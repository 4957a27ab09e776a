"""Overrides give a rule other numbers, and nothing else."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.errors import ConfigurationError
from rules.files import load_rules
from rules.kinds.absence import AbsenceClause
from rules.kinds.increase import IncreaseClause
from rules.kinds.state import StateClause
from rules.kinds.threshold import ThresholdClause
from rules.overrides import Override, apply_overrides
from rules.rule import Rule

RULES = load_rules()


def overridden(rule_id: str, values: dict[str, Any]) -> Rule:
    rules = apply_overrides(RULES, {rule_id: Override.model_validate(values)})
    assert [rule.id for rule in rules] == [rule.id for rule in RULES]
    return next(rule for rule in rules if rule.id == rule_id)


def test_delays_and_work_order_times_change() -> None:
    rule = overridden(
        "atm.cdm.jam", {"on_delay_s": 2, "off_delay_s": 3, "work_order": {"wait_s": 0, "verify_hold_s": 5}}
    )
    assert (rule.delays.on_ms, rule.delays.off_ms) == (2000, 3000)
    assert rule.work_order is not None
    assert (rule.work_order.wait_s, rule.work_order.verify_hold_s, rule.work_order.skill) == (0, 5, "FLM")


def test_held_and_absent_times_go_to_their_clauses() -> None:
    rule = overridden("gw.offline", {"held_s": 5, "absent_s": 20})
    state, absence = rule.when
    assert isinstance(state, StateClause)
    assert isinstance(absence, AbsenceClause)
    assert (state.held_s, absence.for_s) == (5, 20)


def test_how_much_a_counter_must_grow_and_within_which_time_changes() -> None:
    rule = overridden("gw.driver_failed", {"at_least": 2, "within_s": 20})
    state, increase = rule.when
    assert state == next(other for other in RULES if other.id == "gw.driver_failed").when[0]
    assert isinstance(increase, IncreaseClause)
    assert (increase.at_least, increase.within_s) == (2, 20)


def test_a_threshold_changes_and_with_it_the_fingerprint() -> None:
    rule = overridden("ftf.silent", {"threshold": 20})
    (clause,) = rule.when
    assert isinstance(clause, ThresholdClause)
    assert clause.above == 20
    assert rule.fingerprint != next(other for other in RULES if other.id == "ftf.silent").fingerprint


def test_a_delay_leaves_the_fingerprint_because_the_condition_is_the_same() -> None:
    rule = overridden("atm.cdm.jam", {"on_delay_s": 2})
    assert rule.fingerprint == next(other for other in RULES if other.id == "atm.cdm.jam").fingerprint


@pytest.mark.parametrize(
    ("rule_id", "values", "message"),
    [
        (
            "atm.cdm.jamm",
            {"on_delay_s": 2},
            r"rules\.overrides\.atm\.cdm\.jamm: no such rule, expected one of .*atm\.cdm\.jam",
        ),
        ("atm.cdm.jam", {"held_s": 2}, r"rules\.overrides\.atm\.cdm\.jam\.held_s = 2.*no such number"),
        ("atm.cdm.jam", {"absent_s": 2}, "no such number"),
        ("atm.cdm.jam", {"at_least": 2}, "no such number"),
        ("gw.offline", {"within_s": 2}, "no such number"),
        ("atm.cash.low", {"threshold": 2}, "no such number"),
    ],
)
def test_an_override_that_fits_nothing_is_refused(rule_id: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        overridden(rule_id, values)


def test_negative_delays_and_unknown_keys_are_refused() -> None:
    for values in ({"on_delay_s": -1}, {"colour": "red"}, {"work_order": {"wait_s": -1}}):
        with pytest.raises(ValidationError):
            Override.model_validate(values)
