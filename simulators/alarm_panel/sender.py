"""The sending side of DC-09: a message keeps its sequence number and its bytes until it was answered.

An event leaves the panel's memory only when a receiver acknowledged it, or said that it cannot process it (DUH). While no
path works the memory fills; nothing in it is ever given up.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.supervisor import Backoff
from simulators.alarm_panel.contact_id import Report, new, restored
from simulators.alarm_panel.frames import ReplyKind
from simulators.alarm_panel.messages import Event, Outgoing, Writer
from simulators.alarm_panel.panel_clock import PanelClock
from simulators.alarm_panel.path import NEVER, Path

_log = get_logger(__name__)

LAST_SEQUENCE = 9999
QUEUE_LIMIT = 5000
"""Unsent events a panel can hold; far above the event log of a real one (250 to 1000)."""

WITNESS_LIMIT = 10_000
"""Answered events kept for whoever checks the receiver."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """An event the receiver answered, with the sequence number under which it did."""

    event: Event
    sequence: int
    answered_at_ms: int


@dataclass(slots=True)
class Counts:
    """What went over the line."""

    frames: int = 0
    retransmissions: int = 0
    supervisions: int = 0  # NULL messages acknowledged
    replies_lost: int = 0  # on purpose
    replies_refused: int = 0  # acknowledgements in the clear of what was sent encrypted
    clock_corrections: int = 0


class _Outcome(StrEnum):
    ACCEPTED = "accepted"
    CLOCK_CORRECTED = "clock_corrected"
    NO_REPLY = "no_reply"
    NO_CONNECTION = "no_connection"


class Sender:
    """Sends a panel's events to its receivers.

    Args:
        paths: ways to a receiver, the preferred one first; those after it are used while it does not work. Only a panel
            with several reports that one failed.
        writer: how messages are written.
        clock: true time.
        panel_clock: the panel's own.
        chance: random source of the lost replies.
        reply_timeout_s: wait for a reply, seconds.
        tries: sendings over one path before it is taken for dead and left alone for a while.
        pause: how long it is left alone.
        lose_replies: share of acknowledgements ignored on purpose, 0 to 1; each brings a duplicate.
        at_once: messages sent before their replies are waited for.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        writer: Writer,
        clock: Clock,
        panel_clock: PanelClock,
        chance: random.Random,
        *,
        reply_timeout_s: float,
        tries: int,
        pause: Backoff,
        lose_replies: float,
        at_once: int = 1,
    ) -> None:
        self.paths = tuple(paths)
        self.acknowledged: deque[Delivered] = deque(maxlen=WITNESS_LIMIT)
        self.not_understood: deque[Delivered] = deque(maxlen=WITNESS_LIMIT)
        self.counts = Counts()
        self._writer = writer
        self._clock = clock
        self._panel_clock = panel_clock
        self._chance = chance
        self._reply_timeout_s = reply_timeout_s
        self._tries = tries
        self._pause = pause
        self._lose_replies = lose_replies
        self._at_once = at_once
        self._queue: deque[Event] = deque()
        self._outgoing: list[Outgoing] = []
        self._last_sequence = 0
        self._silent = False
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Events not yet answered."""
        return len(self._queue) + len(self._outgoing)

    @property
    def crowded(self) -> bool:
        """So many events wait that the world should bring no more of its own."""
        return self.waiting >= QUEUE_LIMIT // 2

    def enqueue(self, event: Event) -> None:
        """Take an event to send; paths that were left alone are tried again at once.

        Raises:
            OverflowError: the memory is full.
        """
        if self.waiting >= QUEUE_LIMIT:
            raise OverflowError(
                f"account {self._writer.account}: {QUEUE_LIMIT} events wait for {self.paths[0].link}; bring it up"
            )
        self._queue.append(event)
        self._try_again()

    def silence(self) -> None:
        """Stop sending; the connections break."""
        self._silent = True
        self.disconnect()
        self._wake.set()

    def speak(self) -> None:
        """Send again."""
        self._silent = False
        self._try_again()

    def cut(self, index: int) -> None:
        """Break a path."""
        self.paths[index].cut = True
        self.paths[index].link.abort()

    def mend(self, index: int) -> None:
        """Put a path right; it is looked at at once."""
        path = self.paths[index]
        path.cut, path.spoke_at = False, NEVER
        self._try_again()

    def disconnect(self) -> None:
        """Break the connections, without a word."""
        for path in self.paths:
            path.link.abort()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                if self._silent:
                    await self._sleep(self.paths[0].supervision_s)
                    continue
                self._take_events()
                now = asyncio.get_running_loop().time()
                if self._outgoing:
                    ready = [path for path in self.paths if path.not_before <= now]
                    if ready:
                        await self._deliver(min(ready, key=lambda path: path.troubled), self._outgoing)
                    else:
                        await self._sleep(min(path.not_before for path in self.paths) - now)
                    continue
                path = min(self.paths, key=lambda path: path.due_s(now))
                if path.due_s(now) > 0:
                    await self._sleep(path.due_s(now))
                    continue
                path.null = path.null or self._writer.write(self._take_sequence(), None)
                await self._deliver(path, [path.null])
        finally:
            self.disconnect()

    async def _sleep(self, seconds: float) -> None:
        """Wait, or until there is something new to do."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    def _try_again(self) -> None:
        for path in self.paths:
            path.not_before = 0.0
        self._wake.set()

    def _take_events(self) -> None:
        while self._queue and len(self._outgoing) < self._at_once:
            self._outgoing.append(self._writer.write(self._take_sequence(), self._queue.popleft()))

    def _take_sequence(self) -> int:
        self._last_sequence = self._last_sequence % LAST_SEQUENCE + 1
        return self._last_sequence

    async def _deliver(self, path: Path, batch: list[Outgoing]) -> None:
        """Send over one path until all is answered or the path is taken for dead; what was answered leaves the batch."""
        outcome = _Outcome.NO_REPLY
        for _ in range(self._tries):
            if path.null in batch and self._queue:
                path.null = None  # an alarm does not wait behind a supervision message
                return
            outcome = await self._exchange(path, batch)
            if outcome in {_Outcome.ACCEPTED, _Outcome.NO_CONNECTION}:
                break
            _log.debug("not answered", account=self._writer.account, receiver=str(path.link), outcome=outcome.value)
        if outcome is _Outcome.ACCEPTED:
            path.failures = 0
            self._judge(path, troubled=False)
            return
        path.link.abort()
        path.failures += 1
        path.not_before = asyncio.get_running_loop().time() + self._pause.delay_s(path.failures)
        self._judge(path, troubled=outcome is not _Outcome.CLOCK_CORRECTED)

    def _judge(self, path: Path, *, troubled: bool) -> None:
        """Notice that a path fails or works again, and report it where another path can carry the report."""
        if len(self.paths) == 1 or path.troubled == troubled:
            return
        path.troubled = troubled
        path.spoke_at = asyncio.get_running_loop().time()
        report: Report = new(path.trouble) if troubled else restored(path.trouble)
        if self.waiting < QUEUE_LIMIT:
            self._queue.append(Event(report, self._clock.now_ms()))

    async def _exchange(self, path: Path, batch: list[Outgoing]) -> _Outcome:
        """Send once and wait for the replies."""
        try:
            if not path.cut:
                await path.link.open()
            if self._silent or path.cut:
                raise ConnectionAbortedError(f"account {self._writer.account}: nothing goes out")
            path.spoke_at = asyncio.get_running_loop().time()
            for outgoing in batch:
                self.counts.frames += 1
                self.counts.retransmissions += int(outgoing.sent)
                outgoing.sent = True
            async with asyncio.timeout(self._reply_timeout_s):
                await path.link.send([outgoing.frame for outgoing in batch])
                return await self._take_replies(path, batch)
        except TimeoutError:
            return _Outcome.NO_REPLY
        except OSError as error:
            _log.debug("no connection", account=self._writer.account, receiver=str(path.link), error=str(error))
            path.link.abort()
            return _Outcome.NO_CONNECTION

    async def _take_replies(self, path: Path, batch: list[Outgoing]) -> _Outcome:
        while batch:
            reply = await path.link.reply()
            if reply.kind is ReplyKind.NAK:
                if reply.clock_ms is None:
                    continue
                self._panel_clock.set_to(reply.clock_ms)
                self.counts.clock_corrections += 1
                batch[:] = [self._writer.write(outgoing.sequence, outgoing.event) for outgoing in batch]
                if path.null is not None:
                    path.null = batch[0]
                return _Outcome.CLOCK_CORRECTED
            outgoing = next((outgoing for outgoing in batch if outgoing.sequence == reply.sequence), None)
            if outgoing is None or reply.account not in {"", self._writer.account}:
                continue  # answers an earlier sending
            accepted = reply.kind is not ReplyKind.DUH
            if accepted and self._writer.encrypts and not reply.encrypted:
                self.counts.replies_refused += 1
                continue  # anybody could have said that
            if accepted and self._lose_replies > 0 and self._chance.random() < self._lose_replies:
                self.counts.replies_lost += 1
                continue
            batch.remove(outgoing)
            self._settle(path, outgoing, accepted)
        return _Outcome.ACCEPTED

    def _settle(self, path: Path, outgoing: Outgoing, accepted: bool) -> None:
        if outgoing.event is None:
            path.null = None
            self.counts.supervisions += 1
            return
        answered = Delivered(outgoing.event, outgoing.sequence, self._clock.now_ms())
        if accepted:
            self.acknowledged.append(answered)
            return
        _log.warning("receiver cannot process", account=self._writer.account, event_block=outgoing.event.report.block())
        self.not_understood.append(answered)
