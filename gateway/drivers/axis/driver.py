"""Polls a footfall sensor."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Final

from contracts.errors import DependencyUnavailable, DeviceMisbehaved, DeviceRefused, DeviceUnreachable
from gateway.driver import Identity, Observation, Sink
from gateway.drivers.axis import memory
from gateway.drivers.axis.client import Answer, AxisClient, HttpStatusError, OversizedAnswer
from gateway.drivers.axis.history import Day, History, parse_history, query_of
from gateway.drivers.axis.live_sum import LiveSum, parse_live_sum
from gateway.drivers.axis.settings import Settings
from gateway.drivers.axis.totals import Change, Totals, advance, days_to_ask, observe, wait_to_next_s
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.time_zone import parse_time_zone

_log = get_logger(__name__)

LIVE_SUM: Final = "live-sum.json"

_HISTORY_TRIES: Final = 3
"""Polls that wait for the history of a gap; then the totals alone have to do, and the gap counts as missing."""

_STILL_AFTER_S: Final = 30.0
"""A sensor's clock that shows the same second for longer stands still."""


class AxisDriver:
    """Reads one sensor. Its totals outlive the process; what was counted while it could not be reached is caught up.

    Args:
        settings: which sensor.
        clock: wall clock, for the sensor clock's skew.
        steady_s: clock for ages and gaps.
    """

    protocol = "axis"

    def __init__(self, settings: Settings, clock: Clock, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._zone = parse_time_zone(settings.zone)
        self._clock = clock
        self._steady_s = steady_s
        self._totals: Totals | None = None
        self._identity: Identity | None = None
        self._protocol_errors = 0
        self._reconnects = 0
        self._was_lost = False
        self._kept: Mapping[str, str] = {}
        self._history_tries = 0
        self._clock_moved: tuple[datetime, float] | None = None
        self._stands_still = False

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled.

        Raises:
            DeviceUnreachable: so many polls in a row failed; the first one alone where none has succeeded yet.
            DeviceRefused: the sensor refuses the credentials or has no such interface.
            DependencyUnavailable: the outbox cannot be read, so nobody knows what was counted.
        """
        await self._recall(sink)
        failures = 0
        tolerated = 0
        async with AxisClient(self._settings) as client:
            while True:
                began_s = self._steady_s()
                wait_s = self._settings.poll_s
                try:
                    wait_s = await self._poll(client, sink)
                    failures = 0
                    tolerated = self._settings.failures_to_unreachable - 1
                except DeviceUnreachable as error:
                    failures += 1
                    if isinstance(error, HttpStatusError):
                        self._protocol_errors += 1
                    if failures > tolerated:
                        self._was_lost = self._totals is not None
                        raise
                    _log.info("poll failed", host=self._settings.host, failures=failures, error=str(error))
                except DependencyUnavailable as error:
                    _log.warning("poll not taken, the next one catches up", host=self._settings.host, error=str(error))
                await asyncio.sleep(max(0.0, began_s + wait_s - self._steady_s()))

    async def _recall(self, sink: Sink) -> None:
        """Go on with what is on disk, where this object does not know it: after a new start, or a run that was cut off."""
        kept = await sink.recall()
        if kept == self._kept:
            return
        self._kept = kept
        self._totals = memory.read(
            kept.get(memory.TOTALS, ""), self._steady_s(), self._clock.now_ms(), inverted=self._settings.invert
        )
        if self._totals is None and kept:
            _log.warning("the sensor's kept totals cannot be read; counters begin anew", host=self._settings.host)
        self._reconnects = max(self._reconnects, _count(kept, memory.RECONNECTS))
        self._protocol_errors = max(self._protocol_errors, _count(kept, memory.PROTOCOL_ERRORS))

    async def _poll(self, client: AxisClient, sink: Sink) -> float:
        """Ask once and hand over.

        Returns:
            Seconds from the beginning of this poll to the next.
        """
        try:
            answer = await client.ask(LIVE_SUM)
        except OversizedAnswer as error:
            await self._refuse(error.sample, error, sink)
            return self._settings.poll_s
        except DeviceRefused:
            await sink.observe([Observation("link/state", "degraded")])  # it answers, but not to us
            raise
        try:
            counted = parse_live_sum(answer.body)
        except DeviceMisbehaved as error:
            await self._refuse(answer.body, error, sink)
            return self._settings.poll_s
        if self._settings.invert:
            counted = counted.inverted()
        asked_s, skew_s = self._steady_s(), self._skew_s(counted.timestamp, answer.round_trip_s)
        days = days_to_ask(self._totals, counted, asked_s, self._settings.history_days)
        history = await self._ask_history(client, sink, counted.serial, days) if days else {}
        if history is None:
            await self._report_degraded(sink)
            return self._settings.poll_s
        await self._take(counted, answer, asked_s, skew_s, history, sink)
        return self._settings.poll_s if self._stands_still else wait_to_next_s(counted.timestamp, self._settings.poll_s)

    async def _ask_history(self, client: AxisClient, sink: Sink, serial: str, days: tuple[date, ...]) -> History | None:
        """Ask for the days a gap touches, one at a time.

        Returns:
            What was answered; ``None`` where it was not and there are tries left: what comes after a gap waits for it.
        """
        history: dict[date, Day] = {}
        self._history_tries += 1
        try:
            for day in days:
                answer = await client.ask_history(query_of(day))
                if answer is None:
                    break
                try:
                    history[day] = parse_history(answer.body, day, serial, invert=self._settings.invert)
                except DeviceMisbehaved as error:
                    self._protocol_errors += 1
                    sink.refuse(answer.body, error)
        except OversizedAnswer as error:
            self._protocol_errors += 1
            sink.refuse(error.sample, error)
        except DeviceRefused as error:
            _log.warning("history refused; counts are caught up without it", host=self._settings.host, error=str(error))
        except DeviceUnreachable as error:
            self._protocol_errors += isinstance(error, HttpStatusError)
            if self._totals is not None and self._history_tries < _HISTORY_TRIES:
                return None
            _log.warning("history not had; counts go on without it", host=self._settings.host, error=str(error))
        return history

    async def _take(
        self, counted: LiveSum, answer: Answer, now_s: float, skew_s: float, history: History, sink: Sink
    ) -> None:
        totals = advance(self._totals, counted, now_s, history)
        identity = Identity(maker="Axis", serial=counted.serial)
        if identity != self._identity:
            await sink.identify(identity)
            self._identity = identity
        now_ms = self._clock.now_ms() - round((self._steady_s() - now_s) * 1000)
        keep = {
            memory.TOTALS: memory.write(totals, now_s, now_ms, inverted=self._settings.invert),
            memory.RECONNECTS: str(self._reconnects + self._was_lost),
            memory.PROTOCOL_ERRORS: str(self._protocol_errors),
        }
        await sink.observe(
            [
                *self._past(totals, skew_s, now_ms),
                Observation("link/state", "up"),
                Observation("link/round_trip", round(answer.round_trip_s, 4)),
                Observation("link/reconnects", self._reconnects + self._was_lost),
                Observation("link/protocol_errors", self._protocol_errors),
                Observation("clock/skew", skew_s),
                *self._standstill(totals, now_s),
                *observe(totals, now_s),
            ],
            keep,
        )
        # Only now: what the sink did not take is part of the next difference.
        self._totals = totals
        self._kept = keep
        self._history_tries = 0
        self._reconnects += self._was_lost
        self._was_lost = False

    def _past(self, totals: Totals, skew_s: float, now_ms: int) -> list[Observation]:
        """How the counters grew while nobody asked, by the gateway's clock."""
        before = self._totals
        if before is None or not totals.points:
            return []
        later_than_ms = now_ms - round((totals.received_s - before.received_s) * 1000)
        observations = []
        for point in totals.points:
            at_ms = round((point.at.replace(tzinfo=self._zone).timestamp() - skew_s) * 1000)
            if later_than_ms < at_ms < now_ms:  # an hour that a change of the clocks repeats is told once
                observations += [
                    Observation("total/in", before.people_in + point.people_in, at_ms),
                    Observation("total/out", before.people_out + point.people_out, at_ms),
                ]
                later_than_ms = at_ms
        return observations

    def _standstill(self, totals: Totals, now_s: float) -> list[Observation]:
        """Tell once that the sensor's clock stands still, and once that it goes again."""
        shown_at = totals.last.timestamp
        if self._clock_moved is None or self._clock_moved[0] != shown_at or totals.change is Change.SWAPPED:
            self._clock_moved = (shown_at, now_s)
        stands_still = now_s - self._clock_moved[1] > _STILL_AFTER_S
        if stands_still == self._stands_still:
            return []
        self._stands_still = stands_still
        return [Observation("sensor/event", f"clock {'stands still at' if stands_still else 'goes again:'} {shown_at}")]

    async def _refuse(self, raw: bytes, error: DeviceMisbehaved, sink: Sink) -> None:
        """Count an answer that is none; the sensor is there, so it is degraded and not down."""
        self._protocol_errors += 1
        sink.refuse(raw, error)
        await self._report_degraded(sink)

    async def _report_degraded(self, sink: Sink) -> None:
        await sink.observe(
            [
                Observation("link/state", "degraded"),
                Observation("link/protocol_errors", self._protocol_errors),
            ]
        )

    def _skew_s(self, device_time: datetime, round_trip_s: float) -> float:
        """Sensor clock minus gateway clock in seconds; the sensor's is asked for half a round trip ago."""
        now_at = datetime.fromtimestamp(self._clock.now_ms() / 1000 - round_trip_s / 2, UTC)
        # In the hour that a change of the clocks repeats, the nearer of the two readings is meant.
        readings = [device_time.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1)]
        skews_s = sorted(((reading - now_at).total_seconds() for reading in readings), key=abs)
        return round(skews_s[0], 3)


def _count(kept: Mapping[str, str], key: str) -> int:
    text = kept.get(key, "")
    return int(text) if text.isdecimal() else 0
