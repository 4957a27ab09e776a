"""Benchmark of the recovery after an outage: ``python -m bench.recovery --json``.

A real broker, a real collector with the default rules and its DuckDB, and gateways in a process of their own whose outboxes
hold what a long cut left there. The line is restored, and what the store holds afterwards tells how long it took until the
current state was known, until the backlog was filled in, and what live readings waited meanwhile.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click
import duckdb
import msgspec
from prometheus_client import CollectorRegistry

from bench.outage import Outage
from collector.adapters.duckdb_store import RECENT_FILE
from collector.app import Collector
from collector.settings import CollectorSettings
from collector.stores import STORE_DIRECTORY
from rules.app import Rules
from rules.settings import RulesSettings
from runtime.broker import EmbeddedBroker
from runtime.clock import SystemClock
from runtime.database import Database, sqlite_url
from runtime.event_log import EventLog
from runtime.logs import configure_logs
from runtime.migration import upgrade
from runtime.settings import BrokerSettings, LogSettings
from runtime.supervisor import Supervisor
from simulators.ports import free_ports

_GIVE_UP_S: Final = 600.0

_CURRENT: Final = """
SELECT max(known_at) FROM (
    SELECT min(stored_at) AS known_at FROM reading JOIN store_commit USING (position) JOIN series USING (series)
    WHERE device_id LIKE $1 || '/atm-%' AND live AND observed_at >= $2 GROUP BY series
)
"""
"""When the last of a branch's signals had a live reading of after the reconnect."""

_SIGNALS: Final = """
SELECT count(*), count(*) FILTER (WHERE series IN (SELECT series FROM reading WHERE live AND observed_at >= $2))
FROM series WHERE device_id LIKE $1 || '/atm-%' AND series IN (SELECT series FROM reading)
"""

_BACKLOG: Final = """
SELECT max(stored_at), count(*) FROM reading JOIN store_commit USING (position) WHERE NOT live AND observed_at < $1
"""

_LIVE: Final = """
SELECT count(*), quantile_cont(took, 0.5), quantile_cont(took, 0.99), max(took) FROM (
    SELECT stored_at - observed_at AS took FROM reading JOIN store_commit USING (position) JOIN series USING (series)
    WHERE live AND observed_at BETWEEN $1 AND $2 AND device_id LIKE '%/atm-%'
)
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        branches: gateways that came back.
        backlog: readings of the outage in all outboxes together.
        signals: current values a snapshot has to bring, all branches together.
        current_state_s: from a gateway's reconnect until all its signals are in the store as they are now; the slowest one.
        backlog_s: from the restoration of the line until the last reading of the outage is in the store.
        live: live readings observed from then on, when the current state of all was known, until the backlog was filled in.
        live_p50_ms: half of them took less from observation to commit.
        live_p99_ms: 99 % of them did.
        live_max_ms: all of them did.
        lost: readings produced that are not in the store.
        doubled: rows in the store that stand for a reading which another row stands for too.
    """

    branches: int
    backlog: int
    signals: int
    current_state_s: float
    backlog_s: float
    live: int
    live_p50_ms: int
    live_p99_ms: int
    live_max_ms: int
    lost: int
    doubled: int


@asynccontextmanager
async def serving(directory: Path, broker_port: int) -> AsyncIterator[Collector]:
    """Collector and default rules."""
    clock = SystemClock()
    database = Database(sqlite_url(directory / "ops.db"))
    try:
        await upgrade(database)
        event_log, registry = EventLog(database, clock), CollectorRegistry()
        rules = Rules(RulesSettings(), database, event_log, clock, registry)
        collector = Collector(
            CollectorSettings(),
            BrokerSettings(port=broker_port),
            database,
            event_log,
            clock,
            registry,
            directory,
            rules,
        )
        supervisor, started = Supervisor(), asyncio.Event()
        for service in (rules, *collector.services()):
            supervisor.add(service)
        async with asyncio.TaskGroup() as group:
            group.create_task(supervisor.run(on_started=started.set))
            await started.wait()
            try:
                yield collector
            finally:
                supervisor.request_stop()
    finally:
        await database.close()


