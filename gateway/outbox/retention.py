"""How long a pack is kept after the broker acknowledged it, by a clock that may be set meanwhile."""

from gateway.report import CLOCK_STEP_MS


class Retention:
    """Says before which time acknowledged packs are past their retention; pure.

    A clock that jumps ahead makes every pack look old, and the collector may not have them yet: a broker can lose what it
    acknowledged, and a server can be restored from a backup. So for one retention time after the clock was set nothing goes
    by its age. The size bound holds all the while.

    Args:
        newest_ms: newest time of the outbox's earlier life, 0 where there is none. A first look more than a retention time
            later says that the clock was set or the gateway was away for so long; either way nothing goes at once.
    """

    def __init__(self, newest_ms: int = 0) -> None:
        self._newest_ms = newest_ms
        self._looked_at: tuple[int, float] | None = None
        self._hold_until_s = 0.0

    def past_before_ms(self, now_ms: int, steady_s: float, retention_ms: int) -> int:
        """Look at the clock.

        Args:
            now_ms: now, milliseconds since 1970 UTC.
            steady_s: seconds by a clock that nobody sets.
            retention_ms: how long an acknowledged pack is kept.

        Returns:
            Milliseconds since 1970 UTC; 0 while ages cannot be told.
        """
        before, self._looked_at = self._looked_at, (now_ms, steady_s)
        if before is None:
            if self._newest_ms and now_ms - self._newest_ms > retention_ms:
                self._hold_until_s = steady_s + retention_ms / 1000
        else:
            elapsed_ms = (steady_s - before[1]) * 1000
            if abs(now_ms - before[0] - elapsed_ms) > CLOCK_STEP_MS:
                self._hold_until_s = steady_s + retention_ms / 1000
        return 0 if steady_s < self._hold_until_s else now_ms - retention_ms
