"""What the console asks the collector: latest readings, history, sums by time and events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.fleet import Fleet
from collector.latest import LatestValues
from collector.series import DERIVED_PATHS, SeriesRegistry
from collector.store import Buckets, TimeSeriesStore
from contracts.errors import NotFound
from contracts.readings import SeriesInfo
from contracts.signals import Condition, Signal, Sort
from runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class LatestReading:
    """Newest reading of a signal.

    Attributes:
        path: concrete signal path.
        signal: its row in the device catalogue: sort, unit, names.
        observed_at_ms: milliseconds since 1970 UTC.
        value: number; a state's ordinal.
        word: word of a state, ``None`` for numbers.
        condition: what the state says about the device, ``None`` for numbers.
        stale: older than twice its heartbeat, so it no longer speaks for the device.
    """

    path: str
    signal: Signal
    observed_at_ms: int
    value: float
    word: str | None
    condition: Condition | None
    stale: bool


@dataclass(frozen=True, slots=True)
class Point:
    """One reading in a history."""

    observed_at_ms: int
    value: float
    word: str | None


@dataclass(frozen=True, slots=True)
class History:
    """Readings of one signal in order of observation."""

    device_id: str
    path: str
    signal: Signal
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class PathBuckets:
    """Readings of one signal summed up by time."""

    path: str
    signal: Signal
    buckets: Buckets


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """A text at a moment."""

    path: str
    signal: Signal
    observed_at_ms: int
    text: str


_NO_TIMES: Final = np.array([], np.int64)
_NO_VALUES: Final = np.array([], np.float64)
_NO_BUCKETS: Final = Buckets(_NO_TIMES, _NO_TIMES, _NO_VALUES, _NO_VALUES, _NO_VALUES, _NO_VALUES, _NO_VALUES)


class Readings:
    """Readings by device and path."""

    def __init__(
        self, fleet: Fleet, registry: SeriesRegistry, latest: LatestValues, store: TimeSeriesStore, clock: Clock
    ) -> None:
        self._fleet = fleet
        self._registry = registry
        self._latest = latest
        self._store = store
        self._clock = clock

    def latest(self, device_id: str) -> list[LatestReading]:
        """Newest reading of each signal of a device, ordered by path; empty for a device that never reported."""
        now_ms = self._clock.now_ms()
        found = [self._latest_of(info, now_ms) for info in self._series_of(device_id)]
        return sorted((reading for reading in found if reading is not None), key=lambda reading: reading.path)

    def newest_ms(self, branch_id: str) -> int | None:
        """Newest observation of a branch; what the collector itself observes of its gateway does not count."""
        numbers = [
            info.series
            for device in self._fleet.devices(branch_id)
            for info in self._registry.of_device(device.device_id)
            if info.path not in DERIVED_PATHS
        ]
        return max((found[0] for number in numbers if (found := self._latest.get(number)) is not None), default=None)

    async def history(self, device_id: str, path: str, from_ms: int, to_ms: int, limit: int = 10_000) -> History:
        """Readings with ``from_ms <= observed_at < to_ms`` in order; the newest ``limit`` where there are more.

        Raises:
            NotFound: the device has no such signal, or it never had a reading.
            DependencyUnavailable: the store does not answer.
        """
        info = self._numbers_of(device_id, path)
        found = await self._store.range(info.series, from_ms, to_ms, limit)
        pairs = zip(found.observed_at_ms.tolist(), found.value.tolist(), strict=True)
        points = [Point(observed_at_ms, value, word_of(info.signal, value)) for observed_at_ms, value in pairs]
        return History(device_id, path, info.signal, points)

    async def buckets(
        self, device_id: str, paths: Sequence[str], from_ms: int, to_ms: int, bucket_ms: int
    ) -> list[PathBuckets]:
        """Some signals of a device summed up by time, in the order of ``paths``.

        Args:
            device_id: full id.
            paths: concrete signal paths.
            from_ms: begin, rounded down to a whole bucket.
            to_ms: end, rounded up to a whole bucket.
            bucket_ms: length of a bucket, at least 1.

        Raises:
            NotFound: the device has no such signal, or it never had a reading.
            DependencyUnavailable: the store does not answer.
        """
        wanted = [self._numbers_of(device_id, path) for path in dict.fromkeys(paths)]
        found = await self._store.buckets([info.series for info in wanted], from_ms, to_ms, bucket_ms)
        return [PathBuckets(info.path, info.signal, found.get(info.series, _NO_BUCKETS)) for info in wanted]

    async def events(self, device_id: str, from_ms: int, to_ms: int, limit: int = 1_000) -> list[DeviceEvent]:
        """Events of a device in order; the newest ``limit`` where there are more.

        Raises:
            DependencyUnavailable: the store does not answer.
        """
        by_number = {info.series: info for info in self._series_of(device_id) if info.signal.sort is Sort.EVENT}
        if not by_number:
            return []
        return [
            DeviceEvent(by_number[event.series].path, by_number[event.series].signal, event.observed_at_ms, event.text)
            for event in await self._store.events(list(by_number), from_ms, to_ms, limit)
        ]

    def _numbers_of(self, device_id: str, path: str) -> SeriesInfo:
        info = next((info for info in self._series_of(device_id) if info.path == path), None)
        if info is None or info.signal.sort is Sort.EVENT:
            raise NotFound(f"{device_id}: no readings of {path!r}")
        return info

    def _series_of(self, device_id: str) -> list[SeriesInfo]:
        """Series of a device as the kind it is now."""
        kind = self._fleet.kind_of(device_id)
        return [info for info in self._registry.of_device(device_id) if info.kind == kind]

    def _latest_of(self, info: SeriesInfo, now_ms: int) -> LatestReading | None:
        found = self._latest.get(info.series)
        if found is None:
            return None
        observed_at_ms, value = found
        limit_ms = info.signal.stale_after_ms()
        stale = limit_ms is not None and now_ms - observed_at_ms > limit_ms
        signal = info.signal
        return LatestReading(
            info.path, signal, observed_at_ms, value, word_of(signal, value), condition_of(signal, value), stale
        )


def word_of(signal: Signal, value: float) -> str | None:
    """Word of a state's ordinal; ``None`` for numbers."""
    return signal.states[int(value)].word if signal.sort is Sort.STATE and 0 <= value < len(signal.states) else None


def condition_of(signal: Signal, value: float) -> Condition | None:
    """What a state's ordinal says about the device; ``None`` for numbers."""
    if signal.sort is not Sort.STATE or not 0 <= value < len(signal.states):
        return None
    return signal.states[int(value)].condition
