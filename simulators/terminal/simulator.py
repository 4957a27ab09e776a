"""A self-service terminal that customers use, reachable over XFS4IoT and SNMP."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from simulators.modules.arrivals import next_arrival_s
from simulators.modules.patronage import Patronage, Script
from simulators.modules.technician import STEP_S, Crew, Party, repair_script
from simulators.terminal.agent import ANSWER_S_PER_OBJECT, SILENT_SHARE, SnmpAgent
from simulators.terminal.failures import FAILURES, Failure, Site
from simulators.terminal.machine import Terminal, Witness
from simulators.terminal.mib import SnmpQuirks, mib
from simulators.terminal.mib_view import MibView
from simulators.terminal.sessions import SESSIONS_A_DAY, next_session, rate_per_s, session_script
from simulators.world import World
from simulators.xfs4iot import Pace, Quirks, ServiceHost

_TICK_S: Final = 1.0
_RESTART_STEPS: Final = 8
_VIEW_LASTS_MS: Final = 200
"""A walk of several requests is answered out of one view."""


class TerminalSimulator:
    """A simulated terminal; implements ``simulators.device.SimulatedDevice``.

    Args:
        local_id: id inside the branch.
        world: seed, pace and local time, in the scope of its branch.
        port: port of the XFS4IoT service publisher, 0 for any free one.
        snmp_port: UDP port of the SNMP agent (version 2c, community ``public``), 0 for any free one.
        quirks: how its XFS4IoT server differs from the newest standard.
        snmp_quirks: how its SNMP agent differs from the standards.
        host: address to listen on.
        sessions_per_day: how busy it is.
        answer_median_s: median time to answer an XFS4IoT command, real seconds.
        snmp_answer_s: time an SNMP object takes to be answered, real seconds.
        snmp_silent_share: share of SNMP requests that are lost, 0 to 1.
        crash_service: the service that ``service_crash`` ends.
        decay_pace: how much faster than the world's time ``dirty_reader`` gets worse.
        work_step_s: how long a crew takes for one of the eight steps of its work, real seconds.

    Raises:
        ValueError: an argument is out of its range.
    """

    kind = "self_service_terminal"

    def __init__(
        self,
        local_id: str,
        world: World,
        port: int,
        snmp_port: int,
        *,
        quirks: Quirks | None = None,
        snmp_quirks: SnmpQuirks | None = None,
        host: str = "127.0.0.1",
        sessions_per_day: float = SESSIONS_A_DAY,
        answer_median_s: float = 0.04,
        snmp_answer_s: float = ANSWER_S_PER_OBJECT,
        snmp_silent_share: float = SILENT_SHARE,
        crash_service: str = "Scanner1",
        decay_pace: float = 1.0,
        work_step_s: float = STEP_S,
    ) -> None:
        if sessions_per_day <= 0:
            raise ValueError(f"{local_id}: sessions_per_day {sessions_per_day}, expected more than 0")
        if decay_pace <= 0:
            raise ValueError(f"{local_id}: decay_pace {decay_pace}, expected more than 0")
        quirks = quirks or Quirks()
        self.local_id = local_id
        self.terminal = Terminal(
            world.chance(f"{local_id}/machine"), world.clock.now_ms(), world.local_time(), quirks.message_major
        )
        if crash_service not in {service.name for service in self.terminal.services}:
            raise ValueError(f"{local_id}: crash_service {crash_service!r}, expected a service's name")
        self._world = world
        self._snmp_quirks = snmp_quirks or SnmpQuirks()
        self._chance = world.chance(f"{local_id}/customers")
        self._per_day = sessions_per_day
        self._work_step_s = work_step_s
        self._view: tuple[int, MibView] | None = None
        pace = Pace(answer_median_s, world.chance(f"{local_id}/answers"))
        self._host = ServiceHost(self.terminal, quirks, host, port, pace)
        self._agent = SnmpAgent(
            host,
            snmp_port,
            self._mib,
            world.chance(f"{local_id}/snmp"),
            answer_s_per_object=snmp_answer_s,
            silent_share=snmp_silent_share,
        )
        self._patronage = Patronage(world, self, self._host.publish)
        self._crew = Crew(self.terminal.cabinet, self._patronage, self._host.publish)
        self._site = Site(self.terminal, self._host, self._agent, world, crash_service, decay_pace)

    @property
    def failures(self) -> Collection[str]:
        return FAILURES

    @property
    def port(self) -> int:
        """Port of the service publisher, the real one after :meth:`start`."""
        return self._host.port

    @property
    def snmp_port(self) -> int:
        """Port of the SNMP agent, the real one after :meth:`start`."""
        return self._agent.port

    @property
    def uri(self) -> str:
        """Address where an XFS4IoT client begins."""
        return self._host.uri

    @property
    def witness(self) -> Witness:
        """What really happened until now; it does not change any more."""
        return replace(self.terminal.witness)

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Serve both protocols.

        Raises:
            ConfigurationError: a port cannot be had.
        """
        await self._host.start()
        try:
            await self._agent.start()
        except BaseException:
            await self._host.stop()
            raise

    async def run(self) -> None:
        """Let customers come and time pass, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._patronage.receive())
            group.create_task(self._age())

    async def stop(self) -> None:
        """Stop serving."""
        await self._agent.stop()
        await self._host.stop()

    async def _age(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self.tick()

    def tick(self) -> None:
        """Let time pass up to now."""
        self.terminal.tick(self._world.clock.now_ms(), self._world.local_time())
        self._settle()

    def _settle(self) -> None:
        """Let the net see what became of the terminal: news, or nothing at all."""
        self._view = None
        self._agent.silent = self._site.dark or self._site.agent_stopped
        if self._site.dark and not self._host.dark:
            self._host.go_dark()
        elif not self._site.dark and self._host.dark:
            self._host.light_up()
        self._host.publish()

    def _mib(self) -> MibView:
        now_ms = self._world.clock.now_ms()
        if self._view is None or not 0 <= now_ms - self._view[0] < _VIEW_LASTS_MS:
            self._view = (now_ms, mib(self.terminal, self._snmp_quirks, now_ms, self._world.local_time()))
        return self._view[1]

    # -- customers: simulators.modules.patronage.Premises --------------------------------------------------------------

    @property
    def attended(self) -> bool:
        """A crew has it, or there is nothing to be had from it."""
        return self.terminal.attended or self._site.dark

    def next_arrival_s(self) -> float:
        """Seconds of the world until the next customer."""
        return next_arrival_s(self._world.local_time(), lambda at: rate_per_s(at, self._per_day), self._chance)

    def next_script(self) -> Script:
        """The next customer's visit."""
        return session_script(self.terminal, next_session(self._chance), self._chance)

    def turn_away(self) -> None:
        """A customer found it attended."""
        self.terminal.witness.turned_away += 1

    # -- failures ------------------------------------------------------------------------------------------------------

    async def inject(self, failure: str) -> None:
        """Let a failure happen now; one that is there already changes nothing.

        ``mains_failure``, ``disk_fill`` and ``dirty_reader`` take their time, so these need :meth:`run`.

        Raises:
            ValueError: no such failure.
        """
        self._checked(failure).begin(self._site)
        self._patronage.stir()
        self._settle()

    async def repair(self, failure: str) -> None:
        """Do what a technician or the service desk does about a failure; takes 2 to 3 s.

        One crew at a time; a customer who is at the terminal is sent off first. A memory leak is repaired by a restart,
        which takes as long as the one at night.

        Raises:
            ValueError: no such failure.
            TimeoutError: the customer did not leave within 10 s.
        """
        wrong = self._checked(failure)
        if wrong.party is Party.NOBODY:
            await asyncio.sleep(_RESTART_STEPS * self._work_step_s)
            wrong.mend(self._site)
        else:
            await self._crew.work(
                "maintenance",
                lambda: repair_script(self.terminal, lambda: wrong.mend(self._site), self._work_step_s),
            )
        self._settle()

    def _checked(self, failure: str) -> Failure:
        if failure not in FAILURES:
            raise ValueError(f"{self.local_id}: no failure {failure!r}, expected one of {', '.join(FAILURES)}")
        return FAILURES[failure]
