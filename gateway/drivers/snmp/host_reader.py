"""Reads the computer."""

import time
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Final

from gateway.driver import Observation
from gateway.drivers.snmp import application as apps
from gateway.drivers.snmp import memory, ports, storage
from gateway.drivers.snmp.agent import Agent
from gateway.drivers.snmp.application import Application
from gateway.drivers.snmp.date_and_time import LONG, SHORT, skew_s
from gateway.drivers.snmp.numbering import Numbering
from gateway.drivers.snmp.reader import Complaints, each
from gateway.drivers.snmp.settings import HostSettings
from gateway.drivers.snmp.uptime import WRAP_TICKS, Uptime, advance
from gateway.drivers.snmp.values import Answers, Complaint, merged
from runtime.clock import Clock

_UPTIME: Final = "1.3.6.1.2.1.25.1.1.0"
_DATE: Final = "1.3.6.1.2.1.25.1.2.0"
_PROCESSOR_LOAD: Final = "1.3.6.1.2.1.25.3.3.1.2"
_PROCESSORS_MOST: Final = 256


class HostReader:
    """Uptime, clock, processors, memory, disks, ports and one application of a computer.

    Args:
        settings: what to watch.
        agent: its agent.
        zone: its local time, where the agent does not say.
        complaints: take what the agent does wrong.
        clock: wall clock.
        steady_s: clock for rates and runs.
    """

    name = "host"

    def __init__(
        self,
        settings: HostSettings,
        agent: Agent,
        zone: tzinfo,
        complaints: Complaints,
        clock: Clock,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.agent = agent
        self._settings = settings
        self._zone = zone
        self._complaints = complaints
        self._clock = clock
        self._steady_s = steady_s
        self._uptime: Uptime | None = None
        self._uptime_read_s: float | None = None
        self._application = Application()
        self._disks = Numbering((), storage.DISKS_MOST)
        self._ports = Numbering((), ports.PORTS_MOST)
        self._watched: tuple[ports.Port, ...] = ()
        self._counts: dict[str, ports.Count] = {}
        self._processors: tuple[str, ...] = ()
        self._rows_are_stale = False

    def recall(self, kept: Mapping[str, str]) -> None:
        """Go on with what is on disk."""
        known = memory.read(kept, memory.HOST, memory.HostMemory)
        uptime = None if known.ticks is None else Uptime(known.ticks, known.at_ms, known.wraps, known.reboots)
        if uptime != self._uptime:
            self._uptime, self._uptime_read_s = uptime, None
        self._application = Application(known.application_row, known.application_restarts)
        self._disks = Numbering(known.disks, storage.DISKS_MOST)
        self._ports = Numbering(known.ports, ports.PORTS_MOST)

    def to_keep(self) -> dict[str, str]:
        """What must outlive the process."""
        uptime = self._uptime
        kept = memory.HostMemory(
            ticks=None if uptime is None else uptime.ticks,
            at_ms=0 if uptime is None else uptime.at_ms,
            wraps=0 if uptime is None else uptime.wraps,
            reboots=0 if uptime is None else uptime.reboots,
            application_row=self._application.row,
            application_restarts=self._application.restarts,
            disks=self._disks.names,
            ports=self._ports.names,
        )
        return {memory.HOST: kept.model_dump_json()}

    async def refresh(self) -> list[Observation]:
        """Read the tables of storage, ports and processors."""
        return await each((self._read_storage, self._choose_ports, self._list_processors), self._complaints)

    async def look(self) -> list[Observation]:
        """Read everything that changes quickly."""
        relisted = []
        if self._rows_are_stale:
            relisted = await self.refresh()
            self._rows_are_stale = False
        row = self._application.row if self._settings.application else ""
        oids = [_UPTIME, _DATE, *self._processors]
        oids += [oid for port in self._watched for oid in ports.oids_of(port)]
        oids += apps.oids_of(row) if row else ()
        answers = Answers(await self.agent.get(oids))
        now_s = self._steady_s()
        seen = [*relisted, *self._read_uptime(answers), *self._read_clock(answers), *self._read_processors(answers)]
        rates, self._counts = ports.read_ports(answers, self._watched, self._counts, now_s)
        seen += rates
        if self._settings.application:
            seen += await self._read_application(answers)
        self._complaints.look_at("look", answers)
        return seen

    # -- quickly -----------------------------------------------------------------------------------------------------

    def _read_uptime(self, answers: Answers) -> list[Observation]:
        ticks = answers.number(_UPTIME, 0, WRAP_TICKS - 1)
        if ticks is None:
            return []
        now_s = self._steady_s()
        elapsed_s = None if self._uptime_read_s is None else now_s - self._uptime_read_s
        before, self._uptime = self._uptime, advance(self._uptime, ticks, self._clock.now_ms(), elapsed_s)
        self._uptime_read_s = now_s
        if before is not None and self._uptime.reboots != before.reboots:
            # Counts begin anew, and rows may be those of other ports and processors.
            self._counts, self._watched, self._processors = {}, (), ()
            self._rows_are_stale = True
        return [
            Observation("host/uptime", self._uptime.seconds),
            Observation("host/reboots", self._uptime.reboots),
        ]

    def _read_clock(self, answers: Answers) -> list[Observation]:
        octets = answers.octets(_DATE, SHORT, LONG)
        if octets is None:
            return []
        try:
            skew = skew_s(octets, self._zone, self._clock.now_ms(), self.agent.round_trip_s)
        except (ValueError, OverflowError) as error:
            answers.complaints.append(Complaint(_DATE, f"no date and time in {octets.hex()}: {error}"))
            return []
        return [Observation("clock/skew", skew)]

    def _read_processors(self, answers: Answers) -> list[Observation]:
        given = [answers.number(oid, 0, 100) for oid in self._processors]
        loads = [load for load in given if load is not None]
        return [Observation("host/cpu", round(sum(loads) / len(loads) / 100, 4))] if loads else []

    async def _read_application(self, answers: Answers) -> list[Observation]:
        """State of the application where it was, or else where it is now."""
        wanted, row = self._settings.application, self._application.row
        if not row or not apps.is_at(answers, wanted, row):
            answers = merged((await self.agent.column(apps.NAME, apps.ROWS_MOST),))
            total = len(answers.values)
            if not total:
                return []  # the agent does not list processes
            found = await self._find(answers)
            if found is None:
                is_whole = total < apps.ROWS_MOST
                return [self._restarts(), *([Observation("host/app/state", apps.MISSING)] if is_whole else [])]
            row, answers = found
        self._application = apps.moved(self._application, row)
        state = apps.state_at(answers, row)
        return [self._restarts(), *([Observation("host/app/state", state)] if state else [])]

    async def _find(self, names: Answers) -> tuple[str, Answers] | None:
        """Row of the application with its values, ``None`` where it does not run."""
        rows = apps.candidates(names, self._settings.application)
        if not rows:
            return None
        answers = Answers(await self.agent.get([oid for row in rows for oid in apps.oids_of(row)]))
        row = next((row for row in rows if apps.is_at(answers, self._settings.application, row)), None)
        return None if row is None else (row, answers)

    def _restarts(self) -> Observation:
        return Observation("host/app/restarts", self._application.restarts)

    # -- slowly ------------------------------------------------------------------------------------------------------

    async def _read_storage(self) -> list[Observation]:
        answers = Answers(await self.agent.table(storage.COLUMNS, storage.ROWS_MOST))
        seen = storage.read_storage(answers, self._disks, self._settings.disks)
        self._complaints.look_at("storage", answers)
        return seen

    async def _choose_ports(self) -> list[Observation]:
        answers = Answers(await self.agent.table(ports.COLUMNS, ports.ROWS_MOST))
        self._watched = ports.choose_ports(answers, self._ports, self._settings.ports)
        self._complaints.look_at("ports", answers)
        return []

    async def _list_processors(self) -> list[Observation]:
        self._processors = tuple(await self.agent.column(_PROCESSOR_LOAD, _PROCESSORS_MOST))
        return []
