"""What a loss test stands on: broker, line, server and a gateway, each the real one, and the count at the end."""

import asyncio
import os
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

from collector.app import Collector
from collector.settings import CollectorSettings
from collector.status import GatewayIntake
from gateway.app import GatewayApp
from gateway.metrics import GatewayMetrics
from gateway.outbox import OutboxStatistics, statistics
from gateway.settings import DeviceSettings, GatewaySettings, OutboxSettings, UplinkSettings
from rules.app import Rules
from rules.faults import Faults
from rules.settings import RulesSettings
from runtime.broker import EmbeddedBroker
from runtime.clock import Clock, SystemClock
from runtime.database import Database, sqlite_url
from runtime.event_log import EventLog
from runtime.migration import upgrade
from runtime.settings import BrokerSettings
from runtime.supervisor import Supervisor
from simulators.line import Line
from tests.conftest import free_port
from tests.loss.witness import EVENT, GAUGE, PROTOCOL, driver_type

BRANCH: Final = "BR0421"
ATM: Final = f"{BRANCH}/atm-01"

WAIT_S: Final = 90.0
"""Far more than anything here takes; a loaded machine is slow."""

_LATER_MS: Final = 2**53
_FAST: Final[dict[str, Any]] = {
    "review_s": 0.1, "hole_grace_s": 0.5, "hole_retry_first_s": 0.5, "hole_retry_most_s": 2, "hole_tries": 60,
    "retention": {"readings_days": 3_650, "minutes_days": 3_650, "hours_days": 3_650, "events_days": 3_650},
}  # fmt: skip
"""Nothing is old enough to go, though clocks jump by years."""


class ShiftedClock:
    """The machine's clock, put forward or back by hand."""

    def __init__(self) -> None:
        self.offset_ms = 0

    def now_ms(self) -> int:
        return SystemClock().now_ms() + self.offset_ms


