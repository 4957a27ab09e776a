"""The lanes on which a slot's messages come: what is news, and what a gateway fills in behind it.

Each lane is an MQTT session of its own. In one session, packs of an outage that wait at the broker would stand before live
ones, however fast gateways and broker are: after a server outage all branches fill in at once.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from collector.settings import CollectorSettings
from contracts.errors import DependencyUnavailable
from contracts.identity import SHARDS
from contracts.topics import Channel, every_branch
from runtime.mqtt import Message, MqttClient
from runtime.settings import BrokerSettings

BACKFILL_AT_ONCE: Final = 50
"""Packs of the backlog in a batch at most: at 200 readings each about a tenth of a second, which live packs may have to wait."""

MESSAGES_AT_A_STRETCH: Final = 50
"""Messages taken from an inbox before their bytes are looked at again."""


def live_filters(settings: CollectorSettings) -> list[str]:
    """Topic filters of news: telemetry of the slot's shards, and who is there, of all branches.

    They are few because a broker bounds what a session has in flight over all of them (see ``MAX_ACK_PENDING`` of
    :mod:`runtime.broker`): statuses and inventories are rare, so those of other slots may come along and are left aside.
    """
    return [
        *(every_branch(Channel.TELEMETRY, shard) for shard in _shards(settings)),
        every_branch(Channel.STATUS),
        every_branch(Channel.INVENTORY),
    ]


def backfill_filters(settings: CollectorSettings) -> list[str]:
    """Topic filters of what is older than the live stream."""
    return [every_branch(Channel.BACKFILL, shard) for shard in _shards(settings)]


def _shards(settings: CollectorSettings) -> Iterable[str]:
    if settings.slots == 1:
        return ["+"]
    return [f"{shard:02d}" for shard in range(settings.slot, SHARDS, settings.slots)]


class Lanes:
    """Both sessions of a slot, and batches out of them.

    Args:
        settings: bounds of a batch, and the slot.
        broker: where to connect.
    """

    def __init__(self, settings: CollectorSettings, broker: BrokerSettings) -> None:
        self._settings = settings
        name = f"branchwatch-slot-{settings.slot}"
        self.live = self._session(broker, name, live_filters(settings))
        self.backfill = self._session(broker, f"{name}-backfill", backfill_filters(settings))
        self._clients = (self.live, self.backfill)

    def _session(self, broker: BrokerSettings, client_id: str, filters: Sequence[str]) -> MqttClient:
        return MqttClient(
            broker,
            client_id,
            clean_session=False,
            subscriptions=filters,
            inbox_limit=self._settings.inbox_messages,
        )

    def start(self) -> None:
        """Begin to connect."""
        for client in self._clients:
            client.start()

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait for both connections.

        Raises:
            DependencyUnavailable: not within ``timeout_s``.
        """
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(_outcome(client, timeout_s)) for client in self._clients]
        for wait in waits:
            error = wait.result()
            if error is not None:
                raise error

    async def stop(self) -> None:
        """Disconnect both in order."""
        for client in self._clients:
            await client.stop()

    @property
    def connected(self) -> bool:
        """Whether both connections stand."""
        return all(client.connected for client in self._clients)

    @property
    def waiting(self) -> int:
        """Messages received and not yet taken."""
        return sum(client.waiting() for client in self._clients)

    async def gather(self, wait_s: float) -> "Batch":
        """Collect a batch, bounded in count, bytes and age; empty where nothing came within ``wait_s``.

        Of the backlog it holds :data:`BACKFILL_AT_ONCE` messages at most, so that live ones never wait long for it, and
        that many where there are, so that it comes to its end however much is live.
        """
        batch = Batch()
        loop = asyncio.get_running_loop()
        if not await self._wait_arrived(wait_s):
            return batch
        deadline = loop.time() + self._settings.batch_age_ms / 1000
        most_live = self._settings.batch_messages
        most_backfill = min(BACKFILL_AT_ONCE, self._settings.batch_messages)
        while True:
            await self._take(self.live, batch, batch.live, most_live)
            await self._take(self.backfill, batch, batch.backfill, most_backfill)
            full = len(batch.live) >= most_live or len(batch.backfill) >= most_backfill
            if full or batch.bytes >= self._settings.batch_bytes:
                return batch
            if not await self._wait_arrived(deadline - loop.time()):
                return batch

    def acknowledge(self, batch: "Batch") -> None:
        """Tell the broker that a batch is done."""
        self.live.acknowledge(batch.live)
        self.backfill.acknowledge(batch.backfill)

    async def _take(self, client: MqttClient, batch: "Batch", lane: list[Message], most: int) -> None:
        while client.waiting() and len(lane) < most and batch.bytes < self._settings.batch_bytes:
            messages = await client.receive(min(most - len(lane), MESSAGES_AT_A_STRETCH))
            lane += messages
            batch.bytes += sum(len(message.payload) for message in messages)

    async def _wait_arrived(self, wait_s: float) -> bool:
        """Wait until there is a message on either lane, and tell whether there is."""
        if not self.waiting and wait_s > 0:
            arrived = asyncio.Event()

            async def watch(client: MqttClient) -> None:
                await client.wait_arrived()
                arrived.set()

            async with asyncio.TaskGroup() as group:
                watches = [group.create_task(watch(client)) for client in self._clients]
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await arrived.wait()
                for task in watches:
                    task.cancel()
        return self.waiting > 0


@dataclass(slots=True)
class Batch:
    """Messages that take effect together.

    Attributes:
        live: news, in the order of arrival.
        backfill: of the backlog, in the order of arrival.
        bytes: size of all of them.
    """

    live: list[Message] = field(default_factory=list)
    backfill: list[Message] = field(default_factory=list)
    bytes: int = 0

    @property
    def messages(self) -> list[Message]:
        """All of them, news first."""
        return self.live + self.backfill


async def _outcome(client: MqttClient, timeout_s: float) -> DependencyUnavailable | None:
    try:
        await client.wait_connected(timeout_s)
    except DependencyUnavailable as error:
        return error
    return None
