"""Benchmark of the queries: ``python -m bench.query --json``.

A DuckDB store is filled as it would be after thirty days: commit by commit in order of time, with its own upkeep between
them, the last two hours not yet put in order. Then a collector is opened over it and asked as the console asks.

Every device of a branch is read every ten seconds, and what it says then bears one time. Gauges are noise of one or two
decimal places and are told when they have moved, counters rise, states are told again after their heartbeat and are seldom other
than sound.
"""

import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry

from bench.branches import BenchSeries, branch_ids, devices_of, series_of
from collector.adapters.duckdb_store import DuckDbStore
from collector.app import Collector
from collector.settings import CollectorSettings
from collector.store import HOUR_MS, SeriesRow, TimeSeriesStore
from collector.stores import STORE_DIRECTORY
from contracts.gateway_messages import DeviceEntry, Inventory
from contracts.identity import branch_of
from contracts.pack import PackId
from contracts.readings import ReadingBatch
from contracts.signals import Sort
from contracts.topics import Channel, topic
from runtime.clock import ManualClock
from runtime.database import Database, sqlite_url
from runtime.event_log import EventLog
from runtime.logs import configure_logs
from runtime.migration import upgrade
from runtime.mqtt import Message
from runtime.settings import BrokerSettings, LogSettings

DAY_MS: Final = 24 * HOUR_MS
DAYS: Final = 30
"""As long as the longest query."""
END_MS: Final = 1_795_348_800_000
SLOT_MS: Final = 2 * HOUR_MS
POLL_MS: Final = 10_000
COMMIT_READINGS: Final = 50_000
QUERIES: Final = 200

INTERVAL_S: Final = {Sort.GAUGE: 300.0, Sort.COUNTER: 600.0, Sort.STATE: 900.0}
"""Mean time between two readings of a series of each sort, before it is scaled to the number of readings asked for."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds that half, and 95 %, of the queries took at most."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        readings: in the store.
        series: they are of.
        bytes_per_reading: all files of the store, closed.
        fill_cpu_us_per_reading: processor time of commits and upkeep, 0 where the store was there already.
        opening_s: until the collector has opened the store and loaded what it keeps in memory.
        latest_branch_ms: newest reading of every signal of the devices of a branch.
        range_1h_ms: readings of an hour of a series.
        range_24h_ms: readings of a day of a series.
        bucketed_30d_ms: thirty days of a series by the hour.
        bucketed_24h_200_series_ms: a day of 200 series by the hour.
    """

    readings: int
    series: int
    bytes_per_reading: float
    fill_cpu_us_per_reading: float
    opening_s: float
    latest_branch_ms: Spread
    range_1h_ms: Spread
    range_24h_ms: Spread
    bucketed_30d_ms: Spread
    bucketed_24h_200_series_ms: Spread


