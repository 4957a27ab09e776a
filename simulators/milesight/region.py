"""The region in front of a sensor: how many people are in it, and how long they stay."""

from collections import deque
from datetime import datetime

_MOST_INSIDE = 500
"""Arrivals remembered for the stays; more people do not fit in."""


class Region:
    """People in a region, as far as the counter saw them; the first in is taken for the first out."""

    def __init__(self) -> None:
        self.most_inside = 0
        self._arrivals: deque[datetime] = deque(maxlen=_MOST_INSIDE)
        self._left = 0
        self._stayed_s = 0.0

    @property
    def dwell_s(self) -> int:
        """Mean stay of those who left in this interval, seconds; 0 where nobody did."""
        return round(self._stayed_s / self._left) if self._left else 0

    def pass_by(self, came: int, left: int, inside: int, now: datetime) -> None:
        """People came and left, at a local time; ``inside`` are there now."""
        self._arrivals.extend([now] * came)
        for _ in range(min(left, len(self._arrivals))):
            self._left += 1
            self._stayed_s += max(0.0, (now - self._arrivals.popleft()).total_seconds())
        self.most_inside = max(self.most_inside, inside)

    def begin_interval(self, inside: int) -> None:
        """Forget the interval; ``inside`` are there now."""
        self.most_inside = inside
        self._left, self._stayed_s = 0, 0.0
