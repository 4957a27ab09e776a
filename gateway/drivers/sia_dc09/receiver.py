"""The receiving side of DC-09 without sockets: from a frame to what is committed and the reply that may follow.

The order is the point: a message is handed to the sink first, with the note that it was taken, and only when the sink has
returned does its reply exist. So a message that is sent again takes effect once, also where the gateway died before the
reply, or after it and the reply was lost.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from contracts.errors import DependencyUnavailable, DeviceMisbehaved
from gateway.driver import Observation, Sink
from gateway.drivers.sia_dc09 import memory, panel_state
from gateway.drivers.sia_dc09.contact_id import ContactEvent, parse_event
from gateway.drivers.sia_dc09.duplicates import RecentMessages, key_of
from gateway.drivers.sia_dc09.frame import Frame, FrameError, Junk, ack, duh, parse_frame
from gateway.drivers.sia_dc09.panel_clock import SkewEstimate
from gateway.drivers.sia_dc09.settings import Settings
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

_MISSED_INTERVALS = 3
_JUST_AFTER_S = 0.005


class Outcome(StrEnum):
    """What became of the bytes of a frame."""

    TAKEN = "taken"
    SUPERVISION = "supervision"
    DUPLICATE = "duplicate"
    NOT_COMMITTED = "not_committed"
    UNREADABLE = "unreadable"
    UNKNOWN_ACCOUNT = "unknown_account"
    ENCRYPTED = "encrypted"
    UNSUPPORTED = "unsupported"
    NO_EVENT = "no_event"


@dataclass(frozen=True, slots=True)
class Answer:
    """Outcome of a frame and the bytes to send back, empty for silence."""

    outcome: Outcome
    reply: bytes = b""

    @property
    def is_good(self) -> bool:
        """Whether the frame was one this panel may send."""
        return self.outcome in {Outcome.TAKEN, Outcome.SUPERVISION, Outcome.DUPLICATE, Outcome.NOT_COMMITTED}


class Receiver:
    """Takes the frames of one panel, from however many connections; keeps what is known of it, also in the sink's memory.

    Args:
        settings: which panel.
        clock: wall clock, for the panel clock's skew.
        steady_s: clock for ages and windows; a jump of the wall clock must not make a panel look silent.
    """

    def __init__(self, settings: Settings, clock: Clock, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._account = settings.account.upper()
        self._clock = clock
        self._steady_s = steady_s
        self._born_s = steady_s()
        self._state = panel_state.initial_state(settings.areas)
        self._recent = RecentMessages()
        self._skew = SkewEstimate()
        self._events = 0
        self._duplicates = 0
        self._protocol_errors = 0
        self._reconnects = 0
        self._heard_s: float | None = None
        self._waiting_since_s: float | None = None
        self._was_down = False
        self._foreign_zones: set[int] = set()
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
            reconnects = past.counts.get("reconnects", 0)
            self._was_down = self._was_down and reconnects == self._reconnects
            self._reconnects = reconnects
            # These two are also counted without a commit.
            self._duplicates = max(self._duplicates, past.counts.get("duplicates", 0))
            self._protocol_errors = max(self._protocol_errors, past.counts.get("protocol_errors", 0))

    def _now_s(self) -> float:
        """Seconds lived in all lives; what is known from before has its age by this clock, downtime left out."""
        return self._steady_s() - self._born_s

    def _standing(self, now_s: float, **counts: int) -> memory.Changes:
        own = {"duplicates": self._duplicates, "protocol_errors": self._protocol_errors}
        return memory.standing(self._account, now_s, {**own, **counts})

    async def take(self, raw: bytes, sink: Sink) -> Answer:
        """Take what stood between LF and CR.

        Returns:
            The reply exists only after the sink has committed what the frame said.
        """
        async with self._turn:
            try:
                frame = parse_frame(raw)
            except FrameError as error:
                return self._refuse(raw, sink, error, Outcome.UNREADABLE)
            if frame.account != self._account:
                return self._refuse(
                    raw, sink,
                    DeviceMisbehaved(
                        f"DC-09 message of account {frame.account}, expected {self._account}; correct the account in the "
                        "panel or in the settings"
                    ),
                    Outcome.UNKNOWN_ACCOUNT,
                )  # fmt: skip
            if frame.encrypted:
                return self._refuse(
                    raw, sink,
                    DeviceMisbehaved(
                        f"DC-09 message {frame.sequence} of account {frame.account} is encrypted, expected plain text; "
                        "switch encryption off in the panel"
                    ),
                    Outcome.ENCRYPTED,
                )  # fmt: skip
            return await self._take_frame(raw, frame, sink)

    async def _take_frame(self, raw: bytes, frame: Frame, sink: Sink) -> Answer:
        if frame.token == "NULL":  # noqa: S105  (a message kind, no secret)
            return await self._commit(frame, sink, Outcome.SUPERVISION, [], {})
        if frame.token != "ADM-CID":  # noqa: S105
            error = DeviceMisbehaved(
                f"DC-09 message {frame.sequence} of account {frame.account} is {frame.token}, expected ADM-CID or NULL; "
                "set the panel's reporting format to Contact ID"
            )
            return self._refuse(raw, sink, error, Outcome.UNSUPPORTED, duh(frame))
        now_s = self._now_s()
        taken = memory.message_taken(key_of(frame), now_s, self._recent.surplus(frame, now_s))
        if self._recent.has(frame, now_s):
            self._duplicates += 1
            repeats = [Observation("link/duplicates", self._duplicates)]
            answer = await self._commit(frame, sink, Outcome.DUPLICATE, repeats, taken)
            if answer.outcome is Outcome.DUPLICATE:
                self._recent.remember(frame, now_s)
            return answer
        try:
            event = parse_event(frame.data)
        except DeviceMisbehaved as error:
            return self._refuse(raw, sink, error, Outcome.NO_EVENT, duh(frame))
        self._warn_of_foreign_zone(event)
        step = panel_state.apply(self._state, event)
        changed = memory.state_changed(self._state, step.state, step.observations)
        answer = await self._commit(
            frame, sink, Outcome.TAKEN,
            [
                Observation("panel/event", f"{frame.token} {event}{' ' if frame.extra else ''}{frame.extra}"),
                Observation("panel/events", self._events + 1),
                *step.observations,
            ],
            {**taken, **changed, **memory.counted(events=self._events + 1)},
        )  # fmt: skip
        if answer.outcome is Outcome.TAKEN:
            self._events += 1
            self._state = step.state
            self._recent.remember(frame, now_s)
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
        reconnects = self._reconnects + self._was_down
        news = {seen.path for seen in observations}
        observed = [
            *(known for known in self._to_tell if known.path not in news),
            *observations,
            Observation("link/state", "up"),
            Observation("link/supervision_age", 0.0),
            Observation("link/reconnects", reconnects),
            Observation("link/protocol_errors", self._protocol_errors),
        ]
        if frame.sent_at is not None:
            skew_s = self._skew.add(round(frame.sent_at.timestamp() * 1000), self._clock.now_ms(), now_s)
            observed.append(Observation("clock/skew", skew_s))
        try:
            await sink.observe(observed, {**keep, **self._standing(now_s, reconnects=reconnects)})
        except DependencyUnavailable as error:
            _log.warning(
                "message not acknowledged, the panel will repeat it",
                account=self._account, sequence=frame.sequence, error=str(error),
            )  # fmt: skip
            return Answer(Outcome.NOT_COMMITTED)
        self._heard_s = now_s
        self._reconnects = reconnects
        self._was_down = False
        self._to_tell = ()
        return Answer(outcome, ack(frame))

    def _refuse(self, raw: bytes, sink: Sink, error: DeviceMisbehaved, outcome: Outcome, reply: bytes = b"") -> Answer:
        self._protocol_errors += 1
        sink.refuse(raw, error)
        return Answer(outcome, reply)

    def refuse_junk(self, junk: Junk, sink: Sink) -> None:
        """Count bytes that are no frame, and keep a sample of them."""
        self._protocol_errors += 1
        sink.refuse(junk.sample, DeviceMisbehaved(f"DC-09 stream of account {self._account}: {junk.why}"))

    def _warn_of_foreign_zone(self, event: ContactEvent) -> None:
        zones = self._settings.zones
        if zones and event.code < "200" and event.number not in {0, *zones} and event.number not in self._foreign_zones:
            self._foreign_zones.add(event.number)
            _log.warning(
                "alarm of a zone that the settings do not list", account=self._account, zone=event.number,
                listed=len(zones),
            )  # fmt: skip

    async def report_link(self, sink: Sink) -> None:
        """Report how long the panel has been silent, and whether the link counts as down; to be called now and then.

        Raises:
            DependencyUnavailable: the sink could not take it.
        """
        async with self._turn:
            now_s = self._now_s()
            if self._waiting_since_s is None:
                self._waiting_since_s = now_s
            heard_s = self._heard_s
            age_s = now_s - (self._waiting_since_s if heard_s is None else heard_s)
            is_down = age_s > self._settings.supervision_s * _MISSED_INTERVALS
            word = "down" if is_down else "unknown" if heard_s is None else "up"
            await sink.observe(
                [
                    Observation("link/state", word),
                    Observation("link/supervision_age", round(age_s, 3)),
                    Observation("link/reconnects", self._reconnects),
                    Observation("link/protocol_errors", self._protocol_errors),
                    Observation("link/duplicates", self._duplicates),
                    Observation("panel/events", self._events),
                ],
                self._standing(now_s),
            )
            # A panel that was never heard does not come back, it comes for the first time.
            self._was_down = is_down and heard_s is not None

    def seconds_to_verdict(self) -> float:
        """Seconds until the link would count as down; infinite where it already does."""
        since_s = self._heard_s if self._heard_s is not None else self._waiting_since_s
        if since_s is None:
            return math.inf
        left_s = since_s + self._settings.supervision_s * _MISSED_INTERVALS - self._now_s()
        return left_s + _JUST_AFTER_S if left_s + _JUST_AFTER_S > 0 else math.inf
