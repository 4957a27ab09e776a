"""Kind ``threshold``: a number is above or below a limit, which is a number or another signal of the same part.

The deadband applies to clearing only: the value must come back past the limit by it. Missing data: without a value or a
limit there is no verdict; silence changes nothing. Repeated data changes nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from contracts.signals import Signal
from rules.kinds.clause import ClauseModel, SignalPath
from rules.verdict import MET, NOT_MET, Memory, Verdict


class SignalLimit(ClauseModel):
    """A limit that the device itself reports: ``{signal: path}``."""

    signal: SignalPath


class PercentBand(ClauseModel):
    """A deadband in percent of another signal of the part: ``{percent: 2, of: path}``; 0 until that is known."""

    percent: float = Field(gt=0, le=100)
    of: SignalPath


class ThresholdClause(ClauseModel):
    """``threshold: path`` with ``above`` or ``below``; ``abs`` compares the absolute value."""

    model_config = ConfigDict(populate_by_name=True)

    threshold: SignalPath
    above: float | SignalLimit | None = None
    below: float | SignalLimit | None = None
    absolute: bool = Field(default=False, alias="abs")
    deadband: float | PercentBand = 0.0

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("expected either above or below")
        if isinstance(self.deadband, float) and self.deadband < 0:
            raise ValueError(f"deadband {self.deadband}: expected 0 or more")
        return self

    @property
    def limit(self) -> float | SignalLimit:
        """The limit, whichever side."""
        limit = self.above if self.above is not None else self.below
        if limit is None:
            raise AssertionError("the validator lets no clause through without a limit")
        return limit

    @property
    def paths(self) -> tuple[str, ...]:
        paths = [self.threshold]
        if isinstance(self.limit, SignalLimit):
            paths.append(self.limit.signal)
        if isinstance(self.deadband, PercentBand):
            paths.append(self.deadband.of)
        return tuple(paths)

    def check(self, signal: Signal) -> "ThresholdCheck":  # noqa: ARG002  (numbers need no vocabulary)
        limit_signal = isinstance(self.limit, SignalLimit)
        return ThresholdCheck(
            sign=1.0 if self.above is not None else -1.0,
            absolute=self.absolute,
            limit=None if isinstance(self.limit, SignalLimit) else self.limit,
            band=self.deadband if isinstance(self.deadband, float) else 0.0,
            band_percent=self.deadband.percent if isinstance(self.deadband, PercentBand) else 0.0,
            band_index=1 + limit_signal,
        )


@dataclass(frozen=True, slots=True)
class ThresholdCheck:
    """A threshold clause ready to compare.

    Attributes:
        sign: 1 for above, -1 for below.
        absolute: compare the absolute value.
        limit: the limit, ``None`` where it is the second of the values.
        band: deadband in the signal's unit.
        band_percent: deadband in percent of the value at ``band_index``, 0 where it is not.
        band_index: where that value stands.
    """

    sign: float
    absolute: bool
    limit: float | None
    band: float
    band_percent: float
    band_index: int

    def read(self, memory: Memory, values: Sequence[float], at_ms: int) -> Memory:  # noqa: ARG002
        value = abs(values[0]) if self.absolute else values[0]
        limit = values[1] if self.limit is None else self.limit
        if math.isnan(value) or math.isnan(limit):
            return memory
        beyond = (value - limit) * self.sign
        if beyond > 0:
            return MET
        was_true = memory.verdict is Verdict.TRUE
        return MET if was_true and -beyond < self._band(values) else NOT_MET

    def _band(self, values: Sequence[float]) -> float:
        if self.band_percent == 0:
            return self.band
        base = values[self.band_index]
        return 0.0 if math.isnan(base) else abs(base) * self.band_percent / 100

    def deadline_ms(self, memory: Memory, seen_ms: int) -> int | None:  # noqa: ARG002
        return None

    def elapse(self, memory: Memory) -> Memory:
        return memory

    def quiet(self, memory: Memory) -> tuple[float, float] | None:
        if self.limit is None or self.band_percent or memory.verdict not in {Verdict.TRUE, Verdict.FALSE}:
            return None
        if memory.verdict is Verdict.FALSE:
            if self.absolute:
                return (-self.limit, self.limit) if self.sign > 0 else None
            return (-math.inf, self.limit) if self.sign > 0 else (self.limit, math.inf)
        if self.absolute:
            return None
        if self.sign > 0:
            return (math.nextafter(self.limit, math.inf), math.inf)
        return (-math.inf, math.nextafter(self.limit, -math.inf))
