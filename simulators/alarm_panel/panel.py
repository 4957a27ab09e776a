"""The simulated alarm panel: its model, its sender and what can happen to it."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from runtime.supervisor import Backoff
from simulators.alarm_panel.cipher import check_key
from simulators.alarm_panel.connection import Connection
from simulators.alarm_panel.contact_id import Code, Report
from simulators.alarm_panel.datagrams import Datagrams
from simulators.alarm_panel.day import Habits
from simulators.alarm_panel.failures import Change, Failure, failures
from simulators.alarm_panel.messages import Event, Writer
from simulators.alarm_panel.model import Panel
from simulators.alarm_panel.panel_clock import PanelClock
from simulators.alarm_panel.path import Link, Path
from simulators.alarm_panel.quirks import FRAMES_AT_ONCE, Protocol, Quirks, Transport
from simulators.alarm_panel.sender import Counts, Delivered, Sender
from simulators.alarm_panel.zones import Zone, layout
from simulators.world import World

SECOND_PATH_SUPERVISION_S = 890.0
"""Supervision of a second path. Source: EN 50136, 85 to 890 s by grade."""

_LONGEST_LOOK_S = 1.0
"""Real seconds between two looks at the world's time, so that a full queue or a changed world is noticed."""


class AlarmPanelSimulator:
    """An intruder alarm of a branch, as :class:`~simulators.device.SimulatedDevice`.

    It connects to the receiver; nothing connects to it. Openings, closings, tests, mains and battery follow the world's
    local time, messages and time-outs the real one. Times on the wire are the panel's clock, a little off.

    What can happen to it is listed in :mod:`simulators.alarm_panel.failures`. Repair of a thing is a technician's visit:
    programming entered, the thing put right, manual test, programming left.

    Args:
        local_id: id inside the branch.
        world: world it lives in.
        receiver: host and port of its receiver.
        account: 3 to 16 hexadecimal digits by which the receiver knows it.
        protocol: ``ADM-CID`` for Contact ID, ``SIA-DCS`` for SIA's letters.
        transport: ``tcp`` or ``udp``.
        key: 16, 24 or 32 bytes to encrypt with; ``None`` for messages in the clear.
        quirks: peculiarities of its maker.
        second_path: host and port of another way to the receiver; it then reports that a path failed.
        second_supervision_s: silence in seconds after which it sends a NULL over the second path.
        zones: zones with their areas; 18 usual ones where not given.
        habits: how the branch lives with it.
        supervision_s: silence in seconds after which it sends a NULL.
        reply_timeout_s: wait for a reply, seconds.
        tries: sendings before it takes the connection for dead.
        pause: waits between connections.
        lose_replies: share of acknowledgements it ignores on purpose, so that duplicates arise; 0.005 is usual.
        clock_offset_s: how far its clock is ahead; ``None`` draws from ±2 s.
        drift_s_a_day: how much further ahead its clock gets.

    Raises:
        ValueError: the account is not 3 to 16 hexadecimal digits, or the key has another length.
    """

    kind = "alarm_panel"

    def __init__(
        self,
        local_id: str,
        world: World,
        receiver: tuple[str, int],
        account: str,
        *,
        protocol: Protocol = "ADM-CID",
        transport: Transport = "tcp",
        key: bytes | None = None,
        quirks: Quirks | None = None,
        second_path: tuple[str, int] | None = None,
        second_supervision_s: float = SECOND_PATH_SUPERVISION_S,
        zones: Sequence[Zone] | None = None,
        habits: Habits | None = None,
        supervision_s: float = 60.0,
        reply_timeout_s: float = 20.0,
        tries: int = 3,
        pause: Backoff | None = None,
        lose_replies: float = 0.0,
        clock_offset_s: float | None = None,
        drift_s_a_day: float = 0.0,
    ) -> None:
        if not 3 <= len(account) <= 16 or set(account.upper()) - set("0123456789ABCDEF"):
            raise ValueError(f"{local_id}: account {account!r}: expected 3 to 16 hexadecimal digits")
        if key is not None:
            check_key(key)
        self.local_id = local_id
        self._world = world
        chance = world.chance(f"{local_id}/{account}")
        offset_s = chance.uniform(-2, 2) if clock_offset_s is None else clock_offset_s
        quirks = quirks or Quirks()
        self._clock = PanelClock(world.clock, offset_s + quirks.clock_off_s, drift_s_a_day)
        self.model = Panel(layout() if zones is None else zones, habits or Habits(), chance, world.local_time())
        line_chance = world.chance(f"{local_id}/{account}/line")
        writer = Writer(account.upper(), self._clock, line_chance, protocol=protocol, key=key, quirks=quirks)

        def link(to: tuple[str, int]) -> Link:
            if transport == "udp":
                return Datagrams(to, writer.read)
            return Connection(to, reply_timeout_s, writer.read, in_pieces=quirks.frames_in_pieces)

        paths = [Path(link(receiver), supervision_s, Code.PATH_1)]
        if second_path is not None:
            paths.append(Path(link(second_path), second_supervision_s, Code.RADIO))
        self._sender = Sender(
            paths,
            writer,
            world.clock,
            self._clock,
            line_chance,
            reply_timeout_s=reply_timeout_s,
            tries=tries,
            pause=pause or Backoff(first_s=0.5, most_s=10.0),
            lose_replies=lose_replies,
            at_once=FRAMES_AT_ONCE if quirks.several_frames_at_once else 1,
        )
        self._powered = False
        self._to_come: list[tuple[datetime, int, str, Change]] = []
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._failures: Mapping[str, Failure] = failures(self.model, self, self._later)

    @property
    def failures(self) -> Collection[str]:
        """Names of the failures that can be injected."""
        return tuple(self._failures)

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
        self._report(self._known(failure).happen())
        self._wake.set()

    async def repair(self, failure: str) -> None:
        """Put a failure right.

        Raises:
            ValueError: no such failure.
        """
        known = self._known(failure)
        self._to_come = [one for one in self._to_come if one[2] != failure]
        heapq.heapify(self._to_come)
        self._report(known.put_right())

    # -- what failures do to the line --------------------------------------------------------------------------------

    @property
    def has_second_path(self) -> bool:
        """Whether reports can go another way."""
        return len(self._sender.paths) > 1

    def set_silent(self, silent: bool) -> list[Report]:
        """Send nothing, or again."""
        if silent:
            self._sender.silence()
        else:
            self._sender.speak()
        return []

    def set_cut(self, path: int, cut: bool) -> list[Report]:
        """Break a path, or put it right."""
        if cut:
            self._sender.cut(path)
        else:
            self._sender.mend(path)
        return []

    def set_clock(self, offset_s: float) -> list[Report]:
        """Set the panel's clock so many seconds ahead."""
        self._clock.set_to(self._world.clock.now_ms() + int(offset_s * 1000))
        return []

    # -- life --------------------------------------------------------------------------------------------------------

    def _known(self, failure: str) -> Failure:
        if failure not in self._failures:
            raise ValueError(f"{self.local_id}: no failure {failure!r}; an alarm panel has {', '.join(self._failures)}")
        return self._failures[failure]

    def _later(self, failure: str, after_s: float, change: Change) -> None:
        at = self._world.local_time() + timedelta(seconds=after_s)
        heapq.heappush(self._to_come, (at, next(self._numbers), failure, change))

    async def _live(self) -> None:
        while True:
            if not self._sender.crowded:
                self._advance()
            due = min([self.model.next_change(), *(one[0] for one in self._to_come[:1])])
            until: timedelta = due - self._world.local_time()
            self._wake.clear()
            await self._sleep(min(_LONGEST_LOOK_S, max(0.02, self._world.real_s(until.total_seconds()))))

    def _advance(self) -> None:
        now = self._world.local_time()
        cut_before = set(self.model.cut_paths)
        self._report(self.model.advance(now))
        for path in range(len(self._sender.paths)):
            if (path in cut_before) != (path in self.model.cut_paths):
                self.set_cut(path, path in self.model.cut_paths)
        while self._to_come and self._to_come[0][0] <= now:
            *_, change = heapq.heappop(self._to_come)
            self._report(change())

    async def _sleep(self, seconds: float) -> None:
        """Wait, or until a failure changed what comes next."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _report(self, reports: Sequence[Report]) -> None:
        now_ms = self._world.clock.now_ms()
        for report in reports:
            self._sender.enqueue(Event(report, now_ms))
