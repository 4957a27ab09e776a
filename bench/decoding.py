"""Benchmark of the way from bytes to columns: ``python -m bench.decoding --json``.

The collector's own reception with nothing before and nothing behind it: packs are in memory, and the store in its place
counts what it is given. Every series is known before the measurement begins. Timed is processor time of the one thread that
does it, in three steps: reading, putting columns together and committing (ledger, latest values, metrics).
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

import click
import msgspec
from prometheus_client import CollectorRegistry

from bench.branches import branch_ids
from bench.packs import READINGS_A_PACK, Rounds, Sender
from collector.decoding import Decoder
from collector.fleet import Fleet
from collector.gaps import Gaps
from collector.intervals import IntervalSet
from collector.latest import LatestValues
from collector.ledger import Ledger
from collector.listener import NobodyListens
from collector.metrics import IntakeMetrics
from collector.patience import Patience
from collector.presence import Presence
from collector.quarantine import Quarantine
from collector.reception import Reception
from collector.series import SeriesRegistry
from collector.settings import CollectorSettings
from collector.store import SeriesRow, TimeSeriesStore
from collector.uplink import UplinkSignals
from contracts.pack import PackId
from contracts.readings import ReadingBatch
from contracts.topics import Channel, parse, topic
from runtime.clock import ManualClock
from runtime.database import Database, sqlite_url
from runtime.event_log import EventLog
from runtime.logs import configure_logs
from runtime.migration import upgrade
from runtime.mqtt import Message
from runtime.settings import LogSettings
from runtime.supervisor import Backoff

_BEGIN_MS: Final = 1_795_348_800_000
_STRICT_PACKS: Final = 20
_BATCH_MS: Final = 100
"""Time between two batches by the gateways' clocks."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured; times are microseconds of processor time.

    Attributes:
        readings: readings of the measurement.
        packs_a_batch: packs of 100 readings each.
        prepare_us: a reading, from its bytes to columns.
        commit_us: a reading, through ledger, latest values and metrics; the store not in it.
        total_us: both.
        strict_us: a reading of a pack that is read record by record.
        poison_us: a record of a pack in which every record is refused, quarantine included.
    """

    readings: int
    packs_a_batch: int
    prepare_us: float
    commit_us: float
    total_us: float
    strict_us: float
    poison_us: float


class _Sink:
    """What :class:`collector.ledger.Ledger` needs of a store; it counts."""

    def __init__(self) -> None:
        self.position = 0
        self.replayable_from = 0
        self.readings = 0

    async def load_series(self) -> Sequence[SeriesRow]:
        return ()

    async def load_committed(self) -> Mapping[tuple[str, str], IntervalSet]:
        return {}

    async def latest(self) -> ReadingBatch:
        return ReadingBatch.of([])

    async def append(self, batch: ReadingBatch, packs: Sequence[PackId], new_series: Sequence[SeriesRow]) -> int:
        del packs, new_series
        self.readings += len(batch)
        self.position += 1
        return self.position


class _Bench:
    """A reception over a sink, and the gateways that send to it."""

    def __init__(self, database: Database, gateways: int, series: int) -> None:
        settings = CollectorSettings()
        self.clock = ManualClock(_BEGIN_MS)
        self.sink = _Sink()
        registry, latest = SeriesRegistry(), LatestValues()
        event_log, metrics = EventLog(database, self.clock), IntakeMetrics(CollectorRegistry())
        patience = Patience(Backoff(first_s=0.2, most_s=5.0), metrics.waiting.set)
        fleet = Fleet(database, event_log)
        quarantine = Quarantine(
            database, settings.quarantine_sample_rows, settings.quarantine_sample_bytes, settings.quarantine_held_rows
        )
        ledger = Ledger(
            cast(TimeSeriesStore, self.sink), registry, latest, NobodyListens(), self.clock, metrics, patience
        )
        self.decoder = Decoder(fleet, registry, settings.pack_bytes, round(settings.future_s * 1000))
        self.reception = Reception(
            fleet, quarantine, Gaps(database, event_log, self.clock), self.decoder, ledger,
            UplinkSignals(registry, latest), Presence(round(settings.silence_s * 1000)), NobodyListens(), self.clock,
            metrics, patience, settings.owns,
        )  # fmt: skip
        self.quarantine = quarantine
        rounds = Rounds(series)
        self.rounds = rounds.packs_of_all
        self.branches = list(itertools.islice(branch_ids(), gateways))
        self.senders = [Sender(branch, number, "bench", rounds) for number, branch in enumerate(self.branches)]

    async def announce(self) -> None:
        """Let every gateway say which devices it has, and every series have a reading."""
        await self.quarantine.load()
        for sender in self.senders:
            announced = sender.announcements(self.clock.now_ms())
            await self.reception.take([_message(name.decode(), payload) for name, payload in announced])
        for _ in range(self.rounds):
            self.clock.advance(_BATCH_MS)
            await self.reception.take([self._pack(sender) for sender in self.senders])

    def batches(self, packs: int) -> Iterator[list[Message]]:
        """Without end, the gateways in turn, each in the round of the others."""
        turn = itertools.cycle(self.senders)
        while True:
            self.clock.advance(_BATCH_MS)
            yield [self._pack(sender) for sender in itertools.islice(turn, packs)]

    def _pack(self, sender: Sender) -> Message:
        return _message(sender.telemetry.decode(), sender.pack(self.clock.now_ms()))

    def poison(self, seq: int) -> Message:
        """A pack as large as others in which every record names a signal that does not exist."""
        branch = self.branches[0]
        rows: list[dict[str, object]] = [
            {"bn": f"{branch}/gateway/", "bt": self.clock.now_ms() / 1000, "n": "boot", "vs": "poison"},
            {"n": "seq", "v": seq},
            {"n": "sent_at", "v": self.clock.now_ms() / 1000},
        ]
        rows += [{"n": f"no/such{number}", "u": "count", "v": number, "ut": 300} for number in range(READINGS_A_PACK)]
        return _message(topic(branch, Channel.TELEMETRY), msgspec.json.encode(rows))


def _message(name: str, payload: bytes) -> Message:
    return Message(name, payload, retained=False, mid=0, qos=1, connection=0)


async def measure(seconds: float, gateways: int, series: int, packs: int, directory: Path) -> Result:
    """Run for so many seconds of processor time, at least one batch.

    Args:
        seconds: processor time to measure.
        gateways: how many send.
        series: of each.
        packs: of a batch.
        directory: for the ops database.
    """
    database = Database(sqlite_url(directory / "ops.db"))
    try:
        await upgrade(database)
        bench = _Bench(database, gateways, series)
        await bench.announce()
        known = bench.sink.readings
        prepare_s = commit_s = 0.0
        sent = 0
        for batch in bench.batches(packs):
            began = time.thread_time()
            prepared = await bench.reception.prepare(batch)
            read = time.thread_time()
            await bench.reception.commit(prepared)
            commit_s += time.thread_time() - read
            prepare_s += read - began
            sent += len(batch)
            if prepare_s + commit_s >= seconds:
                break
        readings = sent * READINGS_A_PACK
        if bench.sink.readings - known != readings:
            raise RuntimeError(f"{readings} readings sent, {bench.sink.readings - known} taken")
        strict_s = _strict(bench, batch[:_STRICT_PACKS])
        poison_s = await _poison(bench, packs)
    finally:
        await database.close()
    return Result(
        readings=readings,
        packs_a_batch=packs,
        prepare_us=_us(prepare_s, readings),
        commit_us=_us(commit_s, readings),
        total_us=_us(prepare_s + commit_s, readings),
        strict_us=_us(strict_s, len(batch[:_STRICT_PACKS]) * READINGS_A_PACK),
        poison_us=_us(poison_s, packs * READINGS_A_PACK),
    )


def _strict(bench: _Bench, messages: Sequence[Message]) -> float:
    began = time.thread_time()
    for message in messages:
        bench.decoder.decode(message.payload, parse(message.topic).branch_id, bench.clock.now_ms())
    return time.thread_time() - began


async def _poison(bench: _Bench, packs: int) -> float:
    """All threads: the ops database has one of its own."""
    batch = [bench.poison(seq) for seq in range(1, packs + 1)]
    began = time.process_time()
    await bench.reception.take(batch)
    return time.process_time() - began


def _us(seconds: float, count: int) -> float:
    return round(seconds / count * 1e6, 3)


@click.command()
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(min=0.0))
@click.option("--gateways", default=1000, show_default=True, type=click.IntRange(min=1))
@click.option("--series", default=200, show_default=True, type=click.IntRange(min=100), help="Of a gateway.")
@click.option("--packs", default=500, show_default=True, type=click.IntRange(min=1), help="Of a batch.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(seconds: float, gateways: int, series: int, packs: int, as_json: bool) -> None:
    """Measure what a reading costs from its bytes to the store."""
    configure_logs(LogSettings(level="error"))
    with tempfile.TemporaryDirectory() as directory:
        result = asyncio.run(measure(seconds, gateways, series, packs, Path(directory)))
    if as_json:
        print(msgspec.json.encode(asdict(result)).decode())
    else:
        for name, value in asdict(result).items():
            print(f"{name:>20} {value}")


if __name__ == "__main__":
    main()
