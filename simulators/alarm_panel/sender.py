"""The sending side of DC-09 over TCP: one message at a time, the same sequence number until it was answered.

An event leaves the queue only when the receiver acknowledged it, or said that it cannot process it (DUH). While the line is
down the queue grows; nothing in it is ever given up.
"""

import asyncio
import contextlib
import random
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.supervisor import Backoff
from simulators.alarm_panel.connection import Connection
from simulators.alarm_panel.contact_id import Report
from simulators.alarm_panel.frames import ReplyKind, message

_log = get_logger(__name__)

LAST_SEQUENCE = 9999
QUEUE_LIMIT = 5000
"""Unsent events a panel can hold; far above the event log of a real one (250 to 1000)."""

WITNESS_LIMIT = 10_000
"""Answered events kept for whoever checks the receiver."""

_LATE_MS = 2000
"""An event this old when it is first sent carries its time of occurrence."""


@dataclass(frozen=True, slots=True)
class Event:
    """A report with the time at which it happened, milliseconds since 1970 UTC by the true clock."""

    report: Report
    happened_at_ms: int


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
    clock_corrections: int = 0


class _Outcome(StrEnum):
    ACCEPTED = "accepted"
    NOT_UNDERSTOOD = "not_understood"
    CLOCK_CORRECTED = "clock_corrected"
    OVERTAKEN = "overtaken"  # an alarm does not wait behind a supervision message
    NO_REPLY = "no_reply"
    NO_CONNECTION = "no_connection"


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """The message that waits for its reply; sent again byte for byte. ``event`` is ``None`` for a supervision message."""

    sequence: int
    event: Event | None
    frame: bytes


