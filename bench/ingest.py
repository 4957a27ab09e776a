"""Benchmark of the intake: ``python -m bench.ingest --seconds 30 --json``.

A real broker, a process with a thousand gateways, and the collector as it ships in a process of its own. Every series is known
before the measurement begins. Unless ``--rate`` says otherwise the gateways send as fast as the collector commits: a pack is
sent when one is committed, so that nothing piles up and the rate is what is sustained. ``--overload 3`` then sends three times
that for a third of the time and lets it drain. What is stored is counted by the store itself afterwards.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from bench.branches import DEVICES
from bench.collecting import BOARD_FILE
from bench.commit_board import CommitBoard, quantile
from bench.packs import READINGS_A_PACK
from bench.processes import Process, broker, cpu_s, module, peak_rss_mb, store_server
from collector.settings import CollectorSettings
from collector.stores import STORE_DIRECTORY, make_store
from runtime.clock import SystemClock
from runtime.database import Database, sqlite_url
from runtime.logs import configure_logs
from runtime.settings import LogSettings
from simulators.ports import free_ports

WINDOW: Final = 1000
"""Packs sent and not yet committed while the collector sets the pace: two full batches."""

WARM_UP_S: Final = 2.0
"""Time at the full rate before the measurement begins."""

_OLD_MS: Final = 3 * 3_600_000
"""Age at which any store puts readings in order."""

DRAIN_S: Final = 600.0
"""Longest wait for what was sent to take effect."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What to run.

    Attributes:
        seconds: how long to measure.
        gateways: how many send.
        series: of each.
        rules: ``default`` or ``off``.
        store: ``duckdb`` or ``influxdb``.
        broker: ``nats`` or ``mosquitto``.
        rate: readings offered a second, ``None`` for as many as the collector commits.
        backfill: share of the packs that come as a backlog.
        overload: how many times the sustained rate to offer afterwards, 0 for no overload.
    """

    seconds: float
    gateways: int
    series: int
    rules: str
    store: str
    broker: str
    rate: float | None
    backfill: float
    overload: float


@dataclass(frozen=True, slots=True)
class Overload:
    """What an overload was and did.

    Attributes:
        offered_per_s: readings a second that the broker took.
        readings_per_s: readings a second that the collector committed meanwhile and while it drained.
        drain_s: from the last pack sent to the last one committed.
        rss_mb: most memory of the collector ever, MiB.
        lag_ms_p99: observation to commit.
    """

    offered_per_s: int
    readings_per_s: int
    drain_s: float
    rss_mb: int
    lag_ms_p99: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        readings_per_s: readings committed per second of the measurement.
        cpu_us_per_reading: processor time of the collector's process, all threads, user and system, microseconds.
        rss_mb: most memory the collector's process ever had, MiB.
        stored: distinct readings in the store, those that made every series known included.
        lost: readings sent that are not in the store.
        doubled: rows in the store that stand for a reading which another row stands for too.
        bytes_per_reading: size of all files of the store, closed; in DuckDB most of it is still in the order of arrival.
        ordered_bytes_per_reading: size of the files that its upkeep makes of these readings once they are old, ``None`` for a
            store that makes none.
        lag_ms_p50: observation to commit of live readings, half of them.
        lag_ms_p99: 99 % of them.
        broker_cpu_us_per_reading: processor time of the broker.
        generator_cpu_us_per_reading: processor time of the gateways.
        rules: as asked for.
        store: as asked for.
        broker: as asked for.
        overload: ``None`` unless asked for.
    """

    readings_per_s: int
    cpu_us_per_reading: float
    rss_mb: int
    stored: int
    lost: int
    doubled: int
    bytes_per_reading: float
    ordered_bytes_per_reading: float | None
    lag_ms_p50: int | None
    lag_ms_p99: int | None
    broker_cpu_us_per_reading: float
    generator_cpu_us_per_reading: float
    rules: str
    store: str
    broker: str
    overload: Overload | None


