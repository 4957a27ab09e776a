"""What the console asks the collector: latest readings, history, events, and how each gateway's intake stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collector.fleet import Fleet
from collector.gaps import Gaps
from collector.intervals import IntervalSet
from collector.latest import LatestValues
from collector.ledger import Ledger
from collector.reception import Reception
from collector.review import IntakeReview, OpenHoles
from collector.series import SeriesRegistry
from collector.store import TimeSeriesStore
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
class DeviceEvent:
    """A text at a moment."""

    path: str
    signal: Signal
    observed_at_ms: int
    text: str


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

    async def history(self, device_id: str, path: str, from_ms: int, to_ms: int, limit: int = 10_000) -> History:
        """Readings with ``from_ms <= observed_at < to_ms`` in order; the newest ``limit`` where there are more.

        Raises:
            NotFound: the device has no such signal, or it never had a reading.
            DependencyUnavailable: the store does not answer.
        """
        info = next((info for info in self._series_of(device_id) if info.path == path), None)
        if info is None or info.signal.sort is Sort.EVENT:
            raise NotFound(f"{device_id}: no readings of {path!r}")
        found = await self._store.range(info.series, from_ms, to_ms, limit)
        pairs = zip(found.observed_at_ms.tolist(), found.value.tolist(), strict=True)
        points = [Point(observed_at_ms, value, word_of(info.signal, value)) for observed_at_ms, value in pairs]
        return History(device_id, path, info.signal, points)

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


@dataclass(frozen=True, slots=True)
class GatewayIntake:
    """How the intake of a gateway stands.

    Attributes:
        branch_id: its branch.
        online: connected, as the broker says; ``None`` where it never said.
        boot: identity of its outbox, empty where it never said.
        since_ms: when the connection or its absence began, ``None`` where it never said.
        version: version of its software.
        committed_packs: packs in the store, over all boot identities.
        last_seq: highest committed seq of the present boot identity.
        duplicates_dropped: packs that came again, since this process started.
        open_holes: holes older than the grace time.
        missing_packs: packs in them.
        gap_packs: packs given up that have not come since.
        dropped_readings: readings the gateway had to drop before it could send them.
    """

    branch_id: str
    online: bool | None
    boot: str
    since_ms: int | None
    version: str
    committed_packs: int
    last_seq: int | None
    duplicates_dropped: int
    open_holes: int
    missing_packs: int
    gap_packs: int
    dropped_readings: int


class IntakeStatus:
    """Puts together what is known of each gateway."""

    def __init__(self, fleet: Fleet, ledger: Ledger, gaps: Gaps, reception: Reception, review: IntakeReview) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._gaps = gaps
        self._reception = reception
        self._review = review

    def all(self) -> list[GatewayIntake]:
        """Every gateway that announced itself or sent a pack, ordered by branch."""
        committed: dict[str, dict[str, IntervalSet]] = {branch_id: {} for branch_id in self._fleet.gateways}
        for device in self._fleet.devices():
            committed.setdefault(device.branch_id, {})
        for (branch_id, boot), runs in self._ledger.committed.items():
            committed.setdefault(branch_id, {})[boot] = runs
        return [self._of(branch_id, committed[branch_id]) for branch_id in sorted(committed)]

    def _of(self, branch_id: str, committed: Mapping[str, IntervalSet]) -> GatewayIntake:
        state = self._fleet.gateways.get(branch_id)
        present = committed.get(state.boot) if state is not None else None
        given_up = 0
        for boot, runs in committed.items():
            for low, high in self._gaps.of(branch_id, boot):
                given_up += sum(last - first + 1 for first, last in runs.missing(low, high))
        holes = self._review.open.get(branch_id, OpenHoles())
        return GatewayIntake(
            branch_id=branch_id,
            online=None if state is None else state.online,
            boot="" if state is None else state.boot,
            since_ms=None if state is None else state.since_ms,
            version="" if state is None else state.version,
            committed_packs=sum(runs.size() for runs in committed.values()),
            last_seq=None if present is None else present.highest,
            duplicates_dropped=self._reception.duplicates[branch_id],
            open_holes=holes.holes,
            missing_packs=holes.missing_packs,
            gap_packs=given_up,
            dropped_readings=self._gaps.dropped(branch_id),
        )