class Sender:
    """Sends a panel's events to its receiver.

    Args:
        receiver: host and port.
        account: 3 to 16 hexadecimal digits.
        clock: true time.
        chance: random source of the lost replies.
        supervision_s: silence in seconds after which a NULL is sent.
        reply_timeout_s: wait for a reply, seconds.
        tries: sendings of one message before the connection is taken for dead and made anew after a pause.
        pause: waits between connections.
        lose_replies: share of acknowledgements ignored on purpose, 0 to 1; each brings a duplicate.
        clock_offset_s: how far the panel's clock is ahead.
    """

    def __init__(
        self,
        receiver: tuple[str, int],
        account: str,
        clock: Clock,
        chance: random.Random,
        *,
        supervision_s: float,
        reply_timeout_s: float,
        tries: int,
        pause: Backoff,
        lose_replies: float,
        clock_offset_s: float,
    ) -> None:
        self.account = account.upper()
        self.acknowledged: deque[Delivered] = deque(maxlen=WITNESS_LIMIT)
        self.not_understood: deque[Delivered] = deque(maxlen=WITNESS_LIMIT)
        self.counts = Counts()
        self.clock_offset_ms = int(clock_offset_s * 1000)
        self._clock = clock
        self._chance = chance
        self._supervision_s = supervision_s
        self._reply_timeout_s = reply_timeout_s
        self._tries = tries
        self._pause = pause
        self._lose_replies = lose_replies
        self._queue: deque[Event] = deque()
        self._outgoing: _Outgoing | None = None
        self._last_sequence = 0
        self._last_frame = b""
        self._silent = False
        self._wake = asyncio.Event()
        self._connection = Connection(receiver, reply_timeout_s)
        self._spoke_at = 0.0

    @property
    def waiting(self) -> int:
        """Events not yet answered."""
        return len(self._queue)

    @property
    def crowded(self) -> bool:
        """So many events wait that the world should bring no more of its own."""
        return len(self._queue) >= QUEUE_LIMIT // 2

    def enqueue(self, event: Event) -> None:
        """Take an event to send.

        Raises:
            OverflowError: the queue is full.
        """
        if len(self._queue) >= QUEUE_LIMIT:
            raise OverflowError(
                f"account {self.account}: {QUEUE_LIMIT} events wait for {self._connection}; bring it up"
            )
        self._queue.append(event)
        self._wake.set()

    def silence(self) -> None:
        """Stop sending; the connection breaks."""
        self._silent = True
        self.disconnect()
        self._wake.set()

    def speak(self) -> None:
        """Send again."""
        self._silent = False
        self._wake.set()

    def disconnect(self) -> None:
        """Break the connection, without a word."""
        self._connection.abort()

    async def run(self) -> None:
        """Send until cancelled."""
        failures = 0
        try:
            while True:
                if self._silent:
                    await self._sleep(self._supervision_s)
                    continue
                outgoing = self._next()
                if outgoing is None:
                    await self._sleep(self._supervision_due_s())
                    continue
                outcome = await self._deliver(outgoing)
                if outcome in {_Outcome.ACCEPTED, _Outcome.NOT_UNDERSTOOD, _Outcome.OVERTAKEN}:
                    failures = 0
                    continue
                self.disconnect()
                failures += 1
                await self._sleep(self._pause.delay_s(failures))
        finally:
            self.disconnect()

    def _now_ms(self) -> int:
        """Time by the panel's own clock."""
        return self._clock.now_ms() + self.clock_offset_ms

    def _supervision_due_s(self) -> float:
        return max(0.0, self._spoke_at + self._supervision_s - asyncio.get_running_loop().time())

    async def _sleep(self, seconds: float) -> None:
        """Wait, or until there is something new to do."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    def _next(self) -> _Outgoing | None:
        """The message to send now; events before supervision, the oldest first."""
        if self._queue:
            if self._outgoing is None or self._outgoing.event is not self._queue[0]:
                self._outgoing = self._write(self._take_sequence(), self._queue[0])
            return self._outgoing
        if self._supervision_due_s() > 0:
            return None
        if self._outgoing is None:
            self._outgoing = self._write(self._take_sequence(), None)
        return self._outgoing

    def _take_sequence(self) -> int:
        self._last_sequence = self._last_sequence % LAST_SEQUENCE + 1
        return self._last_sequence

    def _write(self, sequence: int, event: Event | None) -> _Outgoing:
        now_ms = self._now_ms()
        if event is None:
            return _Outgoing(sequence, None, message("NULL", sequence, self.account, at_ms=now_ms))
        happened_ms = event.happened_at_ms + self.clock_offset_ms
        late = now_ms - happened_ms >= _LATE_MS
        frame = message(
            "ADM-CID",
            sequence,
            self.account,
            event.report.block(),
            at_ms=now_ms,
            occurred_at_ms=happened_ms if late else None,
        )
        return _Outgoing(sequence, event, frame)

    async def _deliver(self, outgoing: _Outgoing) -> _Outcome:
        outcome = _Outcome.NO_REPLY
        for _ in range(self._tries):
            if outgoing.event is None and self._queue:
                return _Outcome.OVERTAKEN
            outcome = await self._exchange(outgoing)
            match outcome:
                case _Outcome.ACCEPTED | _Outcome.NOT_UNDERSTOOD:
                    self._settle(outgoing, outcome)
                    return outcome
                case _Outcome.NO_CONNECTION:
                    return outcome
                case _Outcome.CLOCK_CORRECTED:
                    outgoing = self._outgoing = self._write(outgoing.sequence, outgoing.event)
                case _Outcome.NO_REPLY:
                    _log.debug(
                        "no reply", account=self.account, receiver=str(self._connection), sequence=outgoing.sequence
                    )
        return outcome

    def _settle(self, outgoing: _Outgoing, outcome: _Outcome) -> None:
        self._outgoing = None
        if outgoing.event is None:
            self.counts.supervisions += 1
            return
        self._queue.popleft()
        answered = Delivered(outgoing.event, outgoing.sequence, self._clock.now_ms())
        if outcome is _Outcome.ACCEPTED:
            self.acknowledged.append(answered)
            return
        _log.warning("receiver cannot process", account=self.account, event_block=outgoing.event.report.block())
        self.not_understood.append(answered)

    async def _exchange(self, outgoing: _Outgoing) -> _Outcome:
        """Send once and wait for the reply."""
        try:
            await self._connection.open()
            if self._silent:
                raise ConnectionAbortedError(f"account {self.account}: fell silent")
            self._spoke_at = asyncio.get_running_loop().time()
            self.counts.frames += 1
            self.counts.retransmissions += int(outgoing.frame == self._last_frame)
            self._last_frame = outgoing.frame
            async with asyncio.timeout(self._reply_timeout_s):
                await self._connection.send(outgoing.frame)
                return await self._reply_to(outgoing)
        except TimeoutError:
            return _Outcome.NO_REPLY
        except OSError as error:
            _log.debug("no connection", account=self.account, receiver=str(self._connection), error=str(error))
            self.disconnect()
            return _Outcome.NO_CONNECTION

    async def _reply_to(self, outgoing: _Outgoing) -> _Outcome:
        while True:
            reply = await self._connection.reply()
            if reply.kind is ReplyKind.NAK:
                if reply.clock_ms is None:
                    continue
                self.clock_offset_ms = reply.clock_ms - self._clock.now_ms()
                self.counts.clock_corrections += 1
                return _Outcome.CLOCK_CORRECTED
            if reply.sequence != outgoing.sequence or reply.account not in {"", self.account}:
                continue  # answers an earlier sending
            if reply.kind is ReplyKind.DUH:
                return _Outcome.NOT_UNDERSTOOD
            if self._lose_replies > 0 and self._chance.random() < self._lose_replies:
                self.counts.replies_lost += 1
                continue
            return _Outcome.ACCEPTED
