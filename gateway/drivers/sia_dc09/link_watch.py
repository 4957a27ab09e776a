"""Whether a panel still calls. Pure: all times are on the one steady clock the caller keeps."""

import math
from dataclasses import dataclass

_JUST_AFTER_S = 0.005


@dataclass(slots=True)
class LinkWatch:
    """When a panel was last heard, and what follows from it.

    Attributes:
        line_fail_s: seconds of silence after which the link is down.
        reconnects: times the panel came back after that.
    """

    line_fail_s: float
    reconnects: int = 0
    _heard_s: float | None = None
    _waiting_since_s: float | None = None
    _was_down: bool = False

    def recall(self, reconnects: int) -> None:
        """Go on with what was kept: a return that is on disk was told."""
        self._was_down = self._was_down and reconnects == self.reconnects
        self.reconnects = reconnects

    @property
    def reconnects_if_heard(self) -> int:
        """What :attr:`reconnects` becomes with the next message."""
        return self.reconnects + self._was_down

    def heard(self, now_s: float) -> None:
        """Note that the panel sent something that only it can have sent."""
        self.reconnects = self.reconnects_if_heard
        self._heard_s = now_s
        self._was_down = False

    def age_s(self, now_s: float) -> float:
        """Seconds since the last message, or since somebody first waited for one."""
        if self._waiting_since_s is None:
            self._waiting_since_s = now_s
        return now_s - (self._waiting_since_s if self._heard_s is None else self._heard_s)

    def state(self, now_s: float) -> str:
        """Word of ``link/state``: ``unknown`` while a panel that was never heard may still come."""
        if self.age_s(now_s) > self.line_fail_s:
            return "down"
        return "unknown" if self._heard_s is None else "up"

    def told(self, state: str) -> None:
        """Note what was reported. A panel that was never heard does not come back, it comes for the first time."""
        self._was_down = state == "down" and self._heard_s is not None

    def seconds_to_verdict(self, now_s: float) -> float:
        """Seconds until the link would count as down; infinite where it already does."""
        since_s = self._heard_s if self._heard_s is not None else self._waiting_since_s
        if since_s is None:
            return math.inf
        left_s = since_s + self.line_fail_s - now_s + _JUST_AFTER_S
        return left_s if left_s > 0 else math.inf
