"""The simulated footfall sensor: entrance, counter and interface together, and what can happen to them."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from aiohttp import web

from simulators.footfall.counter import Counter
from simulators.footfall.credentials import Guard
from simulators.footfall.interface import application
from simulators.footfall.profile import VISITORS_A_DAY
from simulators.footfall.visitors import Crowd, Direction
from simulators.world import CHINA, World

_LOOK_S = 1.0
"""Real seconds between two looks at the entrance; every request looks as well."""

_Change = Callable[[], None]


class FootfallSimulator:
    """A people counter over the door of a branch, as :class:`~simulators.device.SimulatedDevice`.

    Visitors follow the world's local time. The counter lives by its own clock, which is the real one in local time without
    a zone: its totals go back to 0 at local midnight of that clock.

    Failures: ``covered`` (sees nobody though people come), ``frozen_clock``, ``swapped_direction``, ``knocked`` (misses a
    quarter of those who leave), ``sensor_swap`` (another serial number, counts from 0), ``http_errors`` (status 500) and
    ``restart`` (totals from 0, out of reach while it boots; it comes back by itself).

    Args:
        local_id: id inside the branch.
        world: world it lives in.
        port: port of its HTTP interface; 0 takes a free one, see :attr:`port`.
        host: address to listen on.
        name: name the counter gives itself, the local id where not given.
        visitors_a_day: mean on an average weekday; a branch of the second tier where not given.
        credentials: name and password asked for by Digest or Basic, ``None`` to let everybody in.
        zone: local time zone of the device.
        clock_offset_s: how far its clock is ahead.
        boot_s: real seconds a restart takes.
    """

    kind = "footfall_sensor"

    def __init__(
        self,
        local_id: str,
        world: World,
        port: int,
        *,
        host: str = "127.0.0.1",
        name: str | None = None,
        visitors_a_day: float = VISITORS_A_DAY[2],
        credentials: tuple[str, str] | None = None,
        zone: tzinfo = CHINA,
        clock_offset_s: float = 0.0,
        boot_s: float = 2.0,
    ) -> None:
        self.local_id = local_id
        self.port = port
        self.name = local_id if name is None else name
        self.model = "M3057-PLVE"
        self.firmware = "5.2.1"
        self.people_in = 0
        self.people_out = 0
        self._world = world
        self._host = host
        self._zone = zone
        self._offset = timedelta(seconds=clock_offset_s)
        self._boot_ms = int(boot_s * 1000)
        self._chance = world.chance(f"{local_id}/counter")
        self._crowd = Crowd(visitors_a_day, world.chance(f"{local_id}/entrance"), world.local_time())
        self._frozen_at: datetime | None = None
        self._failing = False
        self._booted_at_ms = 0
        self._own = self._new_counter()
        self._counter = self._own
        self._guard = None if credentials is None else Guard(*credentials, f"AXIS_{self._own.serial}", world.clock)
        self._runner: web.AppRunner | None = None
        self._happen: Mapping[str, _Change] = {
            "covered": lambda: self._set_covered(True),
            "frozen_clock": self._freeze,
            "swapped_direction": lambda: self._set_swapped(True),
            "knocked": lambda: self._set_knocked(True),
            "sensor_swap": self._swap,
            "http_errors": lambda: self._set_failing(True),
            "restart": self._restart,
        }
        self._put_right: Mapping[str, _Change] = {
            "covered": lambda: self._set_covered(False),
            "frozen_clock": self._thaw,
            "swapped_direction": lambda: self._set_swapped(False),
            "knocked": lambda: self._set_knocked(False),
            "sensor_swap": self._swap_back,
            "http_errors": lambda: self._set_failing(False),
            "restart": self._finish_boot,
        }

    @property
    def failures(self) -> Collection[str]:
        """Names of the failures that can be injected."""
        return tuple(self._happen)

    @property
    def counter(self) -> Counter:
        """The counter at the door, having seen everybody who crossed until now."""
        self._look()
        return self._counter

    @property
    def inside(self) -> int:
        """Witness: people really inside."""
        return self._crowd.inside

    def camera_time(self) -> datetime:
        """Time by the device's clock."""
        if self._frozen_at is not None:
            return self._frozen_at
        return datetime.fromtimestamp(self._world.clock.now_ms() / 1000, UTC).astimezone(self._zone) + self._offset

    def refusal(self) -> int | None:
        """Status with which it refuses now: 503 while it boots, 500 while its application fails."""
        if self._world.clock.now_ms() < self._booted_at_ms:
            return 503
        return 500 if self._failing else None

    async def start(self) -> None:
        """Listen on the port.

        Raises:
            OSError: the port is taken.
        """
        runner = web.AppRunner(application(self, self._guard), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self.port)
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self.port = int(runner.addresses[0][1])
        self._runner = runner

    async def run(self) -> None:
        """Live until cancelled."""
        while True:
            self._look()
            await asyncio.sleep(_LOOK_S)

    async def stop(self) -> None:
        """Close the port and the connections."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def inject(self, failure: str) -> None:
        """Let a failure happen now; one that is already there changes nothing.

        Raises:
            ValueError: no such failure.
        """
        self._change(self._happen, failure)()

    async def repair(self, failure: str) -> None:
        """Put a failure right.

        Raises:
            ValueError: no such failure.
        """
        self._change(self._put_right, failure)()

    def _change(self, changes: Mapping[str, _Change], failure: str) -> _Change:
        if failure not in changes:
            raise ValueError(f"{self.local_id}: no failure {failure!r}; a footfall sensor has {', '.join(changes)}")
        self._look()
        return changes[failure]

    def _look(self) -> None:
        camera_now, local_now = self.camera_time(), self._world.local_time()
        for crossing in self._crowd.advance(local_now):
            if crossing.direction is Direction.IN:
                self.people_in += 1
            else:
                self.people_out += 1
            ago = timedelta(seconds=self._world.real_s((local_now - crossing.at).total_seconds()))
            self._counter.see(crossing.direction, camera_now if self._frozen_at is not None else camera_now - ago)
        self._counter.tick(camera_now)

    def _new_counter(self) -> Counter:
        serial = f"ACCC8E{self._chance.randrange(16**6):06X}"
        return Counter(serial, self.camera_time().date(), self._chance)

    def _set_covered(self, covered: bool) -> None:
        self._counter.covered = covered

    def _set_swapped(self, swapped: bool) -> None:
        self._counter.swapped = swapped

    def _set_knocked(self, knocked: bool) -> None:
        self._counter.knocked = knocked

    def _set_failing(self, failing: bool) -> None:
        self._failing = failing

    def _freeze(self) -> None:
        self._frozen_at = self.camera_time()

    def _thaw(self) -> None:
        self._frozen_at = None

    def _swap(self) -> None:
        if self._counter is self._own:
            self._counter = self._new_counter()

    def _swap_back(self) -> None:
        self._counter = self._own

    def _restart(self) -> None:
        self._counter.restart()
        self._booted_at_ms = self._world.clock.now_ms() + self._boot_ms

    def _finish_boot(self) -> None:
        self._booted_at_ms = 0
