"""Polls a footfall sensor."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from contracts.errors import DependencyUnavailable, DeviceMisbehaved, DeviceRefused, DeviceUnreachable
from gateway.driver import Identity, Observation, Sink
from gateway.drivers.axis import memory
from gateway.drivers.axis.client import Answer, AxisClient, HttpStatusError, OversizedAnswer
from gateway.drivers.axis.live_sum import LiveSum, parse_live_sum
from gateway.drivers.axis.settings import Settings
from gateway.drivers.axis.totals import Totals, advance, observe, wait_to_next_s
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.time_zone import parse_time_zone

_log = get_logger(__name__)

_LIVE_SUM = "live-sum.json"


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
        self._totals = memory.read(kept.get(memory.TOTALS, ""), self._steady_s(), self._clock.now_ms())
        if self._totals is None:
            _log.warning("the sensor's kept totals cannot be read; counters begin anew", host=self._settings.host)
        self._reconnects = max(self._reconnects, _count(kept, memory.RECONNECTS))
        self._protocol_errors = max(self._protocol_errors, _count(kept, memory.PROTOCOL_ERRORS))

    async def _poll(self, client: AxisClient, sink: Sink) -> float:
        """Ask once and hand over.

        Returns:
            Seconds from the beginning of this poll to the next.
        """
        try:
            answer = await client.ask(_LIVE_SUM)
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
        await self._take(counted, answer, sink)
        return wait_to_next_s(counted.timestamp, self._settings.poll_s)

    async def _take(self, counted: LiveSum, answer: Answer, sink: Sink) -> None:
        now_s = self._steady_s()
        totals = advance(self._totals, counted, now_s)
        identity = Identity(maker="Axis", serial=counted.serial)
        if identity != self._identity:
            await sink.identify(identity)
            self._identity = identity
        keep = {
            memory.TOTALS: memory.write(totals, now_s, self._clock.now_ms()),
            memory.RECONNECTS: str(self._reconnects + self._was_lost),
            memory.PROTOCOL_ERRORS: str(self._protocol_errors),
        }
        await sink.observe(
            [
                Observation("link/state", "up"),
                Observation("link/round_trip", round(answer.round_trip_s, 4)),
                Observation("link/reconnects", self._reconnects + self._was_lost),
                Observation("link/protocol_errors", self._protocol_errors),
                Observation("clock/skew", self._skew_s(counted.timestamp, answer.round_trip_s)),
                *observe(totals, now_s),
            ],
            keep,
        )
        # Only now: what the sink did not take is part of the next difference.
        self._totals = totals
        self._kept = keep
        self._reconnects += self._was_lost
        self._was_lost = False

    async def _refuse(self, raw: bytes, error: DeviceMisbehaved, sink: Sink) -> None:
        """Count an answer that is none; the sensor is there, so it is degraded and not down."""
        self._protocol_errors += 1
        sink.refuse(raw, error)
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
