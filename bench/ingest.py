"""Benchmark of the intake: ``python -m bench.ingest --seconds 10 --json``.

From the bytes of packs to the durable commit in DuckDB, by the collector's own reception: decode, check, number, insert,
commit. There is no broker in it. Packs are made between the timed parts, and the time begins when every series is known. What
is stored is counted by the store afterwards.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click
import msgspec
from prometheus_client import CollectorRegistry

from bench.branches import BenchSeries, branch_ids, devices_of, series_of
from collector.app import STORE_FILE, Collector
from collector.settings import CollectorSettings
from contracts.gateway_messages import DeviceEntry, Inventory
from contracts.pack import Header, PackId, encode_pack, encode_readings
from contracts.reading import Reading
from contracts.topics import Channel, topic
from rules.app import Rules
from rules.settings import RulesSettings
from runtime.clock import ManualClock
from runtime.database import Database, sqlite_url
from runtime.event_log import EventLog
from runtime.logs import configure_logs
from runtime.migration import upgrade
from runtime.mqtt import Message
from runtime.settings import BrokerSettings, LogSettings

READINGS_A_PACK: Final = 100
PACKS_A_BATCH: Final = 500
_BEGIN_MS: Final = 1_795_348_800_000
_BOOT: Final = "bench"
_PACK_EVERY_MS: Final = 10_000
"""Time between two packs of a gateway, so that a series reports every 40 s and no silence is minded."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        readings_per_s: readings per second of time on the clock, packing left out.
        cpu_us_per_reading: processor time of all threads, microseconds.
        stored: distinct readings in the store.
        lost: readings sent that are not in the store.
        doubled: rows in the store that stand for a reading which another row stands for too.
        bytes_per_reading: size of the store's file, closed; a short run is mostly the file's own overhead.
        rules: whether the default rules took every batch too.
    """

    readings_per_s: int
    cpu_us_per_reading: float
    stored: int
    lost: int
    doubled: int
    bytes_per_reading: float
    rules: bool


class Gateway:
    """Packs of one branch, its series in turn, one after the other."""

    def __init__(self, branch_id: str) -> None:
        self.branch_id = branch_id
        self._devices = devices_of(branch_id)
        self._series: list[BenchSeries] = [found for device in self._devices for found in series_of(device)]
        self._seq = 0
        self._said = 0

    @property
    def said_everything(self) -> bool:
        """Whether each of its series had a reading."""
        return self._said >= len(self._series)

    def inventory(self) -> Message:
        """Its devices."""
        entries = tuple(
            DeviceEntry(id=device.device_id.partition("/")[2], kind=device.kind, driver="bench")
            for device in self._devices
        )
        inventory = Inventory(branch_id=self.branch_id, devices=entries)
        return _message(topic(self.branch_id, Channel.INVENTORY), inventory.model_dump_json().encode())

    def pack(self, now_ms: int) -> Message:
        """Its next pack."""
        self._seq += 1
        readings = []
        for place in range(READINGS_A_PACK):
            step, number = divmod(self._said, len(self._series))
            found = self._series[number]
            readings.append(
                Reading(found.device_id, found.path, found.word_or_value(step), now_ms + place, found.signal.unit)
            )
            self._said += 1
        header = Header(PackId(self.branch_id, _BOOT, self._seq), now_ms + READINGS_A_PACK)
        return _message(topic(self.branch_id, Channel.TELEMETRY), encode_pack(header, [encode_readings(readings)]))


def _message(name: str, payload: bytes) -> Message:
    return Message(name, payload, retained=False, mid=0, qos=1, connection=0)


def _batches(gateways: list[Gateway], clock: ManualClock) -> Iterator[list[Message]]:
    turn = itertools.cycle(gateways)
    while True:
        batch = []
        for gateway in itertools.islice(turn, PACKS_A_BATCH):
            batch.append(gateway.pack(clock.now_ms()))
            clock.advance(max(1, _PACK_EVERY_MS // len(gateways)))
        yield batch


async def measure(seconds: float, branches: int, directory: Path, *, with_rules: bool = False) -> Result:
    """Run for so many seconds of intake, at least one batch.

    Args:
        seconds: time on the clock to measure.
        branches: how many gateways send.
        directory: for store and ops database.
        with_rules: evaluate the default rules on every batch.
    """
    clock = ManualClock(_BEGIN_MS)
    database = Database(sqlite_url(directory / "ops.db"))
    try:
        await upgrade(database)
        event_log, registry = EventLog(database, clock), CollectorRegistry()
        rules = Rules(RulesSettings(), database, event_log, clock, registry) if with_rules else None
        collector = Collector(
            CollectorSettings(), BrokerSettings(), database, event_log, clock, registry, directory, rules
        )
        records = collector.services()[0]
        await records.start()
        try:
            gateways = [Gateway(branch_id) for branch_id in itertools.islice(branch_ids(), branches)]
            await collector.reception.take([gateway.inventory() for gateway in gateways])
            sent, timed, wall_s, cpu_s, known = 0, 0, 0.0, 0.0, False
            for batch in _batches(gateways, clock):
                began, cpu_began = time.perf_counter(), time.process_time()
                await collector.reception.take(batch)
                sent += len(batch) * READINGS_A_PACK
                if known:
                    wall_s += time.perf_counter() - began
                    cpu_s += time.process_time() - cpu_began
                    timed += len(batch) * READINGS_A_PACK
                if timed and wall_s >= seconds:
                    break
                known = all(gateway.said_everything for gateway in gateways)
            audit = await collector.audit()
        finally:
            await records.stop()
    finally:
        await database.close()
    return Result(
        readings_per_s=round(timed / wall_s),
        cpu_us_per_reading=round(cpu_s / timed * 1e6, 3),
        stored=audit.stored,
        lost=sent - audit.stored,
        doubled=audit.doubled,
        bytes_per_reading=round((directory / STORE_FILE).stat().st_size / sent, 2),
        rules=with_rules,
    )


@click.command()
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(min=0.0))
@click.option("--branches", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--rules", "with_rules", is_flag=True, help="Evaluate the default rules on every batch, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(seconds: float, branches: int, with_rules: bool, as_json: bool) -> None:
    """Measure how many readings a second the collector takes in."""
    configure_logs(LogSettings(level="warning"))
    with tempfile.TemporaryDirectory() as directory:
        result = asyncio.run(measure(seconds, branches, Path(directory), with_rules=with_rules))
    if as_json:
        print(msgspec.json.encode(asdict(result)).decode())
    else:
        for name, value in asdict(result).items():
            print(f"{name:>20} {value}")


if __name__ == "__main__":
    main()
