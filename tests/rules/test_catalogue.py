"""The default rules: every one proves itself with its cases over the real engine."""

import pytest

from rules.cases import Case, Proves, missing_cases, run_case
from rules.files import RuleWithCases, load_rules

RULES = load_rules()
CASES = [pytest.param(rule, case, id=f"{rule.id}: {case.name}") for rule in RULES for case in rule.cases]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_a_firing_a_quiet_and_a_missing_data_case(rule: RuleWithCases) -> None:
    assert missing_cases(rule.cases) == []


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_a_case_holds(rule: RuleWithCases, case: Case) -> None:
    assert [str(failure) for failure in run_case(rule, case)] == []


def test_a_case_that_expects_something_else_fails() -> None:
    rule = next(rule for rule in RULES if rule.id == "atm.cdm.jam")
    case = next(case for case in rule.cases if case.proves is Proves.FIRES)
    deaf = rule.model_copy(update={"on_delay_s": 7200.0})
    texts = [str(failure) for failure in run_case(deaf, case)]
    assert any("expected active (raised_after_delay), got normal" in text for text in texts)


def test_a_rule_whose_cases_prove_too_little_is_found() -> None:
    firing = [case for rule in RULES for case in rule.cases if case.proves is Proves.FIRES]
    assert missing_cases(firing[:1]) == [Proves.QUIET, Proves.MISSING_DATA]


def test_security_rules_latch_and_open_their_order_without_delay() -> None:
    for rule in RULES:
        if rule.family in {"intrusion", "holdup", "fire"}:
            assert rule.latch, rule.id
            assert rule.on_delay_s == 0, rule.id
            assert rule.work_order is not None, rule.id
            assert rule.work_order.wait_s == 0, rule.id


def test_texts_are_there_in_both_languages() -> None:
    for rule in RULES:
        assert rule.en.name.isascii(), rule.id
        assert any("\u4e00" <= letter <= "\u9fff" for letter in rule.zh.name), rule.id


def test_rules_differ_in_id() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
