"""How far a panel's clock is off, from the times in its messages."""

from collections import deque
from typing import Final

_WINDOW_S: Final = 600.0
_MOST_SAMPLES: Final = 64


class SkewEstimate:
    """Panel clock minus gateway clock.

    A message says when it was made, not when it was sent: one that waited in the panel's queue looks like a slow clock. A
    wait can only make the difference smaller, so the largest of the last ten minutes is nearest to the truth.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_MOST_SAMPLES)

    def add(self, panel_ms: int, gateway_ms: int, now_s: float) -> None:
        """Take one message's time; ``now_s`` is on a steady clock."""
        self._samples.append((now_s, (panel_ms - gateway_ms) / 1000))
        while self._samples[0][0] < now_s - _WINDOW_S:
            self._samples.popleft()

    @property
    def estimate_s(self) -> float | None:
        """Skew in seconds, positive where the panel is ahead; ``None`` where no message had a time."""
        return max((skew_s for _, skew_s in self._samples), default=None)
