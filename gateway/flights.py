"""Packs on their way: published and not acknowledged, bounded by a window that live packs and backlog share."""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from contracts.pack import Header, PackId, encode_pack
from contracts.topics import Channel, topic
from gateway.metrics import GatewayMetrics
from gateway.outbox.outbox import Outbox
from gateway.outbox.packing import StoredPack
from runtime.clock import Clock
from runtime.mqtt import MqttClient


@dataclass(frozen=True, slots=True)
class _Flight:
    """A pack published and not acknowledged yet."""

    sent_s: float
    channel: Channel


class Flights:
    """Publishes packs of one branch and follows them to their acknowledgement.

    Args:
        branch_id: the branch.
        window: packs on their way at most, half of them backlog.
        outbox: where acknowledgements are noted.
        clock: time of sending.
        metrics: the process's gateway metrics.
    """

    def __init__(self, branch_id: str, window: int, outbox: Outbox, clock: Clock, metrics: GatewayMetrics) -> None:
        self.round_trip_s: float | None = None
        self._branch_id = branch_id
        self._window = window
        self._outbox = outbox
        self._clock = clock
        self._metrics = metrics
        self._under_way: dict[int, _Flight] = {}
        self._lanes: dict[Channel, asyncio.Semaphore] = {}
        self._acknowledged: list[int] = []
        self._settled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._under_way)

    def seqs(self) -> Collection[int]:
        """Packs on their way, and those acknowledged that are not noted yet."""
        return [*self._under_way, *self._acknowledged]

    def __contains__(self, seq: int) -> bool:
        return seq in self._under_way or seq in self._acknowledged

    def begin(self) -> None:
        """Start over at a new connection: what was under way on the last one is not."""
        self._under_way.clear()
        backlog = self._window // 2
        self._lanes = {
            Channel.TELEMETRY: asyncio.Semaphore(self._window - backlog),
            Channel.BACKFILL: asyncio.Semaphore(backlog),
        }

    async def send(self, client: MqttClient, channel: Channel, pack: StoredPack) -> None:
        """Publish a pack when its lane has room; the wait ends with the session at the latest."""
        lane = self._lanes[channel]
        await lane.acquire()
        header = Header(PackId(self._branch_id, self._outbox.boot, pack.seq), self._clock.now_ms(), pack.dropped)
        flight = _Flight(asyncio.get_running_loop().time(), channel)
        self._under_way[pack.seq] = flight
        future = client.publish(topic(self._branch_id, channel), encode_pack(header, pack.fragments))
        future.add_done_callback(partial(self._settle, pack.seq, flight, lane.release))

    def _settle(self, seq: int, flight: _Flight, release: Callable[[], None], future: "asyncio.Future[None]") -> None:
        release()
        if self._under_way.get(seq) is flight:
            del self._under_way[seq]
        if future.cancelled() or future.exception() is not None:
            return
        self._acknowledged.append(seq)
        self._settled.set()
        elapsed_s = asyncio.get_running_loop().time() - flight.sent_s
        if flight.channel is Channel.TELEMETRY:
            self.round_trip_s = elapsed_s
        self._metrics.round_trip_s.labels(self._branch_id).observe(elapsed_s)

    def oldest_s(self) -> float:
        """How long the oldest pack has been under way, in seconds; 0 where none is."""
        now_s = asyncio.get_running_loop().time()
        return now_s - min((flight.sent_s for flight in self._under_way.values()), default=now_s)

    async def wait_settled(self, timeout_s: float) -> None:
        """Wait for the next acknowledgement that is not noted yet, at most so long."""
        self._settled.clear()
        if not self._acknowledged:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._settled.wait()

    async def note_acknowledged(self) -> None:
        """Note in the outbox what was acknowledged since the last call.

        Raises:
            DependencyUnavailable: the outbox cannot be written; call again, or the packs are sent again.
        """
        seqs = tuple(self._acknowledged)
        if not seqs:
            return
        await self._outbox.mark_acknowledged(seqs)
        del self._acknowledged[: len(seqs)]
        self._metrics.packs_acknowledged.labels(self._branch_id).inc(len(seqs))
