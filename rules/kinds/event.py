"""Kind ``event``: an event arrives. It raises at once, and its fault lasts as long as the clause says.

Missing data: silence raises nothing, and time alone ends what an event raised. Back-fill tells nothing. Repeated data, an
event not newer than one already taken of its series, changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from contracts.signals import Signal
from rules.kinds.clause import ClauseModel, SignalPath
from rules.verdict import NOT_MET, Memory, Verdict


class EventClause(ClauseModel):
    """``event: path``, ``for_s``: seconds it lasts, counted from the last one; 0 for a moment, which is what latches are for."""

    event: SignalPath
    for_s: float = Field(default=0.0, ge=0)

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.event,)

    def check(self, signal: Signal) -> "EventCheck":  # noqa: ARG002  (texts are not looked at)
        return EventCheck(round(self.for_s * 1000))


@dataclass(frozen=True, slots=True)
class EventCheck:
    """An event clause; ``since_ms`` of its memory is when the last event came, while that lasts."""

    for_ms: int

    def read(self, memory: Memory, values: Sequence[float], at_ms: int) -> Memory:  # noqa: ARG002  (the kinds share the signature)
        return Memory(Verdict.TRUE, at_ms)

    def deadline_ms(self, memory: Memory, seen_ms: int) -> int | None:  # noqa: ARG002
        return memory.since_ms + self.for_ms if memory.verdict is Verdict.TRUE else None

    def elapse(self, memory: Memory) -> Memory:  # noqa: ARG002
        return NOT_MET

    def quiet(self, memory: Memory) -> tuple[float, float] | None:  # noqa: ARG002
        return None
