"""A rule: the condition, what its fault is called and what it asks for."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from contracts.devices import KINDS
from contracts.faults import Severity, WorkOrderAdvice
from contracts.gateway_messages import KindName
from contracts.signals import Presence, Signal, Sort
from rules.condition import Delays
from rules.families import FAMILIES_ZH
from rules.kinds import Clause
from rules.kinds.absence import AbsenceClause
from rules.kinds.event import EventClause
from rules.kinds.every import EveryClause
from rules.kinds.increase import IncreaseClause
from rules.kinds.state import StateClause
from rules.pattern import PathPattern

MATCHED: Final = "matched"
"""Component of a rule whose faults belong to the component that the path matched."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Text(_Model):
    """Rationalisation of a rule in one language (ISA-18.2).

    Attributes:
        name: what the fault is called.
        cause: likely cause.
        consequence: what happens if nobody acts.
        action: what to do.
    """

    name: str = Field(min_length=1, max_length=200)
    cause: str = Field(min_length=1)
    consequence: str = Field(min_length=1)
    action: str = Field(min_length=1)


class Rule(_Model):
    """One rule of a rule file.

    Attributes:
        id: stable name, ``atm.cdm.jam``.
        kinds: device kinds it looks at.
        when: clauses, of which one is enough; those with the same matched part make one fault.
        on_delay_s: seconds the condition must hold before the fault is raised.
        off_delay_s: seconds the fault stays after the condition is gone.
        latch: whether the fault waits for a reset by a person after the condition is gone.
        opening_hours: whether the verdict is withheld while the branch is closed.
        after_opening_s: seconds after the opening before the verdict counts, where ``opening_hours`` is set.
        severity: severity of its faults.
        family: what one visit would fix.
        component: component of its faults, or ``matched``.
        respond_s: seconds within which somebody must act so that the consequence is avoided; 0 for at once.
        work_order: the work its faults ask for, ``None`` for none.
        en: texts in English.
        zh: texts in Chinese.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$", max_length=64)
    kinds: tuple[KindName, ...] = Field(min_length=1)
    when: tuple[Clause, ...] = Field(min_length=1)
    on_delay_s: float = Field(default=0.0, ge=0)
    off_delay_s: float = Field(default=0.0, ge=0)
    latch: bool = False
    opening_hours: bool = False
    after_opening_s: float = Field(default=0.0, ge=0)
    severity: Severity
    family: str
    component: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    respond_s: float = Field(ge=0)
    work_order: WorkOrderAdvice | None = None
    en: Text
    zh: Text

    @field_validator("family")
    @classmethod
    def _family_is_known(cls, family: str) -> str:
        if family not in FAMILIES_ZH:
            raise ValueError(f"unknown family, expected one of {', '.join(FAMILIES_ZH)}")
        return family

    @property
    def delays(self) -> Delays:
        return Delays(round(self.on_delay_s * 1000), round(self.off_delay_s * 1000))

    @property
    def fingerprint(self) -> str:
        """Changes when the condition does, so that what was remembered of another condition is not taken for this one's."""
        content = f"{[clause.model_dump_json() for clause in self.when]}{self.opening_hours}{self.after_opening_s}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def component_of(self, part: str) -> str:
        """Component of the fault of a part."""
        return part.partition("/")[0] if self.component == MATCHED else self.component

    def part_of(self, pattern: PathPattern, path: str) -> str | None:
        """Part whose fault a path belongs to, ``None`` where ``pattern`` does not match it."""
        part = pattern.part_of(path)
        return path.partition("/")[0] if part == "" and self.component == MATCHED else part


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a rule that the device catalogue does not allow.

    Attributes:
        key: where in the rule, outermost first.
        value: what stands there.
        allowed: what may stand there.
    """

    key: tuple[str | int, ...]
    value: Any
    allowed: str


def problems(rule: Rule) -> Iterator[Problem]:
    """Check a rule's paths and words against the device catalogue."""
    for index, clause in enumerate(rule.when):
        patterns = [PathPattern(path) for path in clause.paths]
        for pattern in patterns:
            if pattern.is_repeated != patterns[0].is_repeated:
                yield Problem(
                    ("when", index),
                    pattern.text,
                    "either all paths of a clause name a part by *, or none: one part, one fault",
                )
            found = [row for kind in rule.kinds for row in pattern.signals(KINDS[kind])]
            sorts = _sorts(clause)
            if not found:
                yield Problem(
                    ("when", index), pattern.text, f"a signal of {', '.join(rule.kinds)} in the device catalogue"
                )
            elif any(row.sort not in sorts for row in found):
                yield Problem(
                    ("when", index), pattern.text, f"a signal whose sort is {' or '.join(sorts)}, not {found[0].sort}"
                )
            else:
                yield from _problems_of_kind(rule, index, clause, pattern, found)


def _problems_of_kind(
    rule: Rule, index: int, clause: Clause, pattern: PathPattern, rows: Sequence[Signal]
) -> Iterator[Problem]:
    """What one kind of clause asks of its rule, its path or its words."""
    if isinstance(clause, EveryClause) and (not pattern.is_repeated or rule.component == MATCHED):
        yield Problem(
            ("when", index, "every"),
            pattern.text,
            "a path that names parts by *, in a rule that names the component of its one fault",
        )
    if isinstance(clause, StateClause | EveryClause):
        known = {state.word for row in rows for state in row.states} - {"unknown"}
        for word in clause.words:
            if word not in known:
                yield Problem(("when", index, "in"), word, f"of {pattern.text}: {', '.join(sorted(known))}")
    if isinstance(clause, AbsenceClause) and (
        pattern.is_repeated or any(row.presence is not Presence.ALWAYS for row in rows)
    ):
        yield Problem(
            ("when", index, "absent"),
            pattern.text,
            "one signal without * that every device of the kind reports",
        )


def _sorts(clause: Clause) -> Sequence[Sort]:
    if isinstance(clause, StateClause | EveryClause):
        return (Sort.STATE,)
    if isinstance(clause, AbsenceClause):
        return (Sort.STATE, Sort.GAUGE, Sort.COUNTER)
    if isinstance(clause, IncreaseClause):
        return (Sort.COUNTER,)
    if isinstance(clause, EventClause):
        return (Sort.EVENT,)
    return (Sort.GAUGE, Sort.COUNTER)
