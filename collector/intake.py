"""The intake: messages from the broker in micro-batches, acknowledged only after all they mean is durable."""

import asyncio
from collections.abc import Sequence
from typing import Final

from collector.patience import Patience
from collector.reception import Reception
from collector.review import IntakeReview
from collector.settings import CollectorSettings
from contracts.errors import DependencyUnavailable
from contracts.identity import SHARDS
from contracts.topics import Channel, every_channel, topic
from runtime.logs import get_logger
from runtime.mqtt import Message, MqttClient
from runtime.settings import BrokerSettings

_log = get_logger(__name__)

CONNECT_WAIT_S: Final = 10.0
DRAIN_S: Final = 5.0
_MESSAGES_AT_A_STRETCH: Final = 50
"""Messages taken from the inbox before their bytes are looked at again."""


def subscriptions(settings: CollectorSettings) -> list[str]:
    """Topic filters of a slot: one for everything, or one for each of its shards, 32 at most.

    They are few because a broker bounds what a session has in flight over all of them (see ``MAX_ACK_PENDING`` of
    :mod:`runtime.broker`), so channels are not subscribed one by one; what goes down to gateways comes along.
    """
    if settings.slots == 1:
        return [every_channel()]
    return [every_channel(f"{shard:02d}") for shard in range(settings.slot, SHARDS, settings.slots)]


class Intake:
    """The service that owns a slot's MQTT session. It comes up after the store and goes down before it."""

    name = "intake"

    def __init__(
        self,
        settings: CollectorSettings,
        broker: BrokerSettings,
        reception: Reception,
        review: IntakeReview,
        patience: Patience,
    ) -> None:
        self._settings = settings
        self._broker = broker
        self._reception = reception
        self._review = review
        self._patience = patience
        self._client: MqttClient | None = None
        self._in_batch = False

    @property
    def connected(self) -> bool:
        """Whether the broker is connected."""
        return self._client is not None and self._client.connected

    @property
    def waiting(self) -> int:
        """Messages received and not yet taken."""
        return 0 if self._client is None else self._client.waiting()

    async def start(self) -> None:
        """Connect. Without a broker within 10 s it goes on trying by itself: what is missed then is asked for again."""
        client = MqttClient(
            self._broker,
            f"branchwatch-slot-{self._settings.slot}",
            clean_session=False,
            subscriptions=subscriptions(self._settings),
            inbox_limit=self._settings.inbox_messages,
        )
        self._client = client
        client.start()
        try:
            await client.wait_connected(CONNECT_WAIT_S)
        except DependencyUnavailable as error:
            _log.warning("intake starts without its broker and keeps trying", error=str(error))

    async def run(self) -> None:
        """Take batches, and between them review holes and heartbeats."""
        client = self._started
        loop = asyncio.get_running_loop()
        next_review = loop.time() + self._settings.review_s
        while True:
            messages = await self._gather(client, next_review - loop.time())
            self._in_batch = True
            if messages:
                await self._take(client, messages)
            if loop.time() >= next_review:
                await self._reception.release_due()
                await self._ask_again(client)
                next_review = loop.time() + self._settings.review_s
            self._in_batch = False

    async def stop(self) -> None:
        """Finish what has arrived, within 5 s, and disconnect; the rest stays with the broker and comes again."""
        client = self._started
        try:
            async with asyncio.timeout(DRAIN_S):
                while client.waiting() and not self._in_batch:  # a batch that was cut short begins anew after a restart
                    await self._take(client, await client.receive(self._settings.batch_messages))
        except TimeoutError:
            _log.warning("intake stops with messages in its inbox; the broker keeps them", left=client.waiting())
        finally:
            await client.stop()

    @property
    def _started(self) -> MqttClient:
        if self._client is None:
            raise RuntimeError("intake: start() comes before run() and stop()")
        return self._client

    async def _gather(self, client: MqttClient, wait_s: float) -> list[Message]:
        """Collect a batch, bounded in count, bytes and age; empty where nothing came within ``wait_s``."""
        messages = await self._receive(client, self._settings.batch_messages, max(wait_s, 0.001))
        if not messages:
            return []
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.batch_age_ms / 1000
        size = sum(len(message.payload) for message in messages)
        while len(messages) < self._settings.batch_messages and size < self._settings.batch_bytes:
            left_s = deadline - loop.time()
            if left_s <= 0:
                break
            more = await self._receive(client, self._settings.batch_messages - len(messages), left_s)
            messages += more
            size += sum(len(message.payload) for message in more)
        return messages

    @staticmethod
    async def _receive(client: MqttClient, most: int, wait_s: float) -> list[Message]:
        try:
            async with asyncio.timeout(wait_s):
                return await client.receive(min(most, _MESSAGES_AT_A_STRETCH))
        except TimeoutError:
            return []

    async def _take(self, client: MqttClient, messages: Sequence[Message]) -> None:
        await self._reception.take(messages)
        client.acknowledge(messages)

    async def _ask_again(self, client: MqttClient) -> None:
        for branch_id, request in await self._review.review(connected=client.connected):
            sent = client.publish(topic(branch_id, Channel.REQUEST), request.model_dump_json().encode())
            sent.add_done_callback(_note_failure)


def _note_failure(sent: "asyncio.Future[None]") -> None:
    """A request that is not sent is made again at the next back-off, so its failure is only noted."""
    if not sent.cancelled() and sent.exception() is not None:
        _log.warning("resend request not sent", error=str(sent.exception()))
