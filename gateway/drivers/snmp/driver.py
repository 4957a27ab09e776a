"""Polls the agents of one machine: its computer, its printer, its power supply."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from contracts.errors import DeviceError, DeviceMisbehaved, DeviceRefused, DeviceUnreachable
from contracts.signals import DeviceKind, Sort
from gateway.driver import Observation, Sink
from gateway.drivers.snmp import memory
from gateway.drivers.snmp.agent import Agent
from gateway.drivers.snmp.engine import Engine
from gateway.drivers.snmp.host_reader import HostReader
from gateway.drivers.snmp.identities import Identities
from gateway.drivers.snmp.link import Link
from gateway.drivers.snmp.printer_reader import PrinterReader
from gateway.drivers.snmp.reader import Complaints, Reader
from gateway.drivers.snmp.settings import AgentSettings, Settings
from gateway.drivers.snmp.ups_reader import UpsReader
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.time_zone import parse_time_zone

_log = get_logger(__name__)

_UNKNOWN: Final = "unknown"


@dataclass(slots=True)
class _Round:
    """How the polls of one agent go.

    Attributes:
        reader: what reads it.
        states: state signals it told, which nobody knows any more once it is lost.
        failures: polls failed in a row.
        is_lost: whether it counts as lost.
        has_answered: whether it answered in this run; one that did not is lost at its first failure.
        refreshed_s: when its tables were read on the steady clock, ``None`` for never in this run.
    """

    reader: Reader
    states: set[str] = field(default_factory=set)
    failures: int = 0
    is_lost: bool = False
    has_answered: bool = False
    refreshed_s: float | None = None


class SnmpDriver:
    """Reads one machine over SNMP; it never sets anything.

    Args:
        settings: which agents there are.
        kind: device kind, whose catalogue rows decide what is reported.
        clock: wall clock, for the computer clock's skew.
        steady_s: clock for rates and intervals.
    """

    protocol = "snmp"

    def __init__(
        self, settings: Settings, kind: DeviceKind, clock: Clock, steady_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._kind = kind
        self._steady_s = steady_s
        self._identities = Identities()
        self._sink: Sink | None = None
        self._turn = asyncio.Lock()
        self._kept: dict[str, str] = {}
        zone = parse_time_zone(settings.zone)
        self._rounds: list[_Round] = []
        if settings.host is not None:
            agent, complaints = self._agent(settings.host)
            self._rounds.append(_Round(HostReader(settings.host, agent, zone, complaints, clock, steady_s)))
        if settings.printer is not None:
            agent, complaints = self._agent(settings.printer)
            self._rounds.append(_Round(PrinterReader(settings.printer, agent, complaints, self._identities)))
        if settings.ups is not None:
            agent, complaints = self._agent(settings.ups)
            self._rounds.append(_Round(UpsReader(agent, complaints, self._identities)))
        self._link = Link(each.reader.name for each in self._rounds)

    def _agent(self, settings: AgentSettings) -> tuple[Agent, Complaints]:
        complaints = Complaints(f"{settings.address}:{settings.port}", self._refuse)
        return Agent(settings, self._settings.retries, complaints.about), complaints

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled or until no agent answers.

        Raises:
            DeviceUnreachable: no agent answers.
            DeviceRefused: no agent answers, and the last one refuses the credentials.
            DependencyUnavailable: the outbox cannot be read or written.
        """
        kept = await sink.recall()
        self._sink = sink
        self._kept = dict(kept)
        self._identities.recall(kept)
        self._link.begin(memory.read(kept, memory.LINK, memory.LinkMemory))
        for each in self._rounds:
            each.failures, each.is_lost, each.has_answered, each.refreshed_s = 0, False, False, None
            each.reader.recall(kept)
        async with Engine(self._settings.timeout_s, self._refuse) as engine:
            try:
                async with asyncio.TaskGroup() as tasks:
                    for each in self._rounds:
                        each.reader.agent.use(engine)
                        tasks.create_task(self._poll(each), name=f"snmp {each.reader.name} {each.reader.agent.where}")
            except BaseExceptionGroup as failures:
                raise _cause(failures) from failures

    async def _poll(self, round_: _Round) -> None:
        """Poll one agent for ever; ends only when no agent of the machine answers."""
        while True:
            began_s = self._steady_s()
            try:
                await self._look(round_)
            except DeviceError as error:
                await self._fail(round_, error)
            await asyncio.sleep(max(0.0, began_s + self._settings.poll_s - self._steady_s()))

    async def _look(self, round_: _Round) -> None:
        reader = round_.reader
        tables: DeviceUnreachable | None = None
        now_s = self._steady_s()
        if round_.refreshed_s is None or now_s - round_.refreshed_s >= self._settings.tables_s:
            try:
                await self._hand_over(round_, await reader.refresh())
                round_.refreshed_s = now_s
            except DeviceUnreachable as error:  # some agents answer simple questions only; then they are not lost
                tables = error
        seen = await reader.look()
        if tables is not None:
            broken = DeviceMisbehaved(f"{reader.agent.where}: its tables cannot be read: {tables}")
            self._refuse(str(broken), broken)
        if round_.is_lost:
            _log.info("agent answers again", agent=reader.agent.where, part=reader.name)
        round_.failures, round_.is_lost, round_.has_answered = 0, False, True
        self._link.answered(reader.name, reader.agent.round_trip_s)
        await self._hand_over(round_, seen)

    async def _fail(self, round_: _Round, error: DeviceError) -> None:
        """Note a poll that failed."""
        round_.failures += 1
        reader = round_.reader
        if isinstance(error, DeviceMisbehaved):
            self._refuse(str(error), error)
        if not round_.is_lost and (round_.failures >= self._settings.failures_to_lost or not round_.has_answered):
            _log.warning("agent lost", agent=reader.agent.where, part=reader.name, error=str(error))
            round_.is_lost = True
            round_.refreshed_s = None
            self._link.lost(reader.name)
        await self._hand_over(
            round_, [Observation(path, _UNKNOWN) for path in sorted(round_.states)] if round_.is_lost else []
        )
        if self._link.is_gone:
            raise _last_word(error, len(self._rounds))

    async def _hand_over(self, round_: _Round, seen: list[Observation]) -> None:
        """Hand over what was seen with what must be known again, in one transaction.

        Raises:
            DependencyUnavailable: the outbox cannot be written; the next run goes on from what is on disk.
        """
        if self._sink is None:
            raise RuntimeError("run() comes before the first hand-over")
        async with self._turn:
            reportable = []
            for item in seen:
                signal = self._kind.signal(item.path)
                if signal is None:
                    continue
                reportable.append(item)
                if signal.sort is Sort.STATE:
                    round_.states.add(item.path)
            keep = {
                **round_.reader.to_keep(),
                **self._identities.to_keep(),
                memory.LINK: self._link.memory().model_dump_json(),
            }
            changed = {key: text for key, text in keep.items() if self._kept.get(key) != text}
            await self._sink.observe([*self._link.observations(), *reportable], changed)
            self._kept.update(changed)

    def _refuse(self, raw: bytes | str, error: DeviceError) -> None:
        self._link.erred()
        if self._sink is not None:
            self._sink.refuse(raw, error)


def _last_word(error: DeviceError, agents: int) -> DeviceError:
    if agents == 1 or not isinstance(error, DeviceRefused):
        return error if isinstance(error, (DeviceRefused, DeviceUnreachable)) else DeviceUnreachable(str(error))
    return DeviceRefused(f"none of {agents} agents answers, the last was: {error}")


def _cause(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that ended the run: what is not the device's fault goes first, so that it is not taken for it."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [failures]
    while pending:
        failure = pending.pop()
        if isinstance(failure, BaseExceptionGroup):
            pending.extend(failure.exceptions)
        else:
            leaves.append(failure)
    return next((leaf for leaf in leaves if not isinstance(leaf, DeviceError)), leaves[0])
