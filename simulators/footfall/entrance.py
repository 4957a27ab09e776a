"""The door of a branch: the people who pass it, and the counter that hangs over it."""

from datetime import timedelta

from simulators.footfall.counter import Counter
from simulators.footfall.sensor_clock import SensorClock
from simulators.footfall.visitors import Crowd, Direction
from simulators.world import World


class Entrance:
    """Lets the people of the world pass under a counter.

    Args:
        world: world whose local time people follow.
        crowd: everybody who uses the door.
        clock: the counter's clock.
        counter: the counter; another one may be hung there.

    Attributes:
        people_in: witness: people who really came in.
        people_out: witness: people who really went out.
    """

    def __init__(self, world: World, crowd: Crowd, clock: SensorClock, counter: Counter) -> None:
        self.counter = counter
        self.people_in = 0
        self.people_out = 0
        self.sees = True
        self._world = world
        self._crowd = crowd
        self._clock = clock

    @property
    def inside(self) -> int:
        """Witness: people really inside."""
        return self._crowd.inside

    def look(self) -> None:
        """Let everybody pass who came since the last look; a counter that is not awake (``sees``) misses them."""
        sensor_now, local_now = self._clock.now(), self._world.local_time()
        for crossing in self._crowd.advance(local_now):
            if crossing.direction is Direction.IN:
                self.people_in += 1
            else:
                self.people_out += 1
            ago = timedelta(seconds=self._world.real_s((local_now - crossing.at).total_seconds()))
            if self.sees:
                self.counter.see(crossing.direction, sensor_now if self._clock.is_frozen else sensor_now - ago)
        self.counter.tick(sensor_now)