async def until(what: str, true: Callable[[], bool | Awaitable[bool]], timeout_s: float = WAIT_S) -> None:
    """Wait for a condition, and say which one did not come true."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                found = true()
                if found is True or (not isinstance(found, bool) and await found):
                    return
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise AssertionError(f"waited {timeout_s:g} s in vain until {what}") from error


class Branch:
    """One branch and its server, under trial.

    Attributes:
        told: numbers of which the witness in this process was told that they are taken.
        faults: faults of the server that runs, or ran last.
    """

    def __init__(self, directory: Path, *, through_a_line: bool = False) -> None:
        self.directory = directory
        self.told: list[int] = []
        self.faults: Faults | None = None
        self.broker = EmbeddedBroker(directory / "broker", port=free_port(), ack_wait_s=2)
        self.line = Line(0, ("127.0.0.1", self.broker.port)) if through_a_line else None

    @asynccontextmanager
    async def standing(self) -> AsyncIterator["Branch"]:
        """With its broker and its line."""
        await self.broker.start()
        try:
            if self.line is not None:
                await self.line.start()
            yield self
        finally:
            if self.line is not None:
                await self.line.stop()
            await self.broker.stop()

    async def kill_broker(self) -> None:
        """End the broker as a loss of power does."""
        pid = self.broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until("the broker is dead", lambda: self.broker.pid is None)

    async def lose_broker(self) -> None:
        """Kill the broker, wipe all it kept, and start an empty one in its place."""
        await self.kill_broker()
        shutil.rmtree(self.directory / "broker")
        await self.broker.start()

    # -- the server --------------------------------------------------------------------------------------------------

    @property
    def server_dir(self) -> Path:
        """Where the server keeps its store and its ops database."""
        return self.directory / "server"

    @asynccontextmanager
    async def serving(self, clock: Clock | None = None) -> AsyncIterator[Collector]:
        """A server: collector and rules over its store and ops database, stopped in order at the end."""
        clock = clock or SystemClock()
        self.server_dir.mkdir(parents=True, exist_ok=True)
        database = Database(sqlite_url(self.server_dir / "ops.db"))
        try:
            await upgrade(database)
            event_log, registry = EventLog(database, clock), CollectorRegistry()
            rules = Rules(RulesSettings(), database, event_log, clock, registry)
            self.faults = rules.faults
            collector = Collector(
                CollectorSettings(**_FAST), BrokerSettings(port=self.broker.port), database, event_log, clock, registry,
                self.server_dir, rules,
            )  # fmt: skip
            supervisor = Supervisor()
            for service in (rules, *collector.services()):
                supervisor.add(service)
            async with asyncio.TaskGroup() as group:
                started = asyncio.Event()
                group.create_task(supervisor.run(on_started=started.set))
                async with asyncio.timeout(WAIT_S):
                    await started.wait()
                try:
                    yield collector
                finally:
                    supervisor.request_stop()
        finally:
            await database.close()

    def backup(self, name: str) -> Path:
        """Copy store and ops database of a server that is stopped."""
        return Path(shutil.copytree(self.server_dir, self.directory / name))

    def restore(self, backup: Path, *patterns: str) -> None:
        """Put back files of a backup; what the server wrote beside them since is gone."""
        for pattern in patterns:
            for present in filter(Path.is_file, self.server_dir.glob(pattern)):
                present.unlink()
            for kept in filter(Path.is_file, backup.glob(pattern)):
                target = self.server_dir / kept.relative_to(backup)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(kept, target)

    # -- the gateway -------------------------------------------------------------------------------------------------

    @property
    def outbox(self) -> Path:
        """File of the gateway's outbox."""
        return self.settings().outbox_path

    def figures(self) -> OutboxStatistics:
        """Figures of the outbox, whether its gateway runs or not."""
        return statistics(self.outbox)

    def settings(self, **outbox: Any) -> GatewaySettings:
        """Settings of the gateway."""
        port = self.broker.port if self.line is None else self.line.port
        device = {"id": "atm-01", "kind": "atm", "connection": {"driver": PROTOCOL, "host": "127.0.0.1"}}
        return GatewaySettings(
            branch_id=BRANCH,
            data_dir=self.directory,
            broker=BrokerSettings(port=port),
            devices=(DeviceSettings.model_validate(device),),
            uplink=UplinkSettings(flush_s=0.05, stop_s=12),  # what a slow machine does not send by then, nobody sends
            outbox=OutboxSettings(**outbox),
            health_s=0.5,
            watch_host=False,
        )

    @asynccontextmanager
    async def reading(
        self, clock: Clock | None = None, *, pause_s: float = 0.02, last: int | None = None, **outbox: Any
    ) -> AsyncIterator[GatewayApp]:
        """The gateway in this process with the witness as its device, stopped in order at the end."""
        drivers = {PROTOCOL: driver_type(self.told.append, pause_s, last)}
        metrics = GatewayMetrics(CollectorRegistry())
        app = GatewayApp(self.settings(**outbox), clock or SystemClock(), metrics, drivers)
        stop, started = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(app.run_until(stop, started.set))
            try:
                async with asyncio.timeout(WAIT_S):
                    await started.wait()
                yield app
            finally:
                stop.set()

    async def say(self, count: int) -> None:
        """Wait until the witness was told of so many numbers more."""
        enough = len(self.told) + count
        await until(f"{count} more numbers are taken", lambda: len(self.told) >= enough)

    # -- the count ---------------------------------------------------------------------------------------------------

    def intake(self, collector: Collector) -> GatewayIntake:
        """How the collector stands with this gateway."""
        return next(found for found in collector.intake_status() if found.branch_id == BRANCH)

    async def whole(self, collector: Collector) -> None:
        """Wait until every number told is stored and no pack before the newest is missing; the gateway runs on."""
        target = set(self.told)

        async def stored() -> bool:
            return target <= set(await numbers(collector))

        await until("every number that was told is stored", stored)

        def no_holes() -> bool:
            intake = self.intake(collector)
            return intake.committed_packs == intake.last_seq

        await until("no pack is missing", no_holes)

    async def drained(self, collector: Collector) -> None:
        """Wait until every pack of the gateway, which is stopped, is committed."""
        last_seq = self.figures().last_seq
        await until(f"all {last_seq} packs are committed", lambda: self.intake(collector).committed_packs == last_seq)

    async def count(self, collector: Collector, told: Iterable[int] | None = None, *, at_least: int = 50) -> None:
        """Hold what the witness was told, and what the outbox counted, against queries on the store: 0 lost, 0 doubled."""
        expected = set(self.told if told is None else told)
        assert len(expected) >= at_least, "too few numbers to prove anything"
        events = await numbers(collector)
        assert [number for number in expected if number not in events] == [], "events lost"
        assert {number: times for number, times in events.items() if times > 1} == {}, "events doubled"
        assert set(events) == set(range(1, max(events) + 1)), "the numbers have a gap"
        values = await collector.readings.history(ATM, GAUGE, 0, _LATER_MS, 10_000_000)
        assert expected <= {int(point.value) for point in values.points}, "values of the gauge lost"
        audit, produced = await collector.audit(), self.figures().produced
        assert (audit.stored, audit.doubled) == (produced, 0)


async def numbers(collector: Collector) -> Counter[int]:
    """How often each number of the witness is in the store."""
    if ATM not in {device.device_id for device in collector.fleet.devices()}:
        return Counter()
    events = await collector.readings.events(ATM, 0, _LATER_MS, 10_000_000)
    return Counter(int(event.text) for event in events if event.path == EVENT)
