"""The receiving side without a transport: from a push to what is committed, and whether it may be acknowledged."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from contracts.errors import DependencyUnavailable, DeviceMisbehaved
from gateway.driver import Identity, Observation, Sink
from gateway.drivers.milesight import counting, memory
from gateway.drivers.milesight.counting import Counts
from gateway.drivers.milesight.report import LineCount, Report
from gateway.drivers.milesight.settings import Settings
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.time_zone import parse_time_zone

_log = get_logger(__name__)

_MISSED_INTERVALS: Final = 3
_JUST_AFTER_S: Final = 0.005
_IMBALANCE_FROM_COUNTS: Final = 50


class Reception(StrEnum):
    """What became of a push."""

    TAKEN = "taken"
    DUPLICATE = "duplicate"
    NOT_COMMITTED = "not_committed"  # not to be acknowledged: the sensor or the broker has to give it again


class Receiver:
    """Takes the pushes of one sensor; keeps what is known of it, also in the sink's memory.

    Args:
        settings: which sensor.
        clock: wall clock, for the sensor clock's skew.
        steady_s: clock for ages; a jump of the wall clock must not make a sensor look silent.
    """

    def __init__(self, settings: Settings, clock: Clock, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._zone = parse_time_zone(settings.zone)
        self._clock = clock
        self._steady_s = steady_s
        self._counts = Counts()
        self._recent = memory.RecentIntervals()
        self._network = ""
        self._identity: Identity | None = None
        self._protocol_errors = 0
        self._reconnects = 0
        self._heard_s: float | None = None
        self._waiting_since_s: float | None = None
        self._was_down = False
        # One push at a time: the sink takes one call at a time, and a repetition on a second connection must find the first
        # one finished. No timeout: to give up in the middle of a commit would forget that it happened.
        self._turn = asyncio.Lock()

    async def recall(self, sink: Sink) -> None:
        """Go on where the last run ended; to be called at the beginning of each.

        Raises:
            DependencyUnavailable: the sink's memory cannot be read.
        """
        async with self._turn:
            kept = await sink.recall()
            self._counts = memory.read_counts(kept)
            self._recent = memory.RecentIntervals(kept)
            self._network = kept.get(memory.NETWORK, "")
            self._reconnects = max(self._reconnects, memory.read_count(kept, memory.RECONNECTS))
            self._protocol_errors = max(self._protocol_errors, memory.read_count(kept, memory.PROTOCOL_ERRORS))

    def fits(self, report: Report) -> int:
        """How surely a push is this sensor's: 0 not at all, 3 by its serial number."""
        settings = self._settings
        if settings.device_sn is not None and settings.device_sn.casefold() == report.serial.casefold():
            return 3
        ids = [(settings.custom_device_id, report.device_id), (settings.custom_site_id, report.site_id)]
        expected = [(ours, theirs) for ours, theirs in ids if ours is not None]
        if expected:
            return 2 if all(ours == theirs for ours, theirs in expected) else 0
        return 1 if settings.device_sn is None else 0

    def refuse(self, raw: bytes, error: DeviceMisbehaved, sink: Sink) -> None:
        """Count an input that is no push of this sensor, and keep a sample of it."""
        self._protocol_errors += 1
        sink.refuse(raw, error)

    async def take(self, report: Report, sink: Sink, *, is_backlog: bool = False) -> Reception:
        """Take a push of this sensor.

        Args:
            report: the push.
            sink: where it goes.
            is_backlog: whether others that came after it wait already, so that its time says nothing of the sensor's clock.
        """
        async with self._turn:
            placed = report.placed(self._zone).turned(self._settings.invert_lines)
            chosen = placed.periodic if self._settings.counting == "periodic" else placed.trigger
            if self._settings.counting == "trigger" and not chosen:
                placed = replace(placed, begin_at=None)
            fresh, keys = self._fresh(placed, chosen)
            counts = self._counts
            is_repetition = bool(chosen) and len(fresh) < len(chosen)
            if is_repetition:
                counts = replace(counts, duplicates=counts.duplicates + 1)
            if fresh or not is_repetition:
                counts = counting.take(
                    counts, placed, fresh, self._day(placed), self._clock.now_ms(), self._settings.totals_reset
                )
            reception = Reception.TAKEN if fresh or not is_repetition else Reception.DUPLICATE
            return await self._commit(placed, counts, keys, reception, sink, is_backlog=is_backlog)

    def _day(self, report: Report) -> date | None:
        at = report.begin_at or report.end_at
        return None if at is None else at.astimezone(self._zone).date()

    def _fresh(self, report: Report, chosen: tuple[LineCount, ...]) -> tuple[tuple[LineCount, ...], list[str]]:
        """Counts that did not come before, and the keys by which they will be known."""
        fresh, keys = [], []
        for count in chosen:
            moment = str(report.begin_at or report.end_at)
            if report.begin_at is None:  # several people may cross within a second
                moment += f"|{count.people_in}|{count.people_out}"
            key = memory.key_of(report.serial, count.uuid, moment)
            if key in self._recent and self._clock_stands(report, count):
                key = memory.key_of(report.serial, count.uuid, f"{moment}|{report.running_s}|{report.totals}")
            if key not in self._recent:
                fresh.append(count)
                keys.append(key)
        return tuple(fresh), keys

    def _clock_stands(self, report: Report, count: LineCount) -> bool:
        """Whether a known interval is a new one of a sensor whose clock stands still, and no repetition.

        Only the newest interval can be. Totals that grew by the counts say so; where there are none, a sensor that ran on
        for most of an interval does.
        """
        known = self._counts
        if report.serial != known.serial or report.begin_at is None or report.begin_at != known.newest_begin:
            return False
        line = known.lines.get(count.line)
        total = next((told for told in report.totals if told.line == count.line), None)
        if line is not None and line.total is not None and total is not None and (count.people_in or count.people_out):
            return (total.people_in, total.people_out) != line.total
        if report.end_at is None or report.running_s is None or known.running_s is None:
            return False
        length_s = (report.end_at - report.begin_at).total_seconds()
        return report.running_s - known.running_s > length_s / 2

    async def _commit(
        self, report: Report, counts: Counts, keys: list[str], reception: Reception, sink: Sink, *, is_backlog: bool
    ) -> Reception:
        now_s = self._steady_s()
        reconnects = self._reconnects + self._was_down
        is_fresh = reception is Reception.TAKEN
        observations = [
            Observation("link/state", "up"),
            Observation("link/reconnects", reconnects),
            Observation("link/protocol_errors", self._protocol_errors),
            *self._observe_counts(counts),
        ]
        if is_fresh:
            observations += self._observe_report(report, counts, is_backlog=is_backlog)
        keep = {
            memory.COUNTS: memory.write_counts(counts),
            memory.NETWORK: report.network or self._network,
            memory.RECONNECTS: str(reconnects),
            memory.PROTOCOL_ERRORS: str(self._protocol_errors),
            **self._recent.changes(keys),
        }
        identity = Identity(maker="Milesight", model=report.model, serial=report.serial, firmware=report.firmware)
        try:
            if is_fresh and identity != self._identity:
                await sink.identify(identity)
            await sink.observe(observations, keep)
        except DependencyUnavailable as error:
            _log.warning("push not taken, the sensor has to send it again", serial=report.serial, error=str(error))
            return Reception.NOT_COMMITTED
        if is_fresh:
            self._identity = identity
        self._counts = counts
        self._recent.remember(keys)
        self._network = report.network or self._network
        self._heard_s = now_s
        self._reconnects = reconnects
        self._was_down = False
        return reception

    def _observe_counts(self, counts: Counts) -> list[Observation]:
        people_in, people_out = counts.total()
        today_in, today_out = counts.today()
        observations = [
            Observation("total/in", people_in),
            Observation("total/out", people_out),
            Observation("sensor/reboots", counts.reboots),
            Observation("sensor/missing_intervals", counts.missing),
            Observation("sensor/duplicates", counts.duplicates),
            *self._observe_age(counts),
        ]
        for number, line in sorted(counts.lines.items()):
            observations.append(Observation(f"line{number}/in", line.counted[0]))
            observations.append(Observation(f"line{number}/out", line.counted[1]))
        if today_in + today_out >= _IMBALANCE_FROM_COUNTS:
            imbalance = abs(today_in - today_out) / max(today_in, today_out)
            observations.append(Observation("sensor/imbalance", round(imbalance, 4)))
        return observations

    def _observe_age(self, counts: Counts) -> list[Observation]:
        if counts.counted_ms is None:
            return []
        return [Observation("sensor/last_count_age", max(0, self._clock.now_ms() - counts.counted_ms) / 1000)]

    def _observe_report(self, report: Report, counts: Counts, *, is_backlog: bool) -> list[Observation]:
        observations = [Observation(f"region{number}/count", people) for number, people in report.regions]
        observations += [Observation(f"region{number}/dwell", dwell_s) for number, dwell_s in report.dwells_s]
        if report.totals or report.periodic or report.trigger:
            observations.append(Observation("total/occupancy", counting.occupancy(counts, report.totals)))
        if report.running_s is not None:
            observations.append(Observation("sensor/uptime", report.running_s))
        is_late = report.begin_at is not None and counts.newest_end is not None and report.end_at != counts.newest_end
        if report.end_at is not None and not is_backlog and not is_late:
            now_at = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
            observations.append(Observation("clock/skew", round((report.end_at - now_at).total_seconds(), 3)))
        if report.network and report.network != self._network:
            observations.append(Observation("sensor/event", f"network_status {report.network}"))
        if report.event and not (report.regions or report.periodic or report.trigger):
            observations.append(Observation("sensor/event", report.event))
        return observations

    async def report_link(self, sink: Sink) -> None:
        """Report how the link is by the age of the last push; to be called now and then.

        Raises:
            DependencyUnavailable: the sink could not take it.
        """
        async with self._turn:
            now_s = self._steady_s()
            if self._waiting_since_s is None:
                self._waiting_since_s = now_s
            since_s = self._waiting_since_s if self._heard_s is None else self._heard_s
            is_down = now_s - since_s > self._settings.interval_s * _MISSED_INTERVALS
            word = "down" if is_down else "unknown" if self._heard_s is None else "up"
            observations = [
                Observation("link/state", word),
                Observation("link/reconnects", self._reconnects),
                Observation("link/protocol_errors", self._protocol_errors),
            ]
            if self._counts.serial:
                observations += self._observe_counts(self._counts)
            await sink.observe(observations, {memory.PROTOCOL_ERRORS: str(self._protocol_errors)})
            # A sensor that was never heard does not come back, it comes for the first time.
            self._was_down = is_down and self._heard_s is not None

    def seconds_to_verdict(self) -> float:
        """Seconds until the link would count as down; infinite where it already does."""
        since_s = self._waiting_since_s if self._heard_s is None else self._heard_s
        if since_s is None:
            return math.inf
        left_s = since_s + self._settings.interval_s * _MISSED_INTERVALS - self._steady_s() + _JUST_AFTER_S
        return left_s if left_s > 0 else math.inf
