"""Which clauses of which rules watch a series: found once for each path of a kind, however many devices have it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rules.kinds.every import EveryClause
from rules.pattern import PathPattern
from rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a series.

    Attributes:
        rule: the rule.
        clause: index of the clause.
        path: index among the clause's paths; 0 is what the clause is about.
        part: part whose fault it decides.
    """

    rule: Rule
    clause: int
    path: int
    part: str


class RuleIndex:
    """Finds the uses of a path, and remembers what it found."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._patterns = [
            (rule, clause_index, path_index, PathPattern(path))
            for rule in rules
            for clause_index, clause in enumerate(rule.when)
            for path_index, path in enumerate(clause.paths)
        ]
        self._known: dict[tuple[str, str], tuple[Use, ...]] = {}

    def uses(self, kind: str, path: str) -> tuple[Use, ...]:
        """Uses of a concrete path of a device kind, in the order of rules and clauses."""
        known = self._known.get((kind, path))
        if known is None:
            known = self._known[kind, path] = tuple(self._find(kind, path))
        return known

    def _find(self, kind: str, path: str) -> list[Use]:
        found = []
        for rule, clause, position, pattern in self._patterns:
            part = rule.part_of(pattern, path) if kind in rule.kinds else None
            if part is not None and isinstance(rule.when[clause], EveryClause):
                part = ""  # all parts together make one fault
            if part is not None:
                found.append(Use(rule, clause, position, part))
        return found
