"""An ATM that customers use, that wears and fails, reachable over XFS4IoT."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Final

from simulators.atm.conversation import Pace
from simulators.atm.demand import hurried_withdrawal, next_arrival_s, next_visit, typical_transactions_per_day
from simulators.atm.machine import Machine, Witness
from simulators.atm.message_format import MESSAGE_MAJORS, Dialect, MessageFormat
from simulators.atm.receipt_printer import LOW_RECEIPTS
from simulators.atm.service_host import ServiceHost
from simulators.atm.services import SERVICES
from simulators.atm.technician import exchange_script, repair_script
from simulators.atm.visits import visit_script
from simulators.world import World

FAILURES: Final = (
    "note_jam",
    "shutter_jam",
    "run_low",
    "run_out",
    "paper_low",
    "receipt_jam",
    "card_jam",
    "service_crash",
)

_RUN_LOW_NOTES_LEFT = 5  # above the low threshold: the next withdrawal or two take it below
_RUN_OUT_NOTES_LEFT = 4  # in each cassette: what one withdrawal takes
_RUSH_ARRIVAL_S = 0.5
_RUSH_PHASE_S = 0.25
_LEAVING_PHASE_S = 0.05
_TICK_S = 1.0
_FREE_TIMEOUT_S = 10.0
_RESTART_S = 2.0


class AtmSimulator:
    """A simulated ATM; implements ``simulators.device.SimulatedDevice``.

    Args:
        local_id: id inside the branch.
        world: seed, pace and local time, in the scope of its branch.
        port: port of the service publisher, 0 for any free one.
        message_major: XFS4IoT message format 1, 2 or 3.
        dialect: whose reading of the specification the server follows.
        host: address to listen on.
        transactions_per_day: how busy it is; drawn around 200 by default.
        answer_median_s: median time to answer a command, real seconds; the slowest of 100 takes ten times that.
        hardware_error_share: share of jams after which the dispenser gives up 60 s later, 0 to 1.
        crash_service: the service that ``service_crash`` ends.

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
        message_major: int = 3,
        dialect: Dialect = Dialect.STANDARD,
        host: str = "127.0.0.1",
        transactions_per_day: float | None = None,
        answer_median_s: float = 0.04,
        hardware_error_share: float = 0.3,
        crash_service: str = "ReceiptPrinter1",
    ) -> None:
        if message_major not in MESSAGE_MAJORS:
            raise ValueError(f"{local_id}: message_major {message_major}, expected one of {MESSAGE_MAJORS}")
        if transactions_per_day is not None and transactions_per_day <= 0:
            raise ValueError(f"{local_id}: transactions_per_day {transactions_per_day}, expected more than 0")
        if crash_service not in {service.name for service in SERVICES}:
            raise ValueError(f"{local_id}: crash_service {crash_service!r}, expected a service's name")
        self.local_id = local_id
        self._world = world
        self._crash_service = crash_service
        self._chance = world.chance(f"{local_id}/customers")
        self._per_day = transactions_per_day or typical_transactions_per_day(self._chance)
        self.machine = Machine(world.chance(f"{local_id}/machine"), hardware_error_share=hardware_error_share)
        pace = Pace(answer_median_s, world.chance(f"{local_id}/answers"))
        self._host = ServiceHost(self.machine, MessageFormat(message_major, dialect), host, port, pace)
        self._stirred = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self._one_crew = asyncio.Lock()
        self._rush_ends: Callable[[], bool] | None = None

    @property
    def failures(self) -> Collection[str]:
        return FAILURES

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
            group.create_task(self._receive_customers())
            group.create_task(self._age())

    async def stop(self) -> None:
        """Stop serving."""
        await self._host.stop()

    async def _receive_customers(self) -> None:
        while True:
            rush = self._rush_ends
            await self._pause(_RUSH_ARRIVAL_S if rush else self._next_arrival_s())
            if self._rush_ends is not rush:
                continue  # whoever was waited for is not the next one any more
            if self.machine.attended:
                self.machine.witness.turned_away += 1
                continue
            visit = hurried_withdrawal(self.machine.dispenser.available) if rush else next_visit(self._chance)
            await self._play_visit(visit_script(self.machine, visit, self._chance))
            if self._rush_ends is not None and self._rush_ends():
                self._rush_ends = None

    def _next_arrival_s(self) -> float:
        """Real seconds until the next customer of an ordinary day."""
        return self._world.real_s(next_arrival_s(self._world.local_time(), self._per_day, self._chance))

    async def _play_visit(self, script: Iterator[float]) -> None:
        self._free.clear()
        try:
            for world_s in script:
                self._host.publish()
                await self._pause(self._world.real_s(world_s))
        finally:
            for _ in script:  # where the simulation ends in mid-visit, the customer still leaves with card and cash
                continue
            self._host.publish()
            self._free.set()

    async def _age(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self.machine.tick(self._world.clock.now_ms())
            self._host.publish()

    async def _pause(self, real_s: float) -> None:
        """Wait, but look again at how long whenever something stirs."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (left_s := began + min(real_s, self._longest_pause_s()) - loop.time()) > 0:
            self._stirred.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._stirred.wait()
            except TimeoutError:
                return

    def _longest_pause_s(self) -> float:
        if self.machine.attended and not self._free.is_set():
            return _LEAVING_PHASE_S
        return _RUSH_PHASE_S if self._rush_ends else float("inf")

    # -- failures ------------------------------------------------------------------------------------------------------

    async def inject(self, failure: str) -> None:
        """Let a failure happen now; one that is there already changes nothing.

        ``run_low`` and ``run_out`` leave few notes and send customers in a rush who take them, so both need :meth:`run`.

        Raises:
            ValueError: no such failure.
        """
        self._check(failure)
        machine = self.machine
        match failure:
            case "note_jam":
                machine.dispenser.jam_notes()
            case "shutter_jam":
                machine.dispenser.jam_shutter()
            case "run_low":
                first = machine.dispenser.cassettes[0]
                machine.dispenser.leave(first, first.low_threshold + _RUN_LOW_NOTES_LEFT)
                self._rush_ends = lambda: first.replenishment != "ok"
            case "run_out":
                for cassette in machine.dispenser.cassettes:
                    machine.dispenser.leave(cassette, _RUN_OUT_NOTES_LEFT)
                self._rush_ends = lambda: machine.dispenser.available == 0
            case "paper_low":
                machine.printer.fit_roll(min(machine.printer.receipts_left, LOW_RECEIPTS - 1))
            case "receipt_jam":
                machine.printer.jam()
            case "card_jam":
                machine.card_reader.jam()
            case _:
                self._host.crash(self._crash_service)
                machine.printer.served = machine.printer.served and self._crash_service != "ReceiptPrinter1"
        self._stirred.set()
        self._host.publish()

    async def repair(self, failure: str) -> None:
        """Do what a technician, the cash crew or the service desk does about a failure; takes 2 to 3 s.

        One crew at a time; a customer who is at the machine is sent off first.

        Raises:
            ValueError: no such failure.
            TimeoutError: the customer did not leave within 10 s.
        """
        self._check(failure)
        if failure == "service_crash":  # from afar; nobody touches the machine
            await asyncio.sleep(_RESTART_S)
            self._host.restart(self._crash_service)
            self.machine.printer.served = True
            return
        async with self._one_crew:
            mend = self._by_hand(failure)
            try:
                await self._free_of_customers("maintenance" if mend else "supervisor")
                self._rush_ends = None
                await self._work(repair_script(self.machine, mend) if mend else exchange_script(self.machine))
            finally:
                self.machine.cabinet.operator_switch = "run"
                self._host.publish()

    def _by_hand(self, failure: str) -> Callable[[], None] | None:
        """What a technician's hand does about it; ``None`` where fresh cassettes are what is needed."""
        machine = self.machine
        return {
            "note_jam": machine.dispenser.clear,
            "shutter_jam": machine.dispenser.clear,
            "paper_low": machine.printer.fit_roll,
            "receipt_jam": machine.printer.clear,
            "card_jam": machine.card_reader.clear,
        }.get(failure)

    async def _free_of_customers(self, operator_switch: str) -> None:
        self.machine.cabinet.operator_switch = operator_switch
        self._stirred.set()
        self._host.publish()
        async with asyncio.timeout(_FREE_TIMEOUT_S):
            await self._free.wait()

    async def _work(self, script: Iterator[float]) -> None:
        try:
            for real_s in script:
                self._host.publish()
                await asyncio.sleep(real_s)
        finally:
            for _ in script:  # an interrupted crew still leaves the machine in order
                continue
            self._host.publish()

    def _check(self, failure: str) -> None:
        if failure not in FAILURES:
            raise ValueError(f"{self.local_id}: no failure {failure!r}, expected one of {', '.join(FAILURES)}")
