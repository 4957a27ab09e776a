"""What the tests of the gateway share: reading packs off the wire, and a broker that can go and come back."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from prometheus_client import CollectorRegistry

from contracts import senml, topics
from contracts.pack import Header, encode_pack, split_pack
from contracts.reading import Reading
from contracts.senml import Resolved
from contracts.topics import Channel
from gateway.metrics import GatewayMetrics
from gateway.outbox import Outbox
from gateway.settings import OutboxSettings
from runtime.clock import Clock, SystemClock
from runtime.mqtt import Message, MqttClient
from runtime.settings import BrokerSettings

BRANCH = "BR0421"
NOW_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Received:
    """A message as an independent reader of the contract understands it."""

    channel: Channel
    payload: bytes
    header: Header | None = None
    records: tuple[Resolved, ...] = ()

    @property
    def seq(self) -> int:
        assert self.header is not None
        return self.header.pack_id.seq

    @property
    def names(self) -> list[str]:
        return [record.name for record in self.records]


def read(message: Message) -> Received:
    topic = topics.parse(message.topic)
    if topic.channel not in {Channel.TELEMETRY, Channel.BACKFILL}:
        return Received(topic.channel, message.payload)
    header, records = split_pack(senml.resolve(senml.decode(message.payload)), topic.branch_id)
    return Received(topic.channel, message.payload, header, tuple(records))


def readings_of(header: Header, fragments: Iterable[bytes]) -> list[tuple[str, float | str | bool | bytes | None, int]]:
    """Name, value and time in ms of every reading of a stored pack."""
    payload = encode_pack(header, tuple(fragments))
    _, records = split_pack(senml.resolve(senml.decode(payload)), header.pack_id.branch_id)
    return [(record.name, record.value, round(record.time_s * 1000)) for record in records]


class Listener:
    """A collector's ears: a persistent session that acknowledges whatever comes."""

    def __init__(self, broker: BrokerSettings) -> None:
        self.messages: list[Received] = []
        self.client = MqttClient(
            broker,
            "listener",
            clean_session=False,
            subscriptions=[
                f"{topics.PREFIX}/+/+/{channel}" for channel in topics.Channel if channel is not topics.Channel.REQUEST
            ],
        )

    async def __aenter__(self) -> Self:
        self.client.start()
        await self.client.wait_connected(10)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.stop()

    async def until(self, enough: Callable[[], bool], timeout_s: float = 15) -> None:
        """Take messages until there are enough."""
        async with asyncio.timeout(timeout_s):
            while not enough():
                got = await self.client.receive(500)
                self.messages.extend(read(message) for message in got)
                self.client.acknowledge(got)

    def packs(self, *channels: Channel) -> list[Received]:
        wanted = channels or (Channel.TELEMETRY, Channel.BACKFILL)
        return [message for message in self.messages if message.channel in wanted]

    def seqs(self, *channels: Channel) -> list[int]:
        return [pack.seq for pack in self.packs(*channels)]


def reading(number: int, path: str = "idc/insertions", device: str = "atm-01") -> Reading:
    return Reading(f"{BRANCH}/{device}", path, float(number), NOW_MS + number, "count", 900)


def new_outbox(
    path: Path, *, pack_readings: int = 200, clock: Clock | None = None, settings: OutboxSettings | None = None
) -> Outbox:
    return Outbox(
        path,
        BRANCH,
        settings or OutboxSettings(),
        clock or SystemClock(),
        GatewayMetrics(CollectorRegistry()),
        pack_readings=pack_readings,
    )