class Reporting:
    """What the series report, a slot of time after the other.

    Args:
        series: them, those of a device side by side.
        readings: about how many of all in so many days.
        days: until :data:`END_MS`.
    """

    def __init__(self, series: Sequence[BenchSeries], readings: int, days: int) -> None:
        self._chance = np.random.default_rng(1)
        sorts = [found.signal.sort for found in series]
        rate = np.array([1 / INTERVAL_S[sort] for sort in sorts])
        rate *= readings / (rate.sum() * days * DAY_MS / 1000)
        ids = dict.fromkeys(found.device_id for found in series)
        devices = {device_id: number for number, device_id in enumerate(ids)}
        self._device = np.array([devices[found.device_id] for found in series])
        self._of_sort = {sort: np.array([number for number, s in enumerate(sorts) if s is sort]) for sort in INTERVAL_S}
        self._rate = rate
        self._usual = np.array([found.value(0) for found in series])
        self._decimals = 1 + np.arange(len(series)) % 2

    def slot(self, begin_ms: int) -> ReadingBatch:
        """All readings of :data:`SLOT_MS`, in order of time."""
        parts = [self._by_exception(Sort.GAUGE, begin_ms), self._by_exception(Sort.COUNTER, begin_ms)]
        series, polls = (np.concatenate(column) for column in zip(*parts, self._heartbeats(begin_ms), strict=True))
        device = self._device[series]
        late_ms = (device * 7919 + polls * 104_729) % 41  # a round of polling takes a little longer or shorter
        observed_at_ms = polls * POLL_MS + device * 613 % POLL_MS + late_ms
        value = self._values(series, observed_at_ms)
        order = np.argsort(observed_at_ms, kind="stable")
        return ReadingBatch(
            series[order].astype(np.int32), observed_at_ms[order], value[order], np.ones(len(order), np.bool_)
        )

    def _by_exception(self, sort: Sort, begin_ms: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Some polls, by chance."""
        numbers = self._of_sort[sort]
        counts = self._chance.poisson(self._rate[numbers] * SLOT_MS / 1000)
        series = np.repeat(numbers, counts)
        polls = begin_ms // POLL_MS + self._chance.integers(0, SLOT_MS // POLL_MS, len(series))
        distinct = np.unique(series * 2**40 + polls)
        return distinct // 2**40, distinct % 2**40

    def _heartbeats(self, begin_ms: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Every so many polls, each series at its own time."""
        numbers = self._of_sort[Sort.STATE]
        every = np.maximum(np.round(1000 / self._rate[numbers] / POLL_MS), 1).astype(np.int64)
        low, high = begin_ms // POLL_MS, (begin_ms + SLOT_MS) // POLL_MS
        first = low + (numbers - low) % every
        counts = np.maximum(-(-(high - first) // every), 0)
        series = np.repeat(numbers, counts)
        step = np.arange(len(series)) - np.repeat(np.cumsum(counts) - counts, counts)
        return series, np.repeat(first, counts) + step * np.repeat(every, counts)

    def _values(self, series: npt.NDArray[Any], observed_at_ms: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        noise = self._chance.normal(0, 3, len(series))
        scale = 10.0 ** self._decimals[series]
        gauge = np.round((self._usual[series] + noise) * scale) / scale
        counter = (observed_at_ms - (END_MS - DAYS * DAY_MS) + series * 10_000_000) // (30_000 + series % 7 * 10_000)
        state = np.where(self._chance.random(len(series)) < 0.01, 1.0, self._usual[series])
        sort = np.zeros(len(self._rate), np.int8)
        sort[self._of_sort[Sort.COUNTER]], sort[self._of_sort[Sort.STATE]] = 1, 2
        value: npt.NDArray[np.float64] = np.choose(sort[series], [gauge, counter.astype(np.float64), state])
        return value


def series_of_branches(count: int) -> list[BenchSeries]:
    """The first so many series of as many branches as it takes."""
    every = (found for branch_id in branch_ids() for device in devices_of(branch_id) for found in series_of(device))
    return list(itertools.islice(every, count))


async def fill(directory: Path, series: Sequence[BenchSeries], readings: int, days: int) -> float:
    """Fill a store through its own commits and upkeep; microseconds of processor a reading.

    The making of the readings is not counted.
    """
    settings = CollectorSettings()
    kinds = {device.device_id: device.kind for branch in {branch_of(found.device_id) for found in series} for device in devices_of(branch)}  # fmt: skip
    rows = [
        SeriesRow(number, found.device_id, kinds[found.device_id], found.path) for number, found in enumerate(series)
    ]
    clock = ManualClock(END_MS - days * DAY_MS)
    store = DuckDbStore(directory, clock, settings.duckdb, settings.retention)
    reporting = Reporting(series, readings, days)
    cpu_s, filled, seq = 0.0, 0, 0
    await store.open()
    try:
        for begin_ms in range(END_MS - days * DAY_MS, END_MS, SLOT_MS):
            batch = reporting.slot(begin_ms)
            began_s = time.process_time()
            for low in range(0, len(batch), COMMIT_READINGS):
                part = slice(low, low + COMMIT_READINGS)
                seq += 1
                at_ms = int(batch.observed_at_ms[part][-1])
                clock.advance(max(0, at_ms - clock.now_ms()))
                await store.append(
                    ReadingBatch(batch.series[part], batch.observed_at_ms[part], batch.value[part], batch.live[part]),
                    [PackId("BR00001", "bench", seq)],
                    rows if seq == 1 else [],
                )
                while (await store.maintain(at_ms)).more:
                    pass
            filled += len(batch)
            cpu_s += time.process_time() - began_s
    finally:
        await store.close()
    return cpu_s / max(filled, 1) * 1e6


async def measure(directory: Path, series: Sequence[BenchSeries], days: int, queries: int) -> dict[str, Any]:
    """Open a collector over a filled store and ask it."""
    clock = ManualClock(END_MS)
    database = Database(sqlite_url(directory / "ops.db"))
    try:
        await upgrade(database)
        collector = Collector(
            CollectorSettings(), BrokerSettings(), database, EventLog(database, clock), clock, CollectorRegistry(), directory
        )  # fmt: skip
        records = collector.services()[0]
        began_s = time.perf_counter()
        await records.start()
        opening_s = round(time.perf_counter() - began_s, 3)
        try:
            branches = sorted({branch_of(found.device_id) for found in series})
            await collector.reception.take([_inventory(branch_id) for branch_id in branches])
            audit = await collector.audit()
            found = {"readings": audit.readings, "series": len(series), "opening_s": opening_s}
            return {**found, **await _ask(collector, collector.store, branches, len(series), days, queries)}
        finally:
            await records.stop()
    finally:
        await database.close()


def _inventory(branch_id: str) -> Message:
    entries = tuple(
        DeviceEntry(id=device.device_id.partition("/")[2], kind=device.kind, driver="bench")
        for device in devices_of(branch_id)
    )
    payload = Inventory(branch_id=branch_id, devices=entries).model_dump_json().encode()
    return Message(topic(branch_id, Channel.INVENTORY), payload, retained=False, mid=0, qos=1, connection=0)


async def _ask(
    collector: Collector, store: TimeSeriesStore, branches: Sequence[str], series: int, days: int, queries: int
) -> dict[str, Spread]:
    chance = random.Random(7)

    def ends() -> int:
        """Until now in every fourth query, else some time in all the days."""
        return END_MS if chance.random() < 0.25 else END_MS - chance.randrange((days - 1) * DAY_MS)

    async def latest_branch() -> None:
        for device in devices_of(chance.choice(branches)):
            collector.readings.latest(device.device_id)

    async def one_range(length_ms: int) -> None:
        to_ms = ends()
        await store.range(chance.randrange(series), to_ms - length_ms, to_ms, 100_000)

    async def month() -> None:
        await store.buckets([chance.randrange(series)], END_MS - DAYS * DAY_MS, END_MS, HOUR_MS)

    async def many() -> None:
        to_ms = ends()
        chosen = chance.sample(range(series), min(200, series))
        await store.buckets(chosen, to_ms - DAY_MS, to_ms, HOUR_MS)

    return {
        "latest_branch_ms": await _time(latest_branch, queries),
        "range_1h_ms": await _time(lambda: one_range(HOUR_MS), queries),
        "range_24h_ms": await _time(lambda: one_range(DAY_MS), queries),
        "bucketed_30d_ms": await _time(month, queries),
        "bucketed_24h_200_series_ms": await _time(many, queries),
    }


async def _time(query: Callable[[], Awaitable[None]], count: int) -> Spread:
    took_ms = []
    for _ in range(count):
        began_s = time.perf_counter()
        await query()
        took_ms.append((time.perf_counter() - began_s) * 1000)
    return Spread(round(float(np.percentile(took_ms, 50)), 3), round(float(np.percentile(took_ms, 95)), 3))


async def run(directory: Path, readings: int, series_count: int, days: int, queries: int) -> Result:
    """Fill the directory where it is empty, and measure."""
    store = directory / STORE_DIRECTORY
    series = series_of_branches(series_count)
    cpu_us = 0.0 if store.exists() else await fill(store, series, readings, days)
    size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    found = await measure(directory, series, days, queries)
    return Result(
        bytes_per_reading=round(size / found["readings"], 2), fill_cpu_us_per_reading=round(cpu_us, 3), **found
    )


@click.command()
@click.option("--readings", default=100_000_000, show_default=True, type=click.IntRange(min=1000))
@click.option("--series", default=20_000, show_default=True, type=click.IntRange(min=1))
@click.option("--days", default=DAYS, show_default=True, type=click.IntRange(min=2), help="That the store has run for.")
@click.option("--queries", default=QUERIES, show_default=True, type=click.IntRange(min=1), help="Of each kind.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the store here, and use it again if it is there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(readings: int, series: int, days: int, queries: int, directory: Path | None, as_json: bool) -> None:
    """Measure how long queries take on a store that has run for thirty days."""
    configure_logs(LogSettings(level="warning"))
    with tempfile.TemporaryDirectory() as temporary:
        result = asyncio.run(run(directory or Path(temporary), readings, series, days, queries))
    if as_json:
        print(msgspec.json.encode(asdict(result)).decode())
    else:
        for name, value in asdict(result).items():
            print(f"{name:>28} {value}")


if __name__ == "__main__":
    main()
