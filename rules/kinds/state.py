"""Kind ``state``: a state signal has one of some words, where asked for without a break for a time.

Missing data: the word ``unknown`` withholds the verdict. A clause that was true is lost and holds its fault; a time that
was running ends. Silence changes nothing: the last word stands. Repeated data changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ConfigDict, Field

from contracts.signals import Signal
from rules.kinds.clause import ClauseModel, SignalPath
from rules.verdict import MET, NOT_MET, Memory, Verdict, without_data


class StateClause(ClauseModel):
    """``state: path``, ``in: [words]``, ``held_s``: seconds the state must last, 0 for at once."""

    model_config = ConfigDict(populate_by_name=True)

    state: SignalPath
    words: tuple[str, ...] = Field(alias="in", min_length=1)
    held_s: float = Field(default=0.0, ge=0)

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.state,)

    def check(self, signal: Signal) -> "StateCheck":
        ordinals = (signal.ordinal(word) for word in self.words)
        return StateCheck(
            ordinals=frozenset(ordinal for ordinal in ordinals if ordinal is not None),
            unknown=signal.unknown_ordinal,
            held_ms=round(self.held_s * 1000),
        )


@dataclass(frozen=True, slots=True)
class StateCheck:
    """A state clause bound to a signal's vocabulary."""

    ordinals: frozenset[int]
    unknown: int
    held_ms: int

    def read(self, memory: Memory, values: Sequence[float], at_ms: int) -> Memory:
        value = values[0]
        if value == self.unknown:
            return without_data(memory)
        if value not in self.ordinals:
            return NOT_MET
        if self.held_ms == 0 or memory.verdict in {Verdict.TRUE, Verdict.LOST}:
            return MET
        return memory if memory.since_ms else Memory(Verdict.FALSE, at_ms)

    def deadline_ms(self, memory: Memory, seen_ms: int) -> int | None:  # noqa: ARG002  (the kinds share the signature)
        return memory.since_ms + self.held_ms if memory.since_ms else None

    def elapse(self, memory: Memory) -> Memory:  # noqa: ARG002
        return MET

    def quiet(self, memory: Memory) -> tuple[float, float] | None:  # noqa: ARG002
        return None
