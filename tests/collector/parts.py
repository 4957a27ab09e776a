"""Packs and collectors for the tests of this folder."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from collector.app import Collector
from collector.fleet import Device
from collector.listener import History
from collector.reception import Reception
from collector.settings import CollectorSettings
from contracts.pack import Header, PackId, encode_pack, encode_readings
from contracts.reading import Reading
from contracts.readings import ReadingBatch, SeriesInfo
from contracts.topics import Channel, topic
from runtime.clock import Clock
from runtime.database import Database
from runtime.event_log import EventLog
from runtime.mqtt import Message
from runtime.settings import BrokerSettings

BRANCH = "BR0421"
ATM = f"{BRANCH}/atm-01"
BOOT = "7d7d2f6e-boot"
NOW_MS = 1_795_348_800_000


def reading(path: str, value: float | str, observed_at_ms: int = NOW_MS, device: str = ATM) -> Reading:
    return Reading(device, path, value, observed_at_ms)


def pack(seq: int, readings: Sequence[Reading], boot: str = BOOT, branch: str = BRANCH, *, dropped: int = 0) -> bytes:
    header = Header(PackId(branch, boot, seq), NOW_MS, dropped)
    return encode_pack(header, [encode_readings(readings)] if readings else [])


def header_json(seq: int = 1, boot: str = BOOT, branch: str = BRANCH) -> list[dict[str, Any]]:
    return [
        {"bn": f"{branch}/gateway/", "bt": NOW_MS / 1000, "n": "boot", "vs": boot},
        {"n": "seq", "v": seq},
        {"n": "sent_at", "v": NOW_MS / 1000},
    ]


def raw_pack(*records: dict[str, Any], seq: int = 1) -> bytes:
    """A pack as somebody might write it by hand, records under the ATM's base name."""
    return json.dumps([*header_json(seq), {"bn": f"{ATM}/", **records[0]}, *records[1:]]).encode()


def inventory(*devices: tuple[str, str], branch: str = BRANCH, announced_at: int | None = None) -> bytes:
    entries = [{"id": "gateway", "kind": "gateway", "driver": "gateway"}]
    entries += [{"id": local_id, "kind": kind, "driver": "xfs", "serial": "S1"} for local_id, kind in devices]
    stamp = {} if announced_at is None else {"announced_at": announced_at}
    return json.dumps({"branch_id": branch, "devices": entries, **stamp}).encode()


def status(online: bool, since: int = NOW_MS, boot: str = BOOT) -> bytes:
    return json.dumps({"online": online, "boot": boot, "since": since, "version": "0.1.0"}).encode()


def message(channel: Channel, payload: bytes, branch: str = BRANCH) -> Message:
    return Message(topic(branch, channel), payload, retained=False, mid=1, qos=1, connection=1)


@dataclass
class Witness:
    """A listener that writes down what it is told."""

    positions: list[int] = field(default_factory=list)
    readings: list[tuple[str, str, int, float, bool]] = field(default_factory=list)
    events: list[tuple[str, str, bool]] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    restored_from: int | None = None

    async def restore(self, history: History) -> None:
        self.restored_from = history.position

    async def devices_changed(self, devices: Sequence[Device]) -> None:
        self.devices = [device.device_id for device in devices]

    async def take(self, batch: ReadingBatch, series: Sequence[SeriesInfo], position: int) -> None:
        self.positions.append(position)
        columns = (batch.series, batch.observed_at_ms, batch.value, batch.live)
        for number, observed_at_ms, value, live in zip(*(column.tolist() for column in columns), strict=True):
            info = series[number]
            self.readings.append((info.device_id, info.path, observed_at_ms, value, live))
        self.events += [(series[event.series].path, event.text, event.live) for event in batch.events]


def make_collector(
    directory: Path,
    database: Database,
    clock: Clock,
    *,
    broker: BrokerSettings | None = None,
    listener: Witness | None = None,
    registry: CollectorRegistry | None = None,
    **settings: Any,
) -> Collector:
    return Collector(
        CollectorSettings(**settings),
        broker if broker is not None else BrokerSettings(),
        database,
        EventLog(database, clock),
        clock,
        registry if registry is not None else CollectorRegistry(),
        directory,
        listener,
    )


@asynccontextmanager
async def receiving(collector: Collector) -> AsyncIterator[Reception]:
    """The collector with its store open and no broker: messages are handed to its reception."""
    records = collector._records
    await records.start()
    try:
        yield records._reception
    finally:
        await records.stop()
