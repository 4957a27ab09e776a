"""What one clause of a rule says about one part of a device, and how it is remembered."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, TypeAlias


class Verdict(IntEnum):
    """Verdict of a clause. The numbers are stored; append only."""

    NONE = 0  # no data yet, or data that says nothing: no opinion
    FALSE = 1
    TRUE = 2
    LOST = 3  # was true, and the device no longer says: holds a fault, raises none
    FORGOTTEN = 4  # the device left: no opinion, and the next reading is news even where it says the same as before


Growth: TypeAlias = tuple[int, float]
"""When a counter grew, milliseconds since 1970 UTC, and by how much."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a clause remembers.

    Attributes:
        verdict: the latest.
        since_ms: when the timer of the clause's own began (a state that must be held, a device that must report),
            milliseconds since 1970 UTC; 0 where none runs.
        level: where a counter stood, ``None`` for clauses that look at none.
        grown: the counter's growths that can still matter, oldest first.
    """

    verdict: Verdict = Verdict.NONE
    since_ms: int = 0
    level: float | None = None
    grown: tuple[Growth, ...] = ()

    @property
    def is_trivial(self) -> bool:
        """Whether the newest readings alone would give the same memory, so that it need not be stored."""
        return self.verdict in {Verdict.NONE, Verdict.FALSE} and self.since_ms == 0 and not self.grown


NOTHING: Final = Memory()
MET: Final = Memory(Verdict.TRUE)
NOT_MET: Final = Memory(Verdict.FALSE)
"""The same objects for every clause: making and comparing them anew is what a reading would cost most."""


def without_data(memory: Memory) -> Memory:
    """Memory after the device said that it does not know."""
    return Memory(Verdict.LOST if memory.verdict in {Verdict.TRUE, Verdict.LOST} else Verdict.NONE)


class Truth(Enum):
    """Verdict of a whole condition."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


def any_of(verdicts: Iterable[Verdict]) -> Truth:
    """Combine clauses of which one is enough.

    A clause that was true and is lost keeps the others from clearing; a clause without opinion has no say.
    """
    seen = set(verdicts)
    if Verdict.TRUE in seen:
        return Truth.MET
    if Verdict.LOST in seen or Verdict.FALSE not in seen:
        return Truth.UNKNOWN
    return Truth.NOT_MET
