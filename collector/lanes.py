"""The lanes on which a slot's messages come: what is news, and what a gateway fills in behind it.

Each lane is an MQTT session of its own. In one session, packs of an outage that wait at the broker would stand before live
ones, however fast gateways and broker are: after a server outage all branches fill in at once.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from collector.settings import CollectorSettings
from contracts.errors import DependencyUnavailable
from contracts.identity import SHARDS
from contracts.topics import Channel, every_branch
from runtime.mqtt import Message, MqttClient
from runtime.settings import BrokerSettings

BACKFILL_AT_ONCE: Final = 50
"""Packs of the backlog in a batch at most: at 200 readings each about a tenth of a second, which live packs may have to wait."""

INBOX_BYTES: Final = 64 * 2**20
"""Bytes received ahead of the batch at most, live and back-filled each."""


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
    """Both sessions of a slot, and batches out of them. One task gathers.

    Args:
        settings: bounds of a batch, and the slot.
        broker: where to connect.
    """

    def __init__(self, settings: CollectorSettings, broker: BrokerSettings) -> None:
        self._settings = settings
        name = f"branchwatch-slot-{settings.slot}"
        self._arrived = asyncio.Event()
        self._ended = False
        self.live = self._session(broker, name, live_filters(settings))
        self.backfill = self._session(broker, f"{name}-backfill", backfill_filters(settings))
        self._clients = (self.live, self.backfill)

    def _session(self, broker: BrokerSettings, client_id: str, filters: Sequence[str]) -> MqttClient:
        client = MqttClient(
            broker,
            client_id,
            clean_session=False,
            subscriptions=filters,
            inbox_limit=self._settings.inbox_messages,
            inbox_bytes=INBOX_BYTES,
        )
        client.on_arrival(self._arrived.set)
        return client

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

    def wait_no_more(self) -> None:
        """From now on :meth:`gather` gives what is there and waits for nothing."""
        self._ended = True
        self._arrived.set()

    async def gather(self) -> "Batch":
        """Wait for messages and collect a batch, bounded in count, bytes and age.

        Of the backlog it holds :data:`BACKFILL_AT_ONCE` messages at most, so that live ones never wait long for it, and
        that many where there are, so that it comes to its end however much is live. ``batch_bytes`` bounds each lane.

        Returns:
            The batch, empty only after :meth:`wait_no_more`.
        """
        most_live = self._settings.batch_messages
        most_backfill = min(BACKFILL_AT_ONCE, most_live)
        await self._wait_for(1, 1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.batch_age_ms / 1000):
                await self._wait_for(most_live, most_backfill)
        most_bytes = self._settings.batch_bytes
        return Batch(self.live.take(most_live, most_bytes), self.backfill.take(most_backfill, most_bytes))

    def acknowledge(self, batch: "Batch") -> None:
        """Tell the broker that a batch is done."""
        self.live.acknowledge(batch.live)
        self.backfill.acknowledge(batch.backfill)

    async def _wait_for(self, live: int, backfill: int) -> None:
        """Wait until so many messages are on one of the lanes, or nobody waits any more."""
        while not self._ended:
            self._arrived.clear()
            for client in self._clients:
                await client.ask_for_the_rest()
            self.live.wake_at(live)
            self.backfill.wake_at(backfill)
            if self.live.waiting() >= live or self.backfill.waiting() >= backfill:
                return
            await self._arrived.wait()


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that take effect together.

    Attributes:
        live: news, in the order of arrival.
        backfill: of the backlog, in the order of arrival.
    """

    live: list[Message]
    backfill: list[Message]

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
