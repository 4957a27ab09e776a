"""The clock of a footfall sensor: the real one in local time, off by a little, and sometimes frozen."""

from datetime import UTC, datetime, timedelta, tzinfo

from runtime.clock import Clock


class SensorClock:
    """Time by the sensor.

    Args:
        clock: true time.
        zone: local time zone of the sensor.
        offset_s: how far it is ahead, seconds.
    """

    def __init__(self, clock: Clock, zone: tzinfo, offset_s: float) -> None:
        self._clock = clock
        self._zone = zone
        self._offset = timedelta(seconds=offset_s)
        self._frozen_at: datetime | None = None

    @property
    def is_frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen_at is not None

    def now(self) -> datetime:
        """Local time of the sensor."""
        if self._frozen_at is not None:
            return self._frozen_at
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).astimezone(self._zone) + self._offset

    def freeze(self) -> None:
        """Let it stand still from now on."""
        self._frozen_at = self.now()

    def thaw(self) -> None:
        """Let it go on, at the right time."""
        self._frozen_at = None