async def measure(trial: Trial, directory: Path) -> Result:
    """Run a trial in an empty directory."""
    (port,) = free_ports(1)
    board = CommitBoard.make(directory / BOARD_FILE)
    generating = (
        str(port), str(directory / BOARD_FILE), "--gateways", str(trial.gateways), "--series", str(trial.series),
    )  # fmt: skip
    async with store_server(trial.store, directory / STORE_DIRECTORY) as settings:
        collecting = (str(port), str(directory), "--settings", json.dumps(settings), "--rules", trial.rules)
        async with (
            broker(trial.broker, directory / "broker", port) as broker_pid,
            module("bench.collecting", *collecting) as collector,
            module("bench.generator", *generating) as gateways,
        ):
            await collector.line()
            run = _Run(trial, board, gateways, collector.pid, broker_pid)
            await run.warm_up()
            measured = await run.measure()
            overload = await run.overload(measured["readings_per_s"]) if trial.overload else None
            measured["rss_mb"] = round(peak_rss_mb(collector.pid))
            await collector.stop()
        stored = await _audit(CollectorSettings.model_validate(settings), directory)
    return Result(
        **measured,
        **stored,
        lost=run.sent * READINGS_A_PACK - stored["stored"],
        overload=overload,
        rules=trial.rules,
        store=trial.store,
        broker=trial.broker,
    )


@dataclass(frozen=True, slots=True)
class _Mark:
    """How things stand at a moment."""

    at_s: float
    readings: int
    collector_s: float
    broker_s: float
    generator_s: float


class _Run:
    """The parts of a trial, one after the other."""

    def __init__(
        self, trial: Trial, board: CommitBoard, gateways: Process, collector_pid: int, broker_pid: int
    ) -> None:
        self._trial = trial
        self._board = board
        self._gateways = gateways
        self._collector_pid = collector_pid
        self._broker_pid = broker_pid
        self.sent = 0

    async def warm_up(self) -> None:
        """Let every gateway announce itself and report every series once."""
        await self._gateways.ask(do="announce")
        await _until(lambda: self._board.devices >= self._trial.gateways * len(DEVICES))
        packs = self._trial.gateways * self._trial.series // READINGS_A_PACK
        await self._send(packs=packs, window=WINDOW)
        await self._drained()

    async def measure(self) -> dict[str, Any]:
        """The sustained rate and what it costs."""
        trial = self._trial
        window = WINDOW if trial.rate is None else None
        async with asyncio.TaskGroup() as group:
            group.create_task(
                self._send(
                    seconds=WARM_UP_S + trial.seconds + 0.5, rate=trial.rate, window=window, backfill=trial.backfill
                )
            )
            await asyncio.sleep(WARM_UP_S)
            lags, began = self._board.lags(), self._mark()
            await asyncio.sleep(trial.seconds)
            lags, ended = self._board.lags() - lags, self._mark()
        await self._drained()
        readings = ended.readings - began.readings
        if not readings:
            raise RuntimeError(f"nothing was committed in {trial.seconds:g} s; the collector's errors are above")

        def us_per_reading(spent_s: float) -> float:
            return round(spent_s / readings * 1e6, 3)

        return {
            "readings_per_s": round(readings / (ended.at_s - began.at_s)),
            "cpu_us_per_reading": us_per_reading(ended.collector_s - began.collector_s),
            "broker_cpu_us_per_reading": us_per_reading(ended.broker_s - began.broker_s),
            "generator_cpu_us_per_reading": us_per_reading(ended.generator_s - began.generator_s),
            "lag_ms_p50": quantile(lags, 0.5),
            "lag_ms_p99": quantile(lags, 0.99),
        }

    async def overload(self, sustained: float) -> Overload:
        """Offer a multiple of the sustained rate for a while, and let it drain."""
        loop = asyncio.get_running_loop()
        lags, began_s, readings = self._board.lags(), loop.time(), self._board.readings
        sent = await self._send(seconds=self._trial.seconds / 3, rate=sustained * self._trial.overload)
        sent_s = loop.time()
        await self._drained()
        drained_s = loop.time()
        return Overload(
            offered_per_s=round(sent["packs"] * READINGS_A_PACK / sent["seconds"]),
            readings_per_s=round((self._board.readings - readings) / (drained_s - began_s)),
            drain_s=round(drained_s - sent_s, 1),
            rss_mb=round(peak_rss_mb(self._collector_pid)),
            lag_ms_p99=quantile(self._board.lags() - lags, 0.99),
        )

    async def _send(self, **how: Any) -> dict[str, Any]:
        answer = await self._gateways.ask(do="send", **how)
        self.sent += answer["packs"]
        return answer

    async def _drained(self) -> None:
        await _until(lambda: self._board.packs >= self.sent)

    def _mark(self) -> _Mark:
        at_s = asyncio.get_running_loop().time()
        pids = (self._collector_pid, self._broker_pid, self._gateways.pid)
        return _Mark(at_s, self._board.readings, *(cpu_s(pid) for pid in pids))


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DRAIN_S):
        while not true():  # noqa: ASYNC110  (another process counts)
            await asyncio.sleep(0.02)


