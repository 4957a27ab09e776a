"""An ATM that customers use, that wears and fails, reachable over XFS4IoT."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from simulators.atm.demand import next_visit, rate_per_s, typical_transactions_per_day
from simulators.atm.exchange import exchange_script
from simulators.atm.failures import FAILURES, Site
from simulators.atm.machine import Machine, Witness
from simulators.atm.visits import visit_script
from simulators.modules.arrivals import next_arrival_s
from simulators.modules.patronage import Patronage, Script
from simulators.modules.technician import STEP_S, Crew, Party, repair_script
from simulators.world import World
from simulators.xfs4iot import Dialect, Pace, Quirks, ServiceHost

_TICK_S: Final = 1.0
_RESTART_STEPS: Final = 8


class AtmSimulator:
    """A simulated ATM; implements ``simulators.device.SimulatedDevice``.

    Args:
        local_id: id inside the branch.
        world: seed, pace and local time, in the scope of its branch.
        port: port of the service publisher, 0 for any free one.
        quirks: how its server differs from the newest standard; overrides the next two.
        message_major: XFS4IoT message format 1, 2 or 3.
        dialect: whose reading of the specification the server follows.
        recycler: it takes deposits too, and dispenses them again.
        host: address to listen on.
        transactions_per_day: how busy it is; drawn around 200 by default.
        answer_median_s: median time to answer a command, real seconds; the slowest of 100 takes ten times that.
        hardware_error_share: share of jams after which the dispenser gives up 60 s later, 0 to 1.
        crash_service: the service that ``service_crash`` ends and that ``service_hang`` stops.
        decay_pace: how much faster than the world's time ``dirty_reader`` and ``reject_creep`` get worse.
        work_step_s: how long a crew takes for one of the eight steps of its work, real seconds.

    Raises:
        ValueError: an argument is out of its range.
    """

    kind = "atm"

    def __init__(
        self,
        local_id: str,
        world: World,
        port: int,
        *,
        quirks: Quirks | None = None,
        message_major: int = 3,
        dialect: Dialect = Dialect.STANDARD,
        recycler: bool = False,
        host: str = "127.0.0.1",
        transactions_per_day: float | None = None,
        answer_median_s: float = 0.04,
        hardware_error_share: float = 0.3,
        crash_service: str = "ReceiptPrinter1",
        decay_pace: float = 1.0,
        work_step_s: float = STEP_S,
    ) -> None:
        if transactions_per_day is not None and transactions_per_day <= 0:
            raise ValueError(f"{local_id}: transactions_per_day {transactions_per_day}, expected more than 0")
        if decay_pace <= 0:
            raise ValueError(f"{local_id}: decay_pace {decay_pace}, expected more than 0")
        quirks = quirks or Quirks.of(dialect, message_major)
        self.local_id = local_id
        self.machine = Machine(
            world.chance(f"{local_id}/machine"),
            hardware_error_share=hardware_error_share,
            recycler=recycler,
            major=quirks.message_major,
            **({"cassettes": 3, "capacity": 2200} if recycler else {}),
        )
        if crash_service not in {service.name for service in self.machine.services}:
            raise ValueError(f"{local_id}: crash_service {crash_service!r}, expected a service's name")
        self._world = world
        self._recycler = recycler
        self._work_step_s = work_step_s
        self._chance = world.chance(f"{local_id}/customers")
        self._per_day = transactions_per_day or typical_transactions_per_day(self._chance)
        pace = Pace(answer_median_s, world.chance(f"{local_id}/answers"))
        self._host = ServiceHost(self.machine, quirks, host, port, pace)
        self._patronage = Patronage(world, self, self._host.publish)
        self._crew = Crew(self.machine.cabinet, self._patronage, self._host.publish)
        self._site = Site(self.machine, self._host, self._patronage, world, crash_service, decay_pace)

    @property
    def failures(self) -> Collection[str]:
        return [name for name, failure in FAILURES.items() if self._recycler or not failure.recycler]

    @property
    def port(self) -> int:
        """Port of the service publisher, the real one after :meth:`start`."""
        return self._host.port

    @property
    def uri(self) -> str:
        """Address where a client begins."""
        return self._host.uri

    @property
    def clients(self) -> int:
        """Open connections, the publisher's included."""
        return self._host.clients

    @property
    def witness(self) -> Witness:
        """What really happened until now; it does not change any more."""
        return replace(self.machine.witness)

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Serve.

        Raises:
            ConfigurationError: the port cannot be had.
        """
        await self._host.start()

    async def run(self) -> None:
        """Let customers come and time pass, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._patronage.receive())
            group.create_task(self._age())

    async def stop(self) -> None:
        """Stop serving."""
        await self._host.stop()

    async def _age(self) -> None:
        site = self._site
        while True:
            await asyncio.sleep(_TICK_S)
            self.machine.tick(self._world.clock.now_ms(), self._world.local_time())
            if site.blast_in_s is not None:
                site.blast_in_s -= _TICK_S
                site.switched_off = site.switched_off or site.blast_in_s <= 0
            self._settle()

    def _settle(self) -> None:
        """Let the net see what became of the machine: news, or nothing at all."""
        if self._site.dark and not self._host.dark:
            self._host.go_dark()
        elif not self._site.dark and self._host.dark:
            self._host.light_up()
        self._host.publish()

    # -- customers: simulators.modules.patronage.Premises --------------------------------------------------------------

    @property
    def attended(self) -> bool:
        """A crew has it, or there is nothing to be had from it."""
        return self.machine.attended or self._site.dark

    def next_arrival_s(self) -> float:
        """Seconds of the world until the next customer."""
        return next_arrival_s(self._world.local_time(), lambda at: rate_per_s(at, self._per_day), self._chance)

    def next_script(self) -> Script:
        """The next customer's visit."""
        return visit_script(self.machine, next_visit(self._chance, recycler=self._recycler), self._chance)

    def turn_away(self) -> None:
        """A customer found it attended."""
        self.machine.witness.turned_away += 1

    # -- failures ------------------------------------------------------------------------------------------------------

    async def inject(self, failure: str) -> None:
        """Let a failure happen now; one that is there already changes nothing.

        ``run_low``, ``run_out`` and ``cash_trap`` send customers in a rush who bring it about, and ``explosive``,
        ``mains_failure``, ``dirty_reader`` and ``reject_creep`` take their time, so all these need :meth:`run`.

        Raises:
            ValueError: no such failure.
        """
        FAILURES[self._checked(failure)].begin(self._site)
        self._patronage.stir()
        self._settle()

    async def repair(self, failure: str) -> None:
        """Do what a technician, the cash crew or the service desk does about a failure; takes 2 to 3 s.

        One crew at a time; a customer who is at the machine is sent off first.

        Raises:
            ValueError: no such failure.
            TimeoutError: the customer did not leave within 10 s.
        """
        wrong = FAILURES[self._checked(failure)]
        match wrong.party:
            case Party.NOBODY:
                await asyncio.sleep(_RESTART_STEPS * self._work_step_s)
                wrong.mend(self._site)
            case Party.CASH_CREW:
                await self._crew.work("supervisor", lambda: exchange_script(self.machine, self._work_step_s))
                wrong.mend(self._site)
            case Party.TECHNICIAN:
                await self._crew.work(
                    "maintenance",
                    lambda: repair_script(self.machine, lambda: wrong.mend(self._site), self._work_step_s),
                )
        self._settle()

    def _checked(self, failure: str) -> str:
        if failure not in self.failures:
            raise ValueError(f"{self.local_id}: no failure {failure!r}, expected one of {', '.join(self.failures)}")
        return failure
