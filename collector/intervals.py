"""Sets of whole numbers as inclusive intervals: which seqs of a gateway have been committed."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Interval = tuple[int, int]
"""An inclusive range ``(low, high)``."""


class IntervalSet:
    """A set of whole numbers that costs one entry a run, however long the run.

    Not safe for threads; the intake is its only writer.

    Attributes:
        fills: grows with every change but that the newest run grows upwards. While it stands, what is missing below
            :attr:`highest` is the same.
    """

    __slots__ = ("_highs", "_lows", "fills")

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        self.fills = 0
        self._lows: list[int] = []
        self._highs: list[int] = []
        for low, high in sorted(intervals):
            self.add(low, high)

    def add(self, low: int, high: int | None = None) -> None:
        """Put ``low`` to ``high`` (both included, ``high`` defaults to ``low``) into the set.

        Raises:
            ValueError: the range is upside down.
        """
        high = low if high is None else high
        if high < low:
            raise ValueError(f"interval {low} to {high}: expected the lower bound first")
        if self._highs and low == self._highs[-1] + 1:  # what comes in order, nearly all
            self._highs[-1] = high
            return
        self.fills += 1
        # Runs that overlap the new one or touch it melt into it.
        first = bisect_left(self._highs, low - 1)
        last = bisect_right(self._lows, high + 1)
        if first < last:
            low = min(low, self._lows[first])
            high = max(high, self._highs[last - 1])
        self._lows[first:last] = [low]
        self._highs[first:last] = [high]

    def missing(self, low: int, high: int) -> list[Interval]:
        """What of ``low`` to ``high`` is not in the set, as intervals in ascending order."""
        out: list[Interval] = []
        at = low
        for index in range(bisect_left(self._highs, low), len(self._lows)):
            if self._lows[index] > high:
                break
            if self._lows[index] > at:
                out.append((at, self._lows[index] - 1))
            at = self._highs[index] + 1
        if at <= high:
            out.append((at, high))
        return out

    @property
    def highest(self) -> int | None:
        """Largest number in the set; ``None`` where it is empty."""
        return self._highs[-1] if self._highs else None

    def size(self) -> int:
        """How many numbers the set holds."""
        return sum(self._highs) - sum(self._lows) + len(self._lows)

    def copy(self) -> "IntervalSet":
        """An independent set with the same numbers."""
        new = IntervalSet()
        new._lows, new._highs = self._lows.copy(), self._highs.copy()
        return new

    def __contains__(self, number: int) -> bool:
        index = bisect_left(self._highs, number)
        return index < len(self._lows) and self._lows[index] <= number

    def __iter__(self) -> Iterator[Interval]:
        """The runs in ascending order; between two of them at least one number is missing."""
        return iter(list(zip(self._lows, self._highs, strict=True)))

    def __len__(self) -> int:
        """How many runs."""
        return len(self._lows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IntervalSet):
            return NotImplemented
        return self._lows == other._lows and self._highs == other._highs

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"IntervalSet({list(self)!r})"