async def _audit(settings: CollectorSettings, directory: Path) -> dict[str, Any]:
    """What the store says it holds, opened again, and the size of its files before and after its upkeep."""
    database = Database(sqlite_url(directory / "ops.db"))
    clock = SystemClock()
    store = make_store(settings, directory, database, clock)
    fresh = _files(directory / STORE_DIRECTORY)
    try:
        await store.open()
        audit = await store.audit()
        while (await store.maintain(clock.now_ms() + _OLD_MS)).more:
            pass
    finally:
        await store.close()
        await database.close()
    history = directory / STORE_DIRECTORY / "history"
    ordered = [size for path, size in _files(directory / STORE_DIRECTORY).items() if history in path.parents]
    return {
        "stored": audit.stored,
        "doubled": audit.doubled,
        "bytes_per_reading": round(sum(fresh.values()) / audit.stored, 2),
        "ordered_bytes_per_reading": round(sum(ordered) / audit.stored, 2) if ordered else None,
    }


def _files(directory: Path) -> dict[Path, int]:
    """Files and their sizes in bytes."""
    return {path: path.stat().st_size for path in directory.rglob("*") if path.is_file()}


@click.command()
@click.option("--seconds", default=30.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option("--gateways", default=1000, show_default=True, type=click.IntRange(min=1))
@click.option("--series", default=200, show_default=True, type=click.IntRange(min=100), help="Of each gateway.")
@click.option("--rules", default="off", show_default=True, type=click.Choice(["off", "default"]))
@click.option("--store", default="duckdb", show_default=True, type=click.Choice(["duckdb", "influxdb"]))
@click.option("--broker", "broker_kind", default="nats", show_default=True, type=click.Choice(["nats", "mosquitto"]))
@click.option("--rate", type=click.FloatRange(min=1), help="Readings offered a second; else as many as are committed.")
@click.option("--backfill", default=0.0, show_default=True, type=click.FloatRange(0, 1), help="Share of the packs.")
@click.option("--overload", default=0.0, show_default=True, type=click.FloatRange(min=0), help="Times that rate.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    seconds: float,
    gateways: int,
    series: int,
    rules: str,
    store: str,
    broker_kind: str,
    rate: float | None,
    backfill: float,
    overload: float,
    as_json: bool,
) -> None:
    """Measure how many readings a second the collector takes in, and what each costs."""
    configure_logs(LogSettings(level="warning"))
    trial = Trial(seconds, gateways, series, rules, store, broker_kind, rate, backfill, overload)
    with tempfile.TemporaryDirectory() as directory:
        result = asyncio.run(measure(trial, Path(directory)))
    if as_json:
        print(msgspec.json.encode(asdict(result)).decode())
    else:
        for name, value in asdict(result).items():
            print(f"{name:>30} {value}")


if __name__ == "__main__":
    main()
