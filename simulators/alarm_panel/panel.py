"""The simulated alarm panel: its model, its sender and what can happen to it."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta

from runtime.supervisor import Backoff
from simulators.alarm_panel.contact_id import Report
from simulators.alarm_panel.day import Habits
from simulators.alarm_panel.model import Panel
from simulators.alarm_panel.sender import Counts, Delivered, Event, Sender
from simulators.alarm_panel.zones import BUTTON_ZONE, WALL_ZONE, Zone, layout
from simulators.world import World

_LONGEST_LOOK_S = 1.0
"""Real seconds between two looks at the world's time, so that a full queue or a changed world is noticed."""

_Change = Callable[[], list[Report]]


class AlarmPanelSimulator:
    """An intruder alarm of a branch, as :class:`~simulators.device.SimulatedDevice`.

    It connects to the receiver; nothing connects to it. Openings, closings, tests, mains and battery follow the world's
    local time, messages and time-outs the real one. Times on the wire are the panel's clock, a little off.

    Failures: ``intrusion`` (zone 3), ``holdup`` (zone 12), ``mains_loss``, ``battery_low``, ``tamper`` (the panel's cover)
    and ``silence`` (it lives but sends nothing). Repair of the battery and the cover is a technician's visit: programming
    entered, the thing put right, manual test, programming left.

    Args:
        local_id: id inside the branch.
        world: world it lives in.
        receiver: host and port of its receiver.
        account: 3 to 16 hexadecimal digits by which the receiver knows it.
        zones: zones with their areas; 16 usual ones where not given.
        habits: how the branch lives with it.
        supervision_s: silence in seconds after which it sends a NULL.
        reply_timeout_s: wait for a reply, seconds.
        tries: sendings before it takes the connection for dead.
        pause: waits between connections.
        lose_replies: share of acknowledgements it ignores on purpose, so that duplicates arise; 0.005 is usual.
        clock_offset_s: how far its clock is ahead; ``None`` draws from ±2 s.

    Raises:
        ValueError: the account is not 3 to 16 hexadecimal digits.
    """

    kind = "alarm_panel"

    def __init__(
        self,
        local_id: str,
        world: World,
        receiver: tuple[str, int],
        account: str,
        *,
        zones: Sequence[Zone] | None = None,
        habits: Habits | None = None,
        supervision_s: float = 60.0,
        reply_timeout_s: float = 20.0,
        tries: int = 3,
        pause: Backoff | None = None,
        lose_replies: float = 0.0,
        clock_offset_s: float | None = None,
    ) -> None:
        if not 3 <= len(account) <= 16 or set(account.upper()) - set("0123456789ABCDEF"):
            raise ValueError(f"{local_id}: account {account!r}: expected 3 to 16 hexadecimal digits")
        self.local_id = local_id
        self._world = world
        chance = world.chance(f"{local_id}/{account}")
        offset_s = chance.uniform(-2, 2) if clock_offset_s is None else clock_offset_s
        self.model = Panel(layout() if zones is None else zones, habits or Habits(), chance, world.local_time())
        self._sender = Sender(
            receiver,
            account,
            world.clock,
            world.chance(f"{local_id}/{account}/line"),
            supervision_s=supervision_s,
            reply_timeout_s=reply_timeout_s,
            tries=tries,
            pause=pause or Backoff(first_s=0.5, most_s=10.0),
            lose_replies=lose_replies,
            clock_offset_s=offset_s,
        )
        self._powered = False
        self._happen: Mapping[str, _Change] = {
            "intrusion": lambda: self.model.alarm(WALL_ZONE),
            "holdup": lambda: self.model.alarm(BUTTON_ZONE),
            "mains_loss": lambda: self.model.set_mains(False),
            "battery_low": self.model.wear_out_battery,
            "tamper": self.model.open_cover,
            "silence": self._fall_silent,
        }
        self._put_right: Mapping[str, _Change] = {
            "intrusion": lambda: self.model.alarm_over(WALL_ZONE),
            "holdup": lambda: self.model.alarm_over(BUTTON_ZONE),
            "mains_loss": lambda: self.model.set_mains(True),
            "battery_low": lambda: self._visit(self.model.replace_battery),
            "tamper": lambda: self._visit(self.model.close_cover),
            "silence": self._speak_again,
        }

    @property
    def failures(self) -> Collection[str]:
        """Names of the failures that can be injected."""
        return tuple(self._happen)

    @property
    def acknowledged(self) -> Collection[Delivered]:
        """Witness: the newest events the receiver acknowledged, in the order of acknowledgement."""
        return tuple(self._sender.acknowledged)

    @property
    def not_understood(self) -> Collection[Delivered]:
        """Witness: events the receiver answered with DUH."""
        return tuple(self._sender.not_understood)

    @property
    def waiting(self) -> int:
        """Events not yet acknowledged."""
        return self._sender.waiting

    @property
    def counts(self) -> Counts:
        """What went over the line so far."""
        return self._sender.counts

    async def start(self) -> None:
        """Power up: how things stand is the first thing it reports, once it runs."""
        if not self._powered:
            self._powered = True
            self._report(self.model.power_up())

    async def run(self) -> None:
        """Live and send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sender.run(), name=f"{self.local_id} sender")
            tasks.create_task(self._live(), name=f"{self.local_id} panel")

    async def stop(self) -> None:
        """Break the connection; what was not acknowledged is kept for the next run."""
        self._sender.disconnect()

    async def inject(self, failure: str) -> None:
        """Let a failure happen now; one that is already there changes nothing.

        Raises:
            ValueError: no such failure.
        """
        self._report(self._change(self._happen, failure)())

    async def repair(self, failure: str) -> None:
        """Put a failure right.

        Raises:
            ValueError: no such failure.
        """
        self._report(self._change(self._put_right, failure)())

    def _change(self, changes: Mapping[str, _Change], failure: str) -> _Change:
        if failure not in changes:
            raise ValueError(f"{self.local_id}: no failure {failure!r}; an alarm panel has {', '.join(changes)}")
        return changes[failure]

    async def _live(self) -> None:
        while True:
            if not self._sender.crowded:
                self._report(self.model.advance(self._world.local_time()))
            until: timedelta = self.model.next_change() - self._world.local_time()
            await asyncio.sleep(min(_LONGEST_LOOK_S, max(0.02, self._world.real_s(until.total_seconds()))))

    def _report(self, reports: Sequence[Report]) -> None:
        now_ms = self._world.clock.now_ms()
        for report in reports:
            self._sender.enqueue(Event(report, now_ms))

    def _visit(self, work: _Change) -> list[Report]:
        return [*self.model.enter_programming(), *work(), *self.model.leave_programming()]

    def _fall_silent(self) -> list[Report]:
        self._sender.silence()
        return []

    def _speak_again(self) -> list[Report]:
        self._sender.speak()
        return []
