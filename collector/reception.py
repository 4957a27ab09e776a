"""Reception: what a micro-batch of messages means, and in which order it takes effect.

It has two steps, so that a batch can be read while the one before it is being committed. Preparing reads it: statuses and
inventories first, so that packs of the same batch find their devices. Committing lets it take effect, one batch after
another in the order in which they were prepared. Refusals are kept before the rest of their pack is committed: a crash in
between brings the pack again, and keeping the same refusal of its records twice has no effect.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Final, TypeVar

from collector.decoding import BatchReading, Decoded, Decoder
from collector.fleet import Fleet
from collector.gaps import Gaps
from collector.identities import refused_as
from collector.ledger import Ledger
from collector.listener import BatchListener
from collector.metrics import IntakeMetrics
from collector.patience import Patience
from collector.prepared import Prepared, Source
from collector.presence import Presence
from collector.quarantine import Quarantine
from collector.recent_contents import Comparison, RecentContents
from collector.refusals import Held, Refusal
from collector.uplink import UplinkSignals
from contracts import topics
from contracts.errors import ContractViolation, RefusalCode
from contracts.gateway_messages import parse_inventory, parse_status
from contracts.identity import branch_of
from contracts.pack import PackId
from contracts.topics import Channel
from runtime.clock import Clock
from runtime.mqtt import Message

__all__ = ["Prepared", "Reception"]

_PACK_CHANNELS = (Channel.TELEMETRY, Channel.BACKFILL)
_T = TypeVar("_T")

_parse = lru_cache(maxsize=20_000)(topics.parse)  # of the gateways that send, a few topics each

_STRETCH_S: Final = 0.003
"""How long packs are read before others on the event loop have a turn."""


class Reception:
    """Takes micro-batches.

    One task may prepare batches while another commits them: each calls one method at a time, and batches are committed in
    the order in which they were prepared. How many are prepared and not yet committed is the callers' to bound. A pack that
    comes again while its first copy is under way is a duplicate: acknowledge batches in order, so that none is acknowledged
    before what it repeats is durable. What else reaches the store or the listener (:meth:`release_due`, the review) comes
    from the task that commits, between two commits.

    ``owns`` tells the branches of this collector's slot: what others hold in the same ops database is theirs to release.
    """

    def __init__(
        self,
        fleet: Fleet,
        quarantine: Quarantine,
        gaps: Gaps,
        decoder: Decoder,
        ledger: Ledger,
        uplink: UplinkSignals,
        presence: Presence,
        listener: BatchListener,
        clock: Clock,
        metrics: IntakeMetrics,
        patience: Patience,
        owns: Callable[[str], bool],
    ) -> None:
        self._fleet = fleet
        self._quarantine = quarantine
        self._gaps = gaps
        self._decoder = decoder
        self._ledger = ledger
        self._uplink = uplink
        self._presence = presence
        self._listener = listener
        self._clock = clock
        self._metrics = metrics
        self._patience = patience
        self._owns = owns
        self._contents = RecentContents()
        self._under_way: set[PackId] = set()
        self._uncommitted: deque[Prepared] = deque()
        self.duplicates: Counter[str] = Counter()
        """Packs dropped as already committed since this process started, by branch."""

    async def take(self, messages: Sequence[Message]) -> None:
        """Let messages take effect; returned means durable, so they may be acknowledged. Never refuses to go on."""
        await self.commit(await self.prepare(messages))

    async def prepare(self, messages: Sequence[Message]) -> Prepared:
        """Read messages; nothing of their packs takes effect. Waits for the ops database where statuses or inventories came.

        Hand what it gives to :meth:`commit`. Cut short, it leaves nothing behind that keeps the messages from being taken
        when they come again.
        """
        self._metrics.batch.observe(len(messages))
        batch = Prepared(self._clock.now_ms())
        try:
            await self._prepare(messages, batch)
        except BaseException:
            self._under_way.difference_update(batch.packs)
            raise
        self._uncommitted.append(batch)
        return batch

    async def commit(self, prepared: Prepared) -> None:
        """Let a batch take effect; returned means durable, so its messages may be acknowledged.

        Raises:
            ValueError: another batch was prepared before it and is not committed, or it is committed already.
        """
        if not self._uncommitted or self._uncommitted[0] is not prepared:
            raise ValueError(
                "reception: a batch was handed in out of turn; commit batches in the order of their preparation"
            )
        if prepared.announced:
            await self.tell_devices()
            await self.release()  # before any pack: whether a held row's pack is committed tells if it comes again
        await self._commit(prepared)
        self._under_way.difference_update(prepared.packs)
        self._uncommitted.popleft()

    async def _prepare(self, messages: Sequence[Message], batch: Prepared) -> None:
        packs: list[tuple[topics.Topic, Message]] = []
        for message in messages:
            try:
                topic = _parse(message.topic)
                if topic.channel in _PACK_CHANNELS:
                    packs.append((topic, message))
                else:
                    await self._take_small(topic, message, batch)
            except ContractViolation as violation:
                batch.refuse_message(_source_of(message), message.payload, Refusal.of(violation))
        reading = BatchReading(self._decoder, batch.now_ms)
        async for topic, message in _in_turns(packs):
            reading.add(message.payload, topic.branch_id)
        together, decoded = reading.finish()
        batch.readings.read_together(together)
        async for pack, (topic, message) in _in_turns(list(zip(decoded, packs, strict=True))):
            self._take_pack(topic, message, pack, batch)

    async def tell_devices(self) -> None:
        """Tell the listener which devices exist."""
        devices = self._fleet.devices()
        await self._patience.insist("listener", lambda: self._listener.devices_changed(devices))

    async def release(self) -> None:
        """Take records out of quarantine whose device has become known, each once."""
        awaited = await self._patience.insist("ops database", self._quarantine.awaited_devices)
        known = [
            device_id
            for device_id in awaited
            if self._owns(branch_of(device_id)) and self._fleet.kind_of(device_id) is not None
        ]
        if known:
            await self._release_all(lambda: self._quarantine.held(known))

    async def release_due(self) -> None:
        """Take records out of quarantine whose time has come, each once."""
        now_ms = self._clock.now_ms()
        found = await self._patience.insist("ops database", lambda: self._quarantine.due_branches(now_ms))
        branches = [branch_id for branch_id in found if self._owns(branch_id)]
        if branches:
            await self._release_all(lambda: self._quarantine.due(branches, now_ms))

    async def forget_unsettled(self) -> None:
        """Before any pack: forget records that wait for their time and whose pack is not committed, for it comes again.

        By then their time may have come, and they would be taken with the pack and out of quarantine.
        """
        waiting = await self._patience.insist("ops database", self._quarantine.waiting_for_time)
        ids = [
            entry_id for entry_id, pack_id in waiting if self._owns(pack_id.branch_id) and not self._ledger.has(pack_id)
        ]
        if ids:
            await self._patience.insist("ops database", lambda: self._quarantine.discard(ids))

    async def _release_all(self, find: Callable[[], Awaitable[list[Held]]]) -> None:
        while held := await self._patience.insist("ops database", find):
            batch = Prepared(self._clock.now_ms())
            for item in held:
                self._take_held(item, batch)
            await self._commit(batch)
            ids = [item.id for item in held]
            await self._patience.insist("ops database", lambda ids=ids: self._quarantine.discard(ids))  # type: ignore[misc]

    # -- one message -------------------------------------------------------------------------------------------------

    async def _take_small(self, topic: topics.Topic, message: Message, batch: Prepared) -> None:
        if not self._owns(topic.branch_id):
            return  # every slot hears of every branch; see :func:`collector.lanes.live_filters`
        if topic.channel is Channel.STATUS:
            await self._take_status(topic.branch_id, message, batch)
        elif topic.channel is Channel.INVENTORY:
            await self._take_inventory(topic.branch_id, message, batch)
        # What remains is what we send to gateways: the broker gives us our own words back.

    async def _take_status(self, branch_id: str, message: Message, batch: Prepared) -> None:
        status = parse_status(message.payload)
        async with self._fleet.judging:
            state = self._presence.hear(branch_id, status, self._fleet.gateways.get(branch_id), batch.now_ms)
            if state is None:
                return
            await self._patience.insist("ops database", lambda: self._fleet.hear(state))
        self._uplink.connection(branch_id, online=state.online, at_ms=state.since_ms, columns=batch.readings.alone)

    async def _take_inventory(self, branch_id: str, message: Message, batch: Prepared) -> None:
        if len(message.payload) > self._decoder.most_bytes:
            detail = f"{len(message.payload)} bytes, expected at most {self._decoder.most_bytes}"
            raise ContractViolation(RefusalCode.OVERSIZED, detail)
        inventory = parse_inventory(message.payload, branch_id)
        change = await self._patience.insist("ops database", lambda: self._fleet.announce(inventory, batch.now_ms))
        if change is not None:
            batch.announced = True
            self._decoder.forget_names(branch_id)

    def _take_pack(self, topic: topics.Topic, message: Message, decoded: Decoded, batch: Prepared) -> None:
        pack_id = None if decoded.header is None else decoded.header.pack_id
        live = topic.channel is Channel.TELEMETRY
        if pack_id is not None and self._is_taken(pack_id):
            self._take_again(topic, message, pack_id, decoded, batch)
        elif pack_id is None or decoded.is_refused_whole:
            batch.refuse_whole(_source_of(message), message.payload, decoded.refusals)
            if pack_id is not None:
                self._settle(refused_as(pack_id), batch)
        else:
            self._under_way.add(pack_id)
            batch.packs.append(pack_id)
            if decoded.header is not None:
                self._gaps.times.notice(pack_id, decoded.header.sent_at_ms, live=live)
                if decoded.header.dropped:
                    batch.dropped.append((pack_id, decoded.header.dropped))
            if live:
                self._presence.notice(topic.branch_id, pack_id.boot, batch.now_ms)
            self._contents.remember(pack_id, message.payload)
            batch.readings.take(decoded.sound, live=live)
            if decoded.refusals:
                batch.refuse_records(Source(topic.branch_id, message.topic, live, pack_id), decoded.refusals)

    def _settle(self, pack_id: PackId, batch: Prepared) -> None:
        """Commit an identity with the batch, once."""
        if not self._is_taken(pack_id):
            self._under_way.add(pack_id)
            batch.packs.append(pack_id)

    def _is_taken(self, pack_id: PackId) -> bool:
        """Whether a pack is committed, or will be before anything that comes now."""
        return pack_id in self._under_way or self._ledger.has(pack_id)

    def _take_again(
        self, topic: topics.Topic, message: Message, pack_id: PackId, decoded: Decoded, batch: Prepared
    ) -> None:
        """A pack of an identity that is taken already: dropped where it is the same one, refused where it is not."""
        comparison = self._contents.compare(pack_id, message.payload)
        thinned = decoded.header is not None and decoded.header.dropped > 0  # came whole before its gateway ran full
        if (
            thinned
            or comparison is Comparison.SAME
            or (comparison is Comparison.UNKNOWN and not decoded.is_refused_whole)
        ):
            self.duplicates[topic.branch_id] += 1
            self._metrics.duplicates.inc()
        elif decoded.is_refused_whole:
            batch.refuse_whole(_source_of(message), message.payload, decoded.refusals)
        else:
            detail = (
                f"seq {pack_id.seq} of boot {pack_id.boot} is stored with other readings; number packs upwards from 1"
            )
            batch.refuse_message(_source_of(message), message.payload, Refusal(RefusalCode.SEQ_REUSED, detail))

    def _take_held(self, held: Held, batch: Prepared) -> None:
        if not self._ledger.has(held.pack_id) or self._ledger.has(held.released_as):
            return  # its pack never was committed and comes again whole; or these records were released already
        columns, refusals = self._decoder.decode_records(held.payload, held.branch_id, batch.now_ms)
        batch.readings.take(columns, live=held.live)
        batch.packs.append(held.released_as)
        batch.refuse_records(Source(held.branch_id, held.topic, held.live, held.released_as), refusals)

    async def _commit(self, batch: Prepared) -> None:
        for refused in batch.refused:
            self._metrics.refused.labels(str(refused.code)).inc(refused.records)
        await self._patience.insist("ops database", lambda: self._quarantine.keep(batch.refused))
        await self._patience.insist("ops database", lambda: self._gaps.note_dropped(batch.dropped))
        await self._ledger.commit(batch.readings.batch(), batch.packs)


def _source_of(message: Message) -> Source:
    """Of a message that is refused whole; the branch is left empty where the topic names none."""
    try:
        topic = _parse(message.topic)
    except ContractViolation:
        return Source("", message.topic, live=True)
    return Source(topic.branch_id, message.topic, live=topic.channel is not Channel.BACKFILL)


async def _in_turns(items: Sequence[_T]) -> AsyncIterator[_T]:
    """Items one by one; every few milliseconds others on the event loop have a turn."""
    began = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - began > _STRETCH_S:
            await asyncio.sleep(0)
            began = time.perf_counter()
