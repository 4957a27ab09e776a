"""Kind ``increase``: a counter grew by at least so much within a time.

Growth counts from when it was reported until the time has passed, so time alone ends it. A fall is a reset: the counter
then counts from 0. The first reading only says where the counter stands. Missing data: what grew during a silence counts
when it is told; back-fill tells nothing. Repeated data changes nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from contracts.signals import Signal
from rules.kinds.clause import ClauseModel, SignalPath
from rules.verdict import Growth, Memory, Verdict


class IncreaseClause(ClauseModel):
    """``increase: path``, ``at_least``: counts, ``within_s``: seconds of the window that ends now."""

    increase: SignalPath
    at_least: float = Field(ge=1, le=1000)
    within_s: float = Field(gt=0)

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.increase,)

    def check(self, signal: Signal) -> "IncreaseCheck":  # noqa: ARG002  (numbers need no vocabulary)
        return IncreaseCheck(self.at_least, round(self.within_s * 1000))


@dataclass(frozen=True, slots=True)
class IncreaseCheck:
    """An increase clause; what it remembers is where the counter stood and the growths that can still matter."""

    at_least: float
    within_ms: int

    def read(self, memory: Memory, values: Sequence[float], at_ms: int) -> Memory:
        value = values[0]
        if math.isnan(value) or value == memory.level:
            return memory
        if memory.level is None:
            return Memory(Verdict.FALSE, level=value)
        growth = value - memory.level if value > memory.level else value
        grown = [entry for entry in memory.grown if entry[0] + self.within_ms > at_ms]
        if growth > 0:
            if grown and grown[-1][0] == at_ms:
                growth += grown.pop()[1]
            grown.append((at_ms, growth))
        return self._judge(value, grown)

    def _judge(self, level: float | None, grown: list[Growth]) -> Memory:
        """The verdict, with no more growths than it takes.

        Once the newest ones are enough, an older one expires before it could make a difference. So whole counts never need
        more of them than ``at_least``; of a counter that creeps in fractions the oldest are put together.
        """
        total = math.fsum(growth for _, growth in grown)
        while grown and total - grown[0][1] >= self.at_least:
            total -= grown.pop(0)[1]
        if len(grown) > self.at_least:
            (_, first), (at_ms, second), *rest = grown
            grown = [(at_ms, first + second), *rest]
        return Memory(Verdict.TRUE if total >= self.at_least else Verdict.FALSE, level=level, grown=tuple(grown))

    def deadline_ms(self, memory: Memory, seen_ms: int) -> int | None:  # noqa: ARG002  (the kinds share the signature)
        return memory.grown[0][0] + self.within_ms if memory.grown else None

    def elapse(self, memory: Memory) -> Memory:
        return self._judge(memory.level, list(memory.grown[1:]))

    def quiet(self, memory: Memory) -> tuple[float, float] | None:  # noqa: ARG002
        return None
