"""Overrides: other numbers for a rule without a copy of the rule."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from contracts.errors import ConfigurationError
from rules.kinds import Clause
from rules.kinds.absence import AbsenceClause
from rules.kinds.increase import IncreaseClause
from rules.kinds.state import StateClause
from rules.kinds.threshold import ThresholdClause
from rules.rule import Rule
from runtime.settings import Section


class WorkOrderOverride(Section):
    """Other numbers for the work order of a rule, in seconds."""

    wait_s: float | None = Field(default=None, ge=0)
    verify_hold_s: float | None = Field(default=None, ge=0)


class Override(Section):
    """Other numbers for one rule; what is left out stays as the rule says.

    ``held_s``, ``absent_s``, ``threshold``, ``at_least`` and ``within_s`` go to every clause of the rule that has such a
    number.
    """

    on_delay_s: float | None = Field(default=None, ge=0)
    off_delay_s: float | None = Field(default=None, ge=0)
    held_s: float | None = Field(default=None, gt=0, description="how long a state must be held")
    absent_s: float | None = Field(default=None, gt=0, description="how long a signal must be silent")
    threshold: float | None = Field(default=None, description="limit of the rule's fixed thresholds")
    at_least: float | None = Field(default=None, ge=1, le=1000, description="how much a counter must grow")
    within_s: float | None = Field(default=None, gt=0, description="time within which it must")
    work_order: WorkOrderOverride | None = None


def apply_overrides(rules: Sequence[Rule], overrides: Mapping[str, Override]) -> list[Rule]:
    """Rules with their overrides, in the same order.

    Raises:
        ConfigurationError: an override names no rule, or a number that its rule has not.
    """
    unknown = sorted(set(overrides) - {rule.id for rule in rules})
    if unknown:
        raise ConfigurationError(
            f"rules.overrides.{unknown[0]}: no such rule, expected one of {', '.join(sorted(rule.id for rule in rules))}"
        )
    return [_apply(rule, overrides[rule.id]) if rule.id in overrides else rule for rule in rules]


def _apply(rule: Rule, override: Override) -> Rule:
    update: dict[str, Any] = {
        key: value for key in ("on_delay_s", "off_delay_s") if (value := getattr(override, key)) is not None
    }
    clauses = list(rule.when)
    for key in ("held_s", "absent_s", "threshold", "at_least", "within_s"):
        value = getattr(override, key)
        if value is None:
            continue
        changed = [_with(clause, key, value) for clause in clauses]
        if changed == clauses and not any(_has(clause, key) for clause in clauses):
            raise ConfigurationError(
                f"rules.overrides.{rule.id}.{key} = {value}: the rule has no such number; remove the key"
            )
        clauses = changed
    update["when"] = tuple(clauses)
    if override.work_order is not None:
        if rule.work_order is None:
            raise ConfigurationError(
                f"rules.overrides.{rule.id}.work_order: the rule opens no work order; remove the key"
            )
        update["work_order"] = rule.work_order.model_copy(update=override.work_order.model_dump(exclude_none=True))
    return rule.model_copy(update=update)


def _has(clause: Clause, key: str) -> bool:
    match key:
        case "held_s":
            return isinstance(clause, StateClause) and clause.held_s > 0
        case "absent_s":
            return isinstance(clause, AbsenceClause)
        case "at_least" | "within_s":
            return isinstance(clause, IncreaseClause)
        case _:
            return isinstance(clause, ThresholdClause) and isinstance(clause.limit, float)


def _with(clause: Clause, key: str, value: float) -> Clause:
    if not _has(clause, key):
        return clause
    if isinstance(clause, StateClause):
        return clause.model_copy(update={"held_s": value})
    if isinstance(clause, AbsenceClause):
        return clause.model_copy(update={"for_s": value})
    if isinstance(clause, IncreaseClause):
        return clause.model_copy(update={key: value})
    if isinstance(clause, ThresholdClause):
        return clause.model_copy(update={"above" if clause.above is not None else "below": value})
    return clause
