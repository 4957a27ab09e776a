"""Kind ``absent``: nothing was received of a signal that the inventory says is there.

Time counts from the newest live reading or, where there never was one, from when the device came into the inventory. Any
live reading ends it; back-fill does not, because it says nothing about the device now.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from contracts.signals import Signal
from rules.kinds.clause import ClauseModel, SignalPath
from rules.verdict import MET, NOT_MET, Memory, Verdict


class AbsenceClause(ClauseModel):
    """``absent: path``, ``for_s``: seconds of silence."""

    absent: SignalPath
    for_s: float = Field(gt=0)

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.absent,)

    def check(self, signal: Signal) -> "AbsenceCheck":  # noqa: ARG002  (silence has no vocabulary)
        return AbsenceCheck(round(self.for_s * 1000))


@dataclass(frozen=True, slots=True)
class AbsenceCheck:
    """An absence clause; ``since_ms`` of its memory is when the device became expected."""

    silent_ms: int

    def read(self, memory: Memory, values: Sequence[float], at_ms: int) -> Memory:  # noqa: ARG002
        return NOT_MET

    def deadline_ms(self, memory: Memory, seen_ms: int) -> int | None:
        begin_ms = max(memory.since_ms, seen_ms)
        return None if memory.verdict is Verdict.TRUE or begin_ms == 0 else begin_ms + self.silent_ms

    def elapse(self, memory: Memory) -> Memory:  # noqa: ARG002
        return MET

    def quiet(self, memory: Memory) -> tuple[float, float] | None:
        return (-math.inf, math.inf) if memory.verdict is Verdict.FALSE else None
