"""Kind ``every``: a state signal has one of some words in every part of the device that reports it; one fault for all.

Missing data: parts that never reported are left out. One part that is well is enough for the verdict; where none is and one
says ``unknown``, the verdict is withheld. Silence changes nothing: the last word stands. Repeated data changes nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ConfigDict, Field

from contracts.signals import Signal
from rules.kinds.clause import ClauseModel, SignalPath
from rules.verdict import MET, NOT_MET, Memory, without_data


class EveryClause(ClauseModel):
    """``every: path`` with a ``*``, ``in: [words]``."""

    model_config = ConfigDict(populate_by_name=True)

    every: SignalPath
    words: tuple[str, ...] = Field(alias="in", min_length=1)

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.every,)

    def check(self, signal: Signal) -> "EveryCheck":
        ordinals = (signal.ordinal(word) for word in self.words)
        return EveryCheck(
            ordinals=frozenset(ordinal for ordinal in ordinals if ordinal is not None), unknown=signal.unknown_ordinal
        )


@dataclass(frozen=True, slots=True)
class EveryCheck:
    """An every clause bound to a signal's vocabulary; its values are those of all parts."""

    ordinals: frozenset[int]
    unknown: int

    def read(self, memory: Memory, values: Sequence[float], at_ms: int) -> Memory:  # noqa: ARG002  (the kinds share the signature)
        others = [value for value in values if value not in self.ordinals and not math.isnan(value)]
        if any(value != self.unknown for value in others):
            return NOT_MET
        return without_data(memory) if others else MET

    def deadline_ms(self, memory: Memory, seen_ms: int) -> int | None:  # noqa: ARG002
        return None

    def elapse(self, memory: Memory) -> Memory:
        return memory

    def quiet(self, memory: Memory) -> tuple[float, float] | None:  # noqa: ARG002
        return None
