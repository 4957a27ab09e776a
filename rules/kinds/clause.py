"""What all kinds of clauses have."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict

from contracts.signals import Signal
from rules.pattern import PathPattern
from rules.verdict import Memory


def _path(text: str) -> str:
    PathPattern(text)
    return text


SignalPath = Annotated[str, AfterValidator(_path)]


class ClauseModel(BaseModel):
    """A clause as a rule file writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Check(Protocol):
    """A clause bound to the signal of one device. Pure: memory and readings in, memory out."""

    def read(self, memory: Memory, values: Sequence[float], at_ms: int) -> Memory:
        """Take a reading.

        Args:
            memory: before it.
            values: newest value of each of the clause's paths, NaN where there is none.
            at_ms: observation time.
        """
        ...

    def deadline_ms(self, memory: Memory, seen_ms: int) -> int | None:
        """When time alone makes the clause true, ``None`` where it does not.

        Args:
            memory: as it is.
            seen_ms: observation time of the newest reading of the clause's first path, 0 where there is none.
        """
        ...

    def elapse(self, memory: Memory) -> Memory:
        """Memory at the deadline."""
        ...

    def quiet(self, memory: Memory) -> tuple[float, float] | None:
        """Closed interval of values that change nothing in ``memory``; ``None`` where every new value is to be read."""
        ...


class Clause(Protocol):
    """A clause of any kind."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Path patterns the clause reads, the one it is about first."""
        ...

    def check(self, signal: Signal) -> Check:
        """Bind the clause to the catalogue row of its first path."""
        ...
