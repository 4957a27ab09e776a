"""The intake: messages from the broker in micro-batches, acknowledged only after all they mean is durable."""

import asyncio
from typing import Final

from collector.lanes import Batch, Lanes
from collector.patience import Patience
from collector.reception import Prepared, Reception
from collector.review import IntakeReview
from collector.settings import CollectorSettings
from contracts.errors import DependencyUnavailable
from contracts.topics import Channel, topic
from runtime.logs import get_logger
from runtime.process import hand_over_soon
from runtime.settings import BrokerSettings

_log = get_logger(__name__)

CONNECT_WAIT_S: Final = 10.0
DRAIN_S: Final = 5.0

UNDER_WAY: Final = 2
"""Batches read and not yet acknowledged: one is read while the one before it is being committed."""


class Intake:
    """The service that owns a slot's MQTT sessions. It comes up after the store and goes down before it.

    One task reads batches, another commits them in the same order, acknowledges each, and reviews between two of them. While
    the store or whoever listens does not answer, nothing is read beyond :data:`UNDER_WAY` batches and the inboxes: the rest
    waits at the broker, which has bounds of its own for what it sends unacknowledged.
    """

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
        self._room = asyncio.Semaphore(UNDER_WAY)
        self._read: asyncio.Queue[tuple[Batch, Prepared] | None] = asyncio.Queue(UNDER_WAY)
        self._tasks: list[asyncio.Task[None]] = []
        self._left: int | None = None

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
        hand_over_soon()
        lanes = self._lanes = Lanes(self._settings, self._broker)
        lanes.start()
        try:
            await lanes.wait_connected(CONNECT_WAIT_S)
        except DependencyUnavailable as error:
            _log.warning("intake starts without its broker and keeps trying", error=str(error))

    async def run(self) -> None:
        """Take batches until :meth:`stop`, which ends the two tasks that do so; the failure of one is raised."""
        lanes = self._started
        self._tasks = [
            asyncio.create_task(self._read_all(lanes), name="intake reads"),
            asyncio.create_task(self._commit_all(lanes), name="intake commits"),
        ]
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Finish what has arrived, within 5 s, and disconnect; the rest stays with the broker and comes again."""
        lanes = self._started
        self._left = lanes.waiting
        lanes.wait_no_more()
        try:
            if not any(task.done() for task in self._tasks):
                async with asyncio.timeout(DRAIN_S):
                    await asyncio.gather(*self._tasks)
        except TimeoutError:
            _log.warning("intake stops with messages in its inbox; the broker keeps them", left=lanes.waiting)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await lanes.stop()

    @property
    def _started(self) -> Lanes:
        if self._lanes is None:
            raise RuntimeError("intake: start() comes before run() and stop()")
        return self._lanes

    async def _read_all(self, lanes: Lanes) -> None:
        """Read batches; once stopped only what had arrived by then."""
        while self._left is None or self._left > 0:
            await self._room.acquire()
            batch = await lanes.gather()
            messages = batch.messages
            if self._left is not None:
                self._left -= max(len(messages), 1)
            if messages:
                await self._read.put((batch, await self._reception.prepare(messages)))
            else:
                self._room.release()
        await self._read.put(None)

    async def _commit_all(self, lanes: Lanes) -> None:
        """Commit what was read, and between two batches review holes and heartbeats."""
        loop = asyncio.get_running_loop()
        next_review_s = loop.time() + self._settings.review_s
        while True:
            try:
                async with asyncio.timeout_at(next_review_s):
                    read = await self._read.get()
            except TimeoutError:
                pass
            else:
                if read is None:
                    return
                batch, prepared = read
                await self._reception.commit(prepared)
                lanes.acknowledge(batch)
                self._room.release()
            if loop.time() >= next_review_s:
                await self._reception.release_due()
                await self._ask_again(lanes)
                next_review_s = loop.time() + self._settings.review_s

    async def _ask_again(self, lanes: Lanes) -> None:
        for branch_id, request in await self._review.review(connected=lanes.connected):
            sent = lanes.live.publish(topic(branch_id, Channel.REQUEST), request.model_dump_json().encode())
            sent.add_done_callback(_note_failure)


def _note_failure(sent: "asyncio.Future[None]") -> None:
    """A request that is not sent is made again at the next back-off, so its failure is only noted."""
    if not sent.cancelled() and sent.exception() is not None:
        _log.warning("resend request not sent", error=str(sent.exception()))
