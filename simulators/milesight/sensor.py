"""The simulated Milesight people counter: entrance, counter, reports and what can happen to them."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta, tzinfo
from typing import Literal

from runtime.supervisor import Backoff
from simulators.footfall.counter import Bin, Counter
from simulators.footfall.entrance import Entrance
from simulators.footfall.mishaps import Mishap, Mishaps
from simulators.footfall.profile import VISITORS_A_DAY, Profile
from simulators.footfall.sensor_clock import SensorClock
from simulators.footfall.visitors import Crowd
from simulators.milesight.delivery import Channel, Counts, Delivery, HttpChannel, MqttChannel, MqttTarget
from simulators.milesight.identity import Identity, draw_identity, filled
from simulators.milesight.region import Region
from simulators.milesight.report import Counted, Quirks, periodic, trigger
from simulators.world import CHINA, World

_LOOK_S = 1.0
"""Real seconds between two looks at the entrance."""

_Change = Callable[[], None]


class MilesightSimulator:
    """A people counter that pushes what it counted, as :class:`~simulators.device.SimulatedDevice`.

    Visitors follow the world's local time; reports, their times and midnight the real one. Totals go back to 0 at local
    midnight. A report that is not taken is pushed again, in order, and kept for a day of minutes.

    Failures: ``covered`` (sees nobody though people come), ``knocked`` (misses a quarter of those who leave), ``restart``
    (uptime from 0, misses who passes while it boots, then goes on with its totals), ``offline`` (pushes nothing; comes back
    with what it kept), ``clock_frozen``, ``swapped_direction`` and ``swapped`` (another device with another serial number,
    counts from 0).

    Args:
        local_id: id inside the branch.
        world: world it lives in.
        target: URL to post to, or the broker and topic to publish to.
        serial: serial number, 16 digits; drawn where not given.
        mode: ``http`` or ``mqtt``; follows from the target where not given.
        period_s: length of the reported intervals, whole seconds; they begin at full ones, as at full minutes.
        quirks: peculiarities.
        device_id: id the customer gave it, the local id where not given.
        site_id: id the customer gave the site.
        credentials: name and password for HTTP Basic.
        visitors_a_day: mean on an average weekday; a branch of the second tier where not given.
        profile: when they come.
        zone: local time zone of the device.
        clock_offset_s: how far its clock is ahead.
        lose: share of reports lost on purpose; ``USUAL_LOST`` is usual.
        repeat: share of reports delivered twice on purpose; ``USUAL_REPEATED`` is usual.
        timeout_s: longest wait for the answer to a push, seconds.
        pause: waits after a push that was not taken.
        boot_s: real seconds a restart takes.
        mishaps: whether it restarts, and its clock stands still, by itself now and then.

    Raises:
        ValueError: mode and target do not fit, or the period is not a whole second or more.
    """

    kind = "footfall_sensor"

    def __init__(
        self,
        local_id: str,
        world: World,
        target: str | MqttTarget,
        *,
        serial: str | None = None,
        mode: Literal["http", "mqtt"] | None = None,
        period_s: int = 60,
        quirks: Quirks | None = None,
        device_id: str | None = None,
        site_id: str = "",
        credentials: tuple[str, str] | None = None,
        visitors_a_day: float = VISITORS_A_DAY[2],
        profile: Profile = "cn",
        zone: tzinfo = CHINA,
        clock_offset_s: float = 0.0,
        lose: float = 0.0,
        repeat: float = 0.0,
        timeout_s: float = 5.0,
        pause: Backoff | None = None,
        boot_s: float = 20.0,
        mishaps: bool = False,
    ) -> None:
        if mode not in {None, "mqtt" if isinstance(target, MqttTarget) else "http"}:
            raise ValueError(
                f"{local_id}: mode {mode} with target {target!r}: expected a URL for http, MqttTarget for mqtt"
            )
        if period_s < 1 or period_s != int(period_s):
            raise ValueError(
                f"{local_id}: period_s = {period_s}: expected 1 or more, whole seconds; times have no parts"
            )
        self.local_id = local_id
        self._world = world
        self._quirks = quirks or Quirks()
        self._period_ms = int(period_s) * 1000
        self._boot_ms = int(boot_s * 1000)
        self._chance = world.chance(f"{local_id}/counter")
        self._clock = SensorClock(world.clock, zone, clock_offset_s)
        self._offset_ms = int(clock_offset_s * 1000)
        ids = (local_id if device_id is None else device_id, site_id)
        self._own = self._new_device(local_id, serial, *ids)
        self._who, counter = self._own
        counter.swapped = self._quirks.swapped_direction
        crowd = Crowd(visitors_a_day, world.chance(f"{local_id}/entrance"), world.local_time(), profile)
        self._entrance = Entrance(world, crowd, self._clock, counter)
        if self._quirks.frozen_clock:
            self._clock.freeze()
        self._channel: Channel
        if isinstance(target, MqttTarget):
            model = "VS121-P" if self._quirks.old_model else "VS125"
            self._channel = MqttChannel(filled(target, self._who, model), f"ms-{self._who.serial}", timeout_s)
        else:
            self._channel = HttpChannel(target, timeout_s, credentials)
        self._delivery = Delivery(
            self._channel,
            world.chance(f"{local_id}/network"),
            lose=lose,
            repeat=repeat,
            pause=pause or Backoff(first_s=1.0, most_s=30.0),
        )
        now_ms = world.clock.now_ms()
        self._booted_at_ms = now_ms
        self._next_ms = self._boundary_after(now_ms)
        self._reported = Bin()
        self._region = Region()
        self._mishaps = Mishaps(world.chance(f"{local_id}/mishaps"), world.local_time()) if mishaps else None
        self._by_itself: Mapping[Mishap, _Change] = {
            Mishap.RESTART: self._restart,
            Mishap.FREEZE: self._clock.freeze,
            Mishap.THAW: self._clock.thaw,
        }
        self._happen: Mapping[str, _Change] = {
            "covered": lambda: self._set_covered(True),
            "knocked": lambda: self._set_knocked(True),
            "restart": self._restart,
            "offline": lambda: self._set_online(False),
            "clock_frozen": self._clock.freeze,
            "swapped_direction": lambda: self._set_swapped(not self._quirks.swapped_direction),
            "swapped": self._swap,
        }
        self._put_right: Mapping[str, _Change] = {
            "covered": lambda: self._set_covered(False),
            "knocked": lambda: self._set_knocked(False),
            "restart": self._finish_boot,
            "offline": lambda: self._set_online(True),
            "clock_frozen": self._clock.thaw,
            "swapped_direction": lambda: self._set_swapped(self._quirks.swapped_direction),
            "swapped": self._swap_back,
        }

    @property
    def failures(self) -> Collection[str]:
        """Names of the failures that can be injected."""
        return tuple(self._happen)

    @property
    def serial(self) -> str:
        """Serial number of the device that hangs there now."""
        return self._who.serial

    @property
    def counter(self) -> Counter:
        """The counter at the door, having seen everybody who crossed until the last look."""
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
    def waiting(self) -> int:
        """Reports not yet delivered."""
        return self._delivery.waiting

    @property
    def counts(self) -> Counts:
        """What became of the reports."""
        return self._delivery.counts

    async def start(self) -> None:
        """Get ready to push."""
        await self._channel.open()

    async def run(self) -> None:
        """Live and push until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._delivery.run(), name=f"{self.local_id} delivery")
            tasks.create_task(self._live(), name=f"{self.local_id} sensor")

    async def stop(self) -> None:
        """Close the connection; what was not delivered is kept for the next run."""
        await self._channel.close()

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

    def look(self) -> None:
        """See who crossed since the last look, and write the reports that are due."""
        now_ms = self._world.clock.now_ms()
        if not self._entrance.sees and now_ms >= self._booted_at_ms:
            self._entrance.look()  # those who passed while it booted
            self._entrance.sees = True
        self._watch()
        if self._mishaps is not None:
            for mishap in self._mishaps.until(self._world.local_time()):
                self._by_itself[mishap]()
        while now_ms >= self._next_ms:
            if self._entrance.sees:
                self._report(self._next_ms)
            self._next_ms += self._period_ms

    def _change(self, changes: Mapping[str, _Change], failure: str) -> _Change:
        if failure not in changes:
            raise ValueError(f"{self.local_id}: no failure {failure!r}; a footfall sensor has {', '.join(changes)}")
        self.look()
        return changes[failure]

    async def _live(self) -> None:
        while True:
            self.look()
            until_s = (self._next_ms - self._world.clock.now_ms()) / 1000
            await asyncio.sleep(min(_LOOK_S, max(0.01, until_s)))

    def _watch(self) -> None:
        before = self._lifetime()
        self._entrance.look()
        after = self._lifetime()
        came, left = after.people_in - before.people_in, after.people_out - before.people_out
        self._region.pass_by(came, left, self.counter.occupancy, self._world.local_time())
        if self._quirks.trigger_too and (came or left):
            self._delivery.take(trigger(self._who, self._counted(came, left), self._clock.now(), self._quirks))

    def _report(self, end_ms: int) -> None:
        """Write the report of the interval that ends at a true time, milliseconds since 1970 UTC."""
        # True time first: a millisecond between the two readings must not put the end into the second before.
        since_end = timedelta(milliseconds=self._world.clock.now_ms() - end_ms)
        now = self._clock.now()
        end = now if self._clock.is_frozen else now - since_end
        start = end if self._clock.is_frozen else end - timedelta(milliseconds=self._period_ms)
        lifetime = self._lifetime()
        came = lifetime.people_in - self._reported.people_in
        left = lifetime.people_out - self._reported.people_out
        self._reported = lifetime
        self._delivery.take(periodic(self._who, self._counted(came, left), start, end, self._quirks))
        self._region.begin_interval(self.counter.occupancy)

    def _counted(self, came: int, left: int) -> Counted:
        total = self.counter.total
        return Counted(
            came,
            left,
            total.people_in,
            total.people_out,
            self.counter.occupancy,
            self._region.most_inside,
            self._region.dwell_s,
            max(0, self._world.clock.now_ms() - self._booted_at_ms) // 1000,
        )

    def _lifetime(self) -> Bin:
        lifetime = self.counter.lifetime
        return Bin(lifetime.people_in, lifetime.people_out)

    def _boundary_after(self, at_ms: int) -> int:
        """True time of the next full period by the sensor's clock."""
        sensor_ms = at_ms + self._offset_ms
        return (sensor_ms // self._period_ms + 1) * self._period_ms - self._offset_ms

    def _new_device(self, name: str, serial: str | None, device_id: str, site_id: str) -> tuple[Identity, Counter]:
        who = draw_identity(name, serial, device_id, site_id, self._chance)
        return who, Counter(who.serial, self._clock.now().date(), self._chance, keeps_history=False)

    def _hang(self, device: tuple[Identity, Counter]) -> None:
        self._who, self._entrance.counter = device
        self._reported = self._lifetime()
        self._region = Region()

    def _swap(self) -> None:
        if self._who is self._own[0]:
            self._booted_at_ms = self._world.clock.now_ms()
            self._hang(self._new_device(self._who.name, None, self._who.device_id, self._who.site_id))

    def _swap_back(self) -> None:
        if self._who is not self._own[0]:
            self._booted_at_ms = self._world.clock.now_ms()
            self._hang(self._own)

    def _set_covered(self, covered: bool) -> None:
        self.counter.covered = covered

    def _set_knocked(self, knocked: bool) -> None:
        self.counter.knocked = knocked

    def _set_swapped(self, swapped: bool) -> None:
        self.counter.swapped = swapped

    def _set_online(self, online: bool) -> None:
        self._delivery.online = online
        self._delivery.try_again()

    def _restart(self) -> None:
        self._entrance.sees = False
        self._reported = self._lifetime()
        self._booted_at_ms = self._world.clock.now_ms() + self._boot_ms

    def _finish_boot(self) -> None:
        if not self._entrance.sees:
            self._booted_at_ms = self._world.clock.now_ms()
            self.look()
