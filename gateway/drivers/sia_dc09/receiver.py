"""The receiving side of DC-09 without sockets: from a frame to what is committed and the reply that may follow.

The order is the point: a message is handed to the sink first, with the note that it was taken, and only when the sink has
returned does its reply exist. So a message that is sent again takes effect once, also where the gateway died before the
reply, or after it and the reply was lost.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from contracts.errors import DependencyUnavailable, DeviceMisbehaved
from gateway.driver import Observation, Sink
from gateway.drivers.sia_dc09 import memory, panel_state, reply
from gateway.drivers.sia_dc09.duplicates import CorrectedMessages, RecentMessages, key_of, without_time
from gateway.drivers.sia_dc09.extended_data import occurred_at_ms
from gateway.drivers.sia_dc09.frame import Frame
from gateway.drivers.sia_dc09.gate import AHEAD_S, BEHIND_S, Gate, TurnedAway
from gateway.drivers.sia_dc09.link_watch import LinkWatch
from gateway.drivers.sia_dc09.message import FORMATS, Message, read_message
from gateway.drivers.sia_dc09.outcome import Answer, Outcome
from gateway.drivers.sia_dc09.panel_clock import SkewEstimate
from gateway.drivers.sia_dc09.settings import Settings
from gateway.drivers.sia_dc09.stream import Junk
from gateway.drivers.sia_dc09.warnings import Warnings
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)


class Receiver:
    """Takes the frames of one panel, from however many connections; keeps what is known of it, also in the sink's memory.

    Args:
        settings: which panel.
        clock: wall clock, for the panel clock's skew and the time in replies.
        steady_s: clock for ages and windows; a jump of the wall clock must not make a panel look silent.
    """

    def __init__(self, settings: Settings, clock: Clock, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._account = settings.account.upper()
        self._gate = Gate(settings, clock)
        self._clock = clock
        self._steady_s = steady_s
        self._born_s = steady_s()
        self._state = panel_state.initial_state(settings.areas)
        self._recent = RecentMessages()
        self._corrected = CorrectedMessages()
        self._skew = SkewEstimate()
        self._link = LinkWatch(settings.line_fail_s)
        self._events = 0
        self._duplicates = 0
        self._protocol_errors = 0
        self._warnings = Warnings(settings)
        self._to_tell: tuple[Observation, ...] = ()
        # One frame at a time: the sink takes one call at a time, and a repetition on a second connection must find the
        # first one finished. No timeout: to give up in the middle of a commit would forget that it happened.
        self._turn = asyncio.Lock()

    async def recall(self, sink: Sink) -> None:
        """Go on where the last run ended; to be called at the beginning of each.

        What is on disk counts: a run that was cut off in the middle of a commit does not know what came of it.

        Raises:
            DependencyUnavailable: the sink's memory cannot be read.
        """
        async with self._turn:
            kept = await sink.recall()
            if kept.get(memory.ACCOUNT, self._account) != self._account:
                _log.warning("another panel's memory is dropped", account=self._account, was=kept[memory.ACCOUNT])
                await sink.observe([], dict.fromkeys(kept))
                kept = {}
            past = memory.read(kept, self._settings.areas)
            self._born_s = min(self._born_s, self._steady_s() - past.lived_s)
            self._state = past.state
            self._recent = RecentMessages(past.messages.items())
            self._to_tell = tuple(past.observations())
            self._events = past.counts.get("events", 0)
            self._link.recall(past.counts.get("reconnects", 0))
            # These two are also counted without a commit.
            self._duplicates = max(self._duplicates, past.counts.get("duplicates", 0))
            self._protocol_errors = max(self._protocol_errors, past.counts.get("protocol_errors", 0))

    def _now_s(self) -> float:
        """Seconds lived in all lives; what is known from before has its age by this clock, downtime left out."""
        return self._steady_s() - self._born_s

    def _standing(self, now_s: float, **counts: int) -> memory.Changes:
        own = {"duplicates": self._duplicates, "protocol_errors": self._protocol_errors}
        return memory.standing(self._account, now_s, {**own, **counts})

    # -- one frame ---------------------------------------------------------------------------------------------------

    async def take(self, raw: bytes, sink: Sink) -> Answer:
        """Take what stood between LF and CR.

        Returns:
            The reply exists only after the sink has committed what the frame said.
        """
        async with self._turn:
            frame = self._gate.admit(raw)
            if isinstance(frame, TurnedAway):
                self._warnings.stranger(frame, self._now_s())
                return self._refuse(raw, sink, frame.error, Outcome(frame.flaw.value), frame.reply)
            if frame.sent_at is not None:
                self._skew.add(round(frame.sent_at.timestamp() * 1000), self._clock.now_ms(), self._now_s())
            if not self._gate.is_in_time(frame):
                return await self._take_late(raw, frame, sink)
            return await self._take_frame(raw, frame, sink)

    async def _take_late(self, raw: bytes, frame: Frame, sink: Sink) -> Answer:
        """Take an encrypted message whose time is out of its window: anybody can have recorded it, so it proves no life.

        One that was taken before is acknowledged all the same: its reply may have been lost, and with a new time it would
        count twice.
        """
        if self._was_taken(frame, self._now_s()):
            self._duplicates += 1
            return Answer(Outcome.DUPLICATE, self._ack(frame))
        self._corrected.remember(frame, self._now_s())
        answer = self._refuse(
            raw, sink,
            DeviceMisbehaved(
                f"encrypted DC-09 message {frame.sequence} of account {frame.account} says {frame.timestamp}, expected at "
                f"most {BEHIND_S} s behind and {AHEAD_S} s ahead of the gateway; the panel was told the time, and if it does "
                "not take it set its clock to UTC"
            ),
            Outcome.OUT_OF_TIME, reply.nak(self._clock.now_ms()),
        )  # fmt: skip
        if self._skew.estimate_s is not None:
            try:
                await sink.observe([Observation("clock/skew", self._skew.estimate_s)])
            except DependencyUnavailable as error:
                _log.warning("clock skew not taken", account=self._account, error=str(error))
        return answer

    async def _take_frame(self, raw: bytes, frame: Frame, sink: Sink) -> Answer:
        if frame.token == "NULL":  # noqa: S105  (a message kind, no secret)
            return await self._commit(frame, sink, Outcome.SUPERVISION, [], {})
        if frame.token not in FORMATS:
            why = (
                f"DC-09 message {frame.sequence} of account {frame.account} is {frame.token}, expected "
                f"{', '.join(sorted(FORMATS))} or NULL; set the panel's reporting format to Contact ID or SIA"
            )
            return self._refuse(raw, sink, DeviceMisbehaved(why), Outcome.UNSUPPORTED, reply.duh(frame))
        now_s = self._now_s()
        if self._was_taken(frame, now_s):
            self._duplicates += 1
            repeats = [Observation("link/duplicates", self._duplicates)]
            return await self._commit_once(frame, sink, Outcome.DUPLICATE, repeats, {})
        try:
            message = read_message(frame)
        except DeviceMisbehaved as error:
            return self._refuse(raw, sink, error, Outcome.NO_EVENT, reply.duh(frame))
        if message.unknown and self._settings.unknown_code == "duh":
            why = (
                f"DC-09 message {frame.sequence} of account {frame.account} has the unknown code "
                f"{', '.join(message.unknown)}; set unknown_code to ack to keep such events"
            )
            return self._refuse(raw, sink, DeviceMisbehaved(why), Outcome.UNKNOWN_CODE, reply.duh(frame))
        return await self._take_message(frame, message, sink)

    async def _take_message(self, frame: Frame, message: Message, sink: Sink) -> Answer:
        for event in message.events:
            self._warnings.foreign_zone(event)
        step = panel_state.apply_all(self._state, message.events)
        changed = memory.state_changed(self._state, step.state, step.observations)
        occurred_ms = occurred_at_ms(frame.extra, self._clock.now_ms(), self._skew.estimate_s)
        answer = await self._commit_once(
            frame, sink, Outcome.TAKEN,
            [
                # What follows from it is so now; only the event itself is of the past.
                Observation("panel/event", message.text, occurred_ms),
                Observation("panel/events", self._events + 1),
                *step.observations,
            ],
            {**changed, **memory.counted(events=self._events + 1)},
        )  # fmt: skip
        if answer.outcome is Outcome.TAKEN:
            self._events += 1
            self._state = step.state
        return answer

    def _was_taken(self, frame: Frame, now_s: float) -> bool:
        return self._recent.has(frame, now_s) or self._recent.has(without_time(frame), now_s)

    async def _commit_once(
        self,
        frame: Frame,
        sink: Sink,
        outcome: Outcome,
        observations: list[Observation],
        keep: Mapping[str, str | None],
    ) -> Answer:
        """Commit with the note that the message was taken, so that its repetitions are known."""
        now_s = self._now_s()
        known_as = [frame, without_time(frame)] if self._corrected.has(frame, now_s) else [frame]
        surplus = self._recent.surplus(known_as, now_s)
        taken = memory.message_taken(map(key_of, known_as), now_s, surplus)
        answer = await self._commit(frame, sink, outcome, observations, {**keep, **taken})
        if answer.outcome is outcome:
            self._recent.remember(known_as, now_s)
        return answer

    async def _commit(
        self,
        frame: Frame,
        sink: Sink,
        outcome: Outcome,
        observations: list[Observation],
        keep: Mapping[str, str | None],
    ) -> Answer:
        now_s = self._now_s()
        reconnects = self._link.reconnects_if_heard
        news = {seen.path for seen in observations}
        observed = [
            *(known for known in self._to_tell if known.path not in news),
            *observations,
            Observation("link/state", "up"),
            Observation("link/supervision_age", 0.0),
            Observation("link/reconnects", reconnects),
            Observation("link/protocol_errors", self._protocol_errors),
        ]
        if frame.sent_at is not None and self._skew.estimate_s is not None:
            observed.append(Observation("clock/skew", self._skew.estimate_s))
        try:
            await sink.observe(observed, {**keep, **self._standing(now_s, reconnects=reconnects)})
        except DependencyUnavailable as error:
            _log.warning(
                "message not acknowledged, the panel will repeat it",
                account=self._account, sequence=frame.sequence, error=str(error),
            )  # fmt: skip
            return Answer(Outcome.NOT_COMMITTED)
        self._link.heard(now_s)
        self._to_tell = ()
        return Answer(outcome, self._ack(frame))

    def _ack(self, frame: Frame) -> bytes:
        return reply.ack(frame, self._clock.now_ms(), self._gate.cipher)

    def _refuse(self, raw: bytes, sink: Sink, error: DeviceMisbehaved, outcome: Outcome, answer: bytes = b"") -> Answer:
        self._protocol_errors += 1
        sink.refuse(raw, error)
        return Answer(outcome, answer)

    def refuse_junk(self, junk: Junk, sink: Sink) -> None:
        """Count bytes that are no frame, and keep a sample of them."""
        self._protocol_errors += 1
        sink.refuse(junk.sample, DeviceMisbehaved(f"DC-09 stream of account {self._account}: {junk.why}"))

    # -- the passing of time -----------------------------------------------------------------------------------------

    async def report_link(self, sink: Sink) -> None:
        """Report how long the panel has been silent, and whether the link counts as down; to be called now and then.

        Raises:
            DependencyUnavailable: the sink could not take it.
        """
        async with self._turn:
            now_s = self._now_s()
            state = self._link.state(now_s)
            await sink.observe(
                [
                    Observation("link/state", state),
                    Observation("link/supervision_age", round(self._link.age_s(now_s), 3)),
                    Observation("link/reconnects", self._link.reconnects),
                    Observation("link/protocol_errors", self._protocol_errors),
                    Observation("link/duplicates", self._duplicates),
                    Observation("panel/events", self._events),
                ],
                self._standing(now_s),
            )
            self._link.told(state)

    def seconds_to_verdict(self) -> float:
        """Seconds until the link would count as down; infinite where it already does."""
        return self._link.seconds_to_verdict(self._now_s())
