"""The simulated footfall sensor: entrance, counter and interface together, and what can happen to them."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from aiohttp import web

from simulators.footfall.counter import Counter
from simulators.footfall.credentials import Guard
from simulators.footfall.entrance import Entrance
from simulators.footfall.interface import NEWER_PATH, OLDER_PATH, application
from simulators.footfall.mishaps import Mishap, Mishaps
from simulators.footfall.profile import VISITORS_A_DAY, Profile
from simulators.footfall.sensor_clock import SensorClock
from simulators.footfall.visitors import Crowd
from simulators.world import CHINA, World

_LOOK_S = 1.0
"""Real seconds between two looks at the entrance; every request looks as well."""

_Change = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Quirks:
    """Peculiarities of one sensor; none by default.

    Attributes:
        old_paths: it has the older firmware and is found under its path only; else under both.
        basic_auth: it offers Basic only; else Digest and Basic.
        frozen_clock: its clock stands still from the beginning.
        swapped_direction: it was mounted the wrong way round.
    """

    old_paths: bool = False
    basic_auth: bool = False
    frozen_clock: bool = False
    swapped_direction: bool = False


class FootfallSimulator:
    """A people counter over the door of a branch, as :class:`~simulators.device.SimulatedDevice`.

    Visitors follow the world's local time. The counter lives by its own clock, which is the real one in local time without
    a zone: its totals go back to 0 at local midnight of that clock.

    Failures: ``covered`` (sees nobody though people come), ``clock_frozen``, ``swapped_direction``, ``knocked`` (misses a
    quarter of those who leave), ``swapped`` (another device with another serial number, counts from 0), ``http_errors``
    (status 500), ``offline`` (nobody listens on its port) and ``restart`` (totals from 0, out of reach while it boots; it
    comes back by itself). ``frozen_clock`` and ``sensor_swap`` are other names of two of them.

    Args:
        local_id: id inside the branch.
        world: world it lives in.
        port: port of its HTTP interface; 0 takes a free one, see :attr:`port`.
        host: address to listen on.
        name: name the counter gives itself, the local id where not given.
        visitors_a_day: mean on an average weekday; a branch of the second tier where not given.
        profile: when they come.
        credentials: name and password asked for by Digest or Basic, ``None`` to let everybody in.
        zone: local time zone of the device.
        clock_offset_s: how far its clock is ahead.
        boot_s: real seconds a restart takes.
        quirks: peculiarities.
        mishaps: whether it restarts, and its clock stands still, by itself now and then.
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
        profile: Profile = "cn",
        credentials: tuple[str, str] | None = None,
        zone: tzinfo = CHINA,
        clock_offset_s: float = 0.0,
        boot_s: float = 2.0,
        quirks: Quirks | None = None,
        mishaps: bool = False,
    ) -> None:
        self.local_id = local_id
        self.port = port
        self.name = local_id if name is None else name
        self.model = "M3057-PLVE"
        self.firmware = "5.2.1"
        self._world = world
        self._host = host
        self._quirks = quirks or Quirks()
        self._boot_ms = int(boot_s * 1000)
        self._chance = world.chance(f"{local_id}/counter")
        self._clock = SensorClock(world.clock, zone, clock_offset_s)
        self._failing = False
        self._offline = False
        self._booted_at_ms = 0
        self._own = self._new_counter()
        self._own.swapped = self._quirks.swapped_direction
        crowd = Crowd(visitors_a_day, world.chance(f"{local_id}/entrance"), world.local_time(), profile)
        self._entrance = Entrance(world, crowd, self._clock, self._own)
        if self._quirks.frozen_clock:
            self._clock.freeze()
        self._mishaps = Mishaps(world.chance(f"{local_id}/mishaps"), world.local_time()) if mishaps else None
        self._guard: Guard | None = None
        if credentials is not None:
            realm = f"AXIS_{self._own.serial}"
            self._guard = Guard(*credentials, realm, world.clock, basic_only=self._quirks.basic_auth)
        self._runner: web.AppRunner | None = None
        self._happen: Mapping[str, _Change] = {
            "covered": lambda: self._set_covered(True),
            "clock_frozen": self._clock.freeze,
            "frozen_clock": self._clock.freeze,
            "swapped_direction": lambda: self._set_swapped(not self._quirks.swapped_direction),
            "knocked": lambda: self._set_knocked(True),
            "swapped": self._swap,
            "sensor_swap": self._swap,
            "offline": lambda: self._set_offline(True),
            "http_errors": lambda: self._set_failing(True),
            "restart": self._restart,
        }
        self._by_itself: Mapping[Mishap, _Change] = {
            Mishap.RESTART: self._restart,
            Mishap.FREEZE: self._clock.freeze,
            Mishap.THAW: self._clock.thaw,
        }
        self._put_right: Mapping[str, _Change] = {
            "covered": lambda: self._set_covered(False),
            "clock_frozen": self._clock.thaw,
            "frozen_clock": self._clock.thaw,
            "swapped_direction": lambda: self._set_swapped(self._quirks.swapped_direction),
            "knocked": lambda: self._set_knocked(False),
            "swapped": self._swap_back,
            "sensor_swap": self._swap_back,
            "offline": lambda: self._set_offline(False),
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
        self._entrance.look()
        return self._entrance.counter

    @property
    def people_in(self) -> int:
        """Witness: people who really came in."""
        return self._entrance.people_in

    @property
    def people_out(self) -> int:
        """Witness: people who really went out."""
        return self._entrance.people_out

    @property
    def inside(self) -> int:
        """Witness: people really inside."""
        return self._entrance.inside

    def camera_time(self) -> datetime:
        """Time by the device's clock."""
        return self._clock.now()

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
        paths = (OLDER_PATH,) if self._quirks.old_paths else (OLDER_PATH, NEWER_PATH)
        interface = application(self, self._guard, paths)
        runner = web.AppRunner(interface, access_log=None, shutdown_timeout=1.0)
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
            self._entrance.look()
            if self._mishaps is not None:
                for mishap in self._mishaps.until(self._world.local_time()):
                    self._by_itself[mishap]()
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
        if self._offline:
            await self.stop()

    async def repair(self, failure: str) -> None:
        """Put a failure right.

        Raises:
            ValueError: no such failure.
            OSError: it was offline and somebody else took its port meanwhile.
        """
        was_offline = self._offline
        self._change(self._put_right, failure)()
        if was_offline and not self._offline:
            await self.start()

    def _change(self, changes: Mapping[str, _Change], failure: str) -> _Change:
        if failure not in changes:
            raise ValueError(f"{self.local_id}: no failure {failure!r}; a footfall sensor has {', '.join(changes)}")
        self._entrance.look()
        return changes[failure]

    def _new_counter(self) -> Counter:
        serial = f"ACCC8E{self._chance.randrange(16**6):06X}"
        return Counter(serial, self._clock.now().date(), self._chance)

    def _set_covered(self, covered: bool) -> None:
        self._entrance.counter.covered = covered

    def _set_swapped(self, swapped: bool) -> None:
        self._entrance.counter.swapped = swapped

    def _set_knocked(self, knocked: bool) -> None:
        self._entrance.counter.knocked = knocked

    def _set_failing(self, failing: bool) -> None:
        self._failing = failing

    def _set_offline(self, offline: bool) -> None:
        self._offline = offline

    def _swap(self) -> None:
        if self._entrance.counter is self._own:
            self._entrance.counter = self._new_counter()

    def _swap_back(self) -> None:
        self._entrance.counter = self._own

    def _restart(self) -> None:
        self._entrance.counter.restart()
        self._booted_at_ms = self._world.clock.now_ms() + self._boot_ms

    def _finish_boot(self) -> None:
        self._booted_at_ms = 0
