"""The intake: messages from the broker in micro-batches, acknowledged only after all they mean is durable."""

import asyncio
from typing import Final

from collector.lanes import Batch, Lanes
from collector.patience import Patience
from collector.reception import Reception
from collector.review import IntakeReview
from collector.settings import CollectorSettings
from contracts.errors import DependencyUnavailable
from contracts.topics import Channel, topic
from runtime.logs import get_logger
from runtime.settings import BrokerSettings

_log = get_logger(__name__)

CONNECT_WAIT_S: Final = 10.0
DRAIN_S: Final = 5.0


class Intake:
    """The service that owns a slot's MQTT sessions. It comes up after the store and goes down before it."""

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
        self._lanes: Lanes | None = None
        self._in_batch = False

    @property
    def connected(self) -> bool:
        """Whether the broker is connected."""
        return self._lanes is not None and self._lanes.connected

    @property
    def waiting(self) -> int:
        """Messages received and not yet taken."""
        return 0 if self._lanes is None else self._lanes.waiting

    async def start(self) -> None:
        """Connect. Without a broker within 10 s it goes on trying by itself: what is missed then is asked for again."""
        lanes = self._lanes = Lanes(self._settings, self._broker)
        lanes.start()
        try:
            await lanes.wait_connected(CONNECT_WAIT_S)
        except DependencyUnavailable as error:
            _log.warning("intake starts without its broker and keeps trying", error=str(error))

    async def run(self) -> None:
        """Take batches, and between them review holes and heartbeats."""
        lanes = self._started
        loop = asyncio.get_running_loop()
        next_review = loop.time() + self._settings.review_s
        while True:
            batch = await lanes.gather(max(next_review - loop.time(), 0.001))
            self._in_batch = True
            if batch.messages:
                await self._take(lanes, batch)
            if loop.time() >= next_review:
                await self._reception.release_due()
                await self._ask_again(lanes)
                next_review = loop.time() + self._settings.review_s
            self._in_batch = False

    async def stop(self) -> None:
        """Finish what has arrived, within 5 s, and disconnect; the rest stays with the broker and comes again."""
        lanes = self._started
        try:
            async with asyncio.timeout(DRAIN_S):
                while lanes.waiting and not self._in_batch:  # a batch that was cut short begins anew after a restart
                    await self._take(lanes, await lanes.gather(0))
        except TimeoutError:
            _log.warning("intake stops with messages in its inbox; the broker keeps them", left=lanes.waiting)
        finally:
            await lanes.stop()

    @property
    def _started(self) -> Lanes:
        if self._lanes is None:
            raise RuntimeError("intake: start() comes before run() and stop()")
        return self._lanes

    async def _take(self, lanes: Lanes, batch: Batch) -> None:
        await self._reception.take(batch.messages)
        lanes.acknowledge(batch)

    async def _ask_again(self, lanes: Lanes) -> None:
        for branch_id, request in await self._review.review(connected=lanes.connected):
            sent = lanes.live.publish(topic(branch_id, Channel.REQUEST), request.model_dump_json().encode())
            sent.add_done_callback(_note_failure)


def _note_failure(sent: "asyncio.Future[None]") -> None:
    """A request that is not sent is made again at the next back-off, so its failure is only noted."""
    if not sent.cancelled() and sent.exception() is not None:
        _log.warning("resend request not sent", error=str(sent.exception()))