class Gateways:
    """The process with the gateways."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self) -> dict[str, Any]:
        """What it says of the part it has done."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_GIVE_UP_S):
            facts: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return facts

    def go_on(self) -> None:
        """Let it do the next part."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")


@asynccontextmanager
async def gateways(outage: Outage, broker_port: int, directory: Path) -> AsyncIterator[Gateways]:
    """Start the process with the gateways, and end it."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in asdict(outage).items()]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.outage", str(broker_port), str(directory), *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Gateways(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def measure(outage: Outage, directory: Path) -> Result:
    """Let the gateways come back, and read from the store how it went."""
    (port,) = free_ports(1)
    broker = EmbeddedBroker(directory / "broker", port=port)
    await broker.start()
    try:
        async with serving(directory, port) as collector, gateways(outage, port, directory) as process:
            branch_ids = (await process.told())["met"]
            await _until(lambda: len(collector.fleet.devices()) >= len(branch_ids))
            process.go_on()
            filled: dict[str, int] = (await process.told())["last_seq"]
            process.go_on()
            facts = await process.told()
            await _until(lambda: _is_whole(collector, filled))
            process.go_on()
            produced = sum((await process.told())["produced"].values())
            last = await _settled(collector, produced)
        return _result(outage, directory / STORE_DIRECTORY / RECENT_FILE, facts, produced, *last)
    finally:
        await broker.stop()


def _is_whole(collector: Collector, filled: Mapping[str, int]) -> bool:
    """Whether every branch's packs up to those of the outage and beyond are in the store, and none between is missing."""
    found = {status.branch_id: status for status in collector.intake_status()}
    return all(found[key].committed_packs == (found[key].last_seq or 0) > seq for key, seq in filled.items())


async def _settled(collector: Collector, produced: int) -> tuple[int, int]:
    """Readings stored and doubled, once all are there or nothing more comes."""
    audit = await collector.audit()
    for _ in range(100):
        if audit.stored >= produced:
            break
        await asyncio.sleep(0.2)
        audit = await collector.audit()
    return audit.stored, audit.doubled


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(_GIVE_UP_S):
        while not true():  # noqa: ASYNC110  (the collector is asked as the console asks it)
            await asyncio.sleep(0.1)


def _result(outage: Outage, store: Path, facts: dict[str, Any], produced: int, stored: int, doubled: int) -> Result:
    with duckdb.connect(str(store), read_only=True) as connection:

        def row(query: str, *arguments: Any) -> tuple[Any, ...]:
            found = connection.execute(query, arguments).fetchone()
            assert found is not None
            return found

        restored_ms, connected_ms = facts["restored_ms"], facts["connected_ms"]
        current_ms, known_ms, signals = [], restored_ms, 0
        for branch_id, at_ms in connected_ms.items():
            known, fresh = row(_SIGNALS, branch_id, at_ms)
            if fresh < known:
                raise RuntimeError(f"{branch_id}: {fresh} of {known} signals came after the reconnect")
            signals += known
            (current_at_ms,) = row(_CURRENT, branch_id, at_ms)
            known_ms = max(known_ms, current_at_ms)
            current_ms.append(current_at_ms - at_ms)
        filled_ms, backlog = row(_BACKLOG, restored_ms)
        live, p50, p99, most = row(_LIVE, known_ms, filled_ms)
    return Result(
        branches=outage.branches,
        backlog=backlog,
        signals=signals,
        current_state_s=round(max(current_ms) / 1000, 2),
        backlog_s=round((filled_ms - restored_ms) / 1000, 1),
        live=live,
        live_p50_ms=round(p50 or 0),
        live_p99_ms=round(p99 or 0),
        live_max_ms=most or 0,
        lost=produced - stored,
        doubled=doubled,
    )


@click.command()
@click.option("--branches", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--readings", default=300_000, show_default=True, type=click.IntRange(min=1), help="Of each branch.")
@click.option("--hours", default=13.0, show_default=True, type=click.FloatRange(min=0.0, min_open=True))
@click.option("--live-per-s", default=10.0, show_default=True, type=click.FloatRange(min=0.1), help="Of each branch.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(branches: int, readings: int, hours: float, live_per_s: float, as_json: bool) -> None:
    """Measure how long gateways take to come back after an outage."""
    configure_logs(LogSettings(level="error"))
    with tempfile.TemporaryDirectory() as directory:
        result = asyncio.run(measure(Outage(branches, readings, hours, live_per_s), Path(directory)))
    if as_json:
        print(msgspec.json.encode(asdict(result)).decode())
    else:
        for name, value in asdict(result).items():
            print(f"{name:>20} {value}")


if __name__ == "__main__":
    main()
