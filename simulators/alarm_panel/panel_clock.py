"""The panel's own clock: a little off, drifting where it has no time source, and set by a receiver's NAK."""

from runtime.clock import Clock

_MS_A_DAY = 86_400_000


class PanelClock:
    """Time by the panel.

    Args:
        clock: true time.
        offset_s: how far the panel's clock is ahead at first, seconds.
        drift_s_a_day: how much further ahead it gets, seconds a day.
    """

    def __init__(self, clock: Clock, offset_s: float, drift_s_a_day: float = 0.0) -> None:
        self._clock = clock
        self._offset_ms = int(offset_s * 1000)
        self._drift_s_a_day = drift_s_a_day
        self._set_at_ms = clock.now_ms()

    @property
    def offset_ms(self) -> int:
        """How far it is ahead now, milliseconds."""
        days = (self._clock.now_ms() - self._set_at_ms) / _MS_A_DAY
        return self._offset_ms + int(days * self._drift_s_a_day * 1000)

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC, as the panel has it."""
        return self._clock.now_ms() + self.offset_ms

    def set_to(self, now_ms: int) -> None:
        """Take over somebody else's time, milliseconds since 1970 UTC."""
        self._set_at_ms = self._clock.now_ms()
        self._offset_ms = now_ms - self._set_at_ms
