"""What all simulated devices of a run share: seed, pace and the local time of day."""

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from runtime.clock import Clock, SystemClock

CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True)
class World:
    """One simulated world.

    Devices stamp what they say with the real clock. What people do (visit, withdraw) follows the local time of day, which
    starts at ``opening`` and runs ``pace`` times as fast as the real one, so that a demonstration of minutes shows hours
    of use.

    Args:
        seed: everything random follows from it, the scope and a device's name.
        pace: hours of use per real hour, 1 for real time.
        begin_at: local time at which the world begins; ``None`` for now.
        day_s: length of a day's use in seconds of the world; after it the next day begins at the same time of day. ``None``
            for days with nights.
        clock: the real time.
        scope: what this view of the world is for, so that equal names in two branches have different luck.
    """

    seed: int = 1
    pace: float = 1.0
    begin_at: datetime | None = None
    day_s: float | None = None
    clock: Clock = field(default_factory=SystemClock)
    scope: str = ""
    _began_ms: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_began_ms", self.clock.now_ms())

    def local_time(self) -> datetime:
        """Local time of day by which people behave."""
        elapsed_s = (self.clock.now_ms() - self._began_ms) / 1000 * self.pace
        begin = self.begin_at or datetime.fromtimestamp(self._began_ms / 1000, CHINA)
        if self.day_s is None:
            return begin + timedelta(seconds=elapsed_s)
        days, of_today_s = divmod(elapsed_s, self.day_s)
        return begin + timedelta(days=days, seconds=of_today_s)

    def chance(self, name: str) -> random.Random:
        """Random source of one device or process; the same seed and name give the same sequence."""
        return random.Random(f"{self.seed}/{self.scope}/{name}")

    def of(self, scope: str) -> "World":
        """The same world for one branch."""
        return replace(self, scope=scope)

    def real_s(self, world_s: float) -> float:
        """Real seconds that so many seconds of the world take."""
        return world_s / self.pace
