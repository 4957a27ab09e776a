"""Report by exception: which of the things a driver saw of one device are worth a reading.

Pure: state and input and now give a :class:`Report`; nothing changes until :meth:`Reporter.accept` says that the report is
durable. A gauge is reported when it moved by its deadband, a state when it changed, a counter when it grew and at most
once in ten seconds, an event always, and everything but events again at its heartbeat. ``ut`` carries the heartbeat.

Times of one series grow strictly, because (series, observed_at) names a reading in the store.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.errors import RefusalCode
from contracts.readings import Reading
from contracts.senml import ABSOLUTE_FROM_S
from contracts.signals import CONDITION_ORDER, Condition, DeviceKind, Signal, Sort
from gateway.driver import Observation

COUNTER_PAUSE_MS: Final = 10_000
"""A growing counter is reported at most this often. Source: device catalogue, section 0, column db."""

CLOCK_STEP_MS: Final = 300_000
"""The clock going back by more than this was set: times follow it. By less, times wait for it to catch up."""

TEXT_LIMIT: Final = 1000
"""Characters of an event's text; a pack of 200 such texts stays below a broker's usual limit of 1 MB a message."""

SERIES_LIMIT: Final = 5000
"""Series of one device; a device that makes up part numbers cannot fill the memory."""

LINK_STATE: Final = "link/state"
LINK_DOWN: Final = "down"


@dataclass(frozen=True, slots=True)
class Series:
    """What the reporter remembers of one signal path.

    Attributes:
        signal: row of the device catalogue.
        current: newest value seen.
        current_at_ms: when it was seen.
        reported: value of the last reading.
        reported_at_ms: time of the last reading.
        raw: the device's own word where ``current`` stands for one the catalogue does not list.
    """

    signal: Signal
    current: float | str
    current_at_ms: int
    reported: float | str
    reported_at_ms: int
    raw: str = ""

    @property
    def is_pending(self) -> bool:
        """Whether a counter grew and the growth was not reported yet."""
        return self.signal.sort is Sort.COUNTER and self.current != self.reported


@dataclass(frozen=True, slots=True)
class Refusal:
    """An observation that the device catalogue does not allow."""

    path: str
    code: RefusalCode
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What to store, and what to remember once it is stored.

    Attributes:
        readings: readings in the order they were seen.
        urgent: whether to send at once: an event, or a state whose condition got worse.
        refusals: observations that were not taken.
        changes: series as they stand after the report; handed back to :meth:`Reporter.accept`.
    """

    readings: tuple[Reading, ...] = ()
    urgent: bool = False
    refusals: tuple[Refusal, ...] = ()
    changes: Mapping[str, Series] = field(default_factory=dict)


class _Draft:
    """A report being written over the series it starts from."""

    def __init__(self, device_id: str, series: Mapping[str, Series], floor_ms: int) -> None:
        self._device_id = device_id
        self._series = series
        self._floor_ms = floor_ms
        self._readings: list[Reading] = []
        self._refusals: list[Refusal] = []
        self._changes: dict[str, Series] = {}
        self._new = 0
        self._urgent = False

    def series(self, path: str) -> Series | None:
        return self._changes.get(path) or self._series.get(path)

    def is_full(self) -> bool:
        return len(self._series) + self._new >= SERIES_LIMIT

    def refuse(self, path: str, code: RefusalCode, detail: str) -> None:
        self._refusals.append(Refusal(path[:TEXT_LIMIT], code, detail[:TEXT_LIMIT]))

    def remember(self, path: str, series: Series) -> None:
        self._changes[path] = series

    def emit(self, path: str, signal: Signal, value: float | str, at_ms: int) -> None:
        """Add a reading and remember it as current and reported."""
        before = self.series(path)
        time_ms = _after(before.reported_at_ms if before else self._floor_ms, at_ms)
        heartbeat_s = signal.heartbeat_s
        self._readings.append(
            Reading(self._device_id, path, value, time_ms, signal.unit, None if heartbeat_s is None else heartbeat_s)
        )
        raw = before.raw if before else ""
        self._new += before is None
        self._changes[path] = Series(signal, value, at_ms, value, time_ms, raw)
        self._urgent = self._urgent or _is_urgent(signal, before, value)

    def report(self) -> Report:
        return Report(tuple(self._readings), self._urgent, tuple(self._refusals), self._changes)


def _after(last_ms: int, at_ms: int) -> int:
    if at_ms > last_ms or last_ms - at_ms > CLOCK_STEP_MS:
        return at_ms
    return last_ms + 1


def _is_urgent(signal: Signal, before: Series | None, value: float | str) -> bool:
    if signal.sort is Sort.EVENT:
        return True
    if signal.sort is not Sort.STATE:
        return False
    old = _badness(signal, before.reported) if before else 0
    return _badness(signal, value) > max(old, CONDITION_ORDER.index(Condition.OK))


def _badness(signal: Signal, word: float | str) -> int:
    condition = next((state.condition for state in signal.states if state.word == word), Condition.UNKNOWN)
    return CONDITION_ORDER.index(condition)


def _is_due(series: Series, now_ms: int, interval_ms: int) -> bool:
    elapsed_ms = now_ms - series.reported_at_ms
    return elapsed_ms >= interval_ms or elapsed_ms < -CLOCK_STEP_MS


def _heartbeat_ms(signal: Signal) -> int:
    return (signal.heartbeat_s or 0) * 1000


class Reporter:
    """Report by exception for one device.

    Args:
        device_id: full device id.
        kind: its kind in the device catalogue.
        floor_ms: newest reading time of an earlier life of this outbox; later readings get later times.
    """

    def __init__(self, device_id: str, kind: DeviceKind, floor_ms: int = 0) -> None:
        self._device_id = device_id
        self._kind = kind
        self._floor_ms = floor_ms
        self._series: dict[str, Series] = {}

    def current(self, path: str) -> float | str | None:
        """Newest accepted value of a path, ``None`` where there is none."""
        series = self._series.get(path)
        return None if series is None else series.current

    def accept(self, report: Report) -> None:
        """Take over what a report changed, after its readings are durable."""
        self._series.update(report.changes)

    # -- what a driver hands over ------------------------------------------------------------------------------------

    def take(self, observations: Sequence[Observation], now_ms: int) -> Report:
        """Check observations against the catalogue and decide what to report."""
        draft = self._draft()
        for observation in observations:
            self._take_one(draft, observation, now_ms)
        return draft.report()

    def _take_one(self, draft: _Draft, observation: Observation, now_ms: int) -> None:
        path, value = observation.path, observation.value
        signal = self._kind.signal(path)
        if signal is None:
            draft.refuse(path, RefusalCode.UNKNOWN_SIGNAL, f"kind {self._kind.name} has no signal {path!r}")
            return
        if draft.series(path) is None and draft.is_full():
            draft.refuse(path, RefusalCode.UNKNOWN_SIGNAL, f"more than {SERIES_LIMIT} series of one device")
            return
        at_ms = now_ms if observation.observed_at_ms is None else min(observation.observed_at_ms, now_ms)
        if at_ms < ABSOLUTE_FROM_S * 1000:
            draft.refuse(path, RefusalCode.TIME_OUT_OF_RANGE, f"observed_at_ms {at_ms}: expected ms since 1970")
        elif signal.sort in {Sort.STATE, Sort.EVENT}:
            if not isinstance(value, str):
                draft.refuse(path, RefusalCode.WRONG_TYPE, f"{signal.sort}: expected text, got {value!r}")
            elif signal.sort is Sort.EVENT:
                draft.emit(path, signal, _clean(value), at_ms)
            else:
                self._take_state(draft, path, signal, value, at_ms)
        else:
            self._take_number(draft, path, signal, value, at_ms)

    def _take_state(self, draft: _Draft, path: str, signal: Signal, word: str, at_ms: int) -> None:
        raw = "" if signal.ordinal(word) is not None else _clean(word)
        before = draft.series(path)
        known = "unknown" if raw or signal.ordinal(word) is None else word
        if before is None or known != before.reported or _is_due(before, at_ms, _heartbeat_ms(signal)):
            draft.emit(path, signal, known, at_ms)
        if raw and (before is None or raw != before.raw):
            self._tell_raw(draft, path, signal, raw, at_ms)
        after = draft.series(path)
        if after is not None:
            draft.remember(path, replace(after, current_at_ms=at_ms, raw=raw))

    def _tell_raw(self, draft: _Draft, path: str, signal: Signal, raw: str, at_ms: int) -> None:
        error_path = f"{signal.component}/error"
        error = self._kind.signal(error_path)
        if error is not None and error.sort is Sort.EVENT:
            draft.emit(error_path, error, f"{path}: {raw}", at_ms)

    def _take_number(self, draft: _Draft, path: str, signal: Signal, given: float | str, at_ms: int) -> None:
        if isinstance(given, (str, bool)):
            draft.refuse(path, RefusalCode.WRONG_TYPE, f"{signal.sort}: expected a number, got {given!r}")
            return
        value = _finite(given)
        if value is None or (signal.sort is Sort.COUNTER and value < 0):
            draft.refuse(path, RefusalCode.BAD_VALUE, f"{signal.sort}: expected a finite number, got {given!r}")
            return
        before = draft.series(path)
        if before is None:
            draft.emit(path, signal, value, at_ms)
        elif signal.sort is Sort.COUNTER:
            self._take_counter(draft, path, before, value, at_ms)
        else:
            moved = signal.deadband.exceeded(_number(before.reported), value)
            if moved or _is_due(before, at_ms, _heartbeat_ms(signal)):
                draft.emit(path, signal, value, at_ms)
            else:
                draft.remember(path, replace(before, current=value, current_at_ms=at_ms))

    @staticmethod
    def _take_counter(draft: _Draft, path: str, before: Series, value: float, at_ms: int) -> None:
        signal = before.signal
        if value < _number(before.current):  # a reset: what had grown before it is reported first, or it is lost
            if before.is_pending:
                draft.emit(path, signal, before.current, before.current_at_ms)
            draft.emit(path, signal, value, at_ms)
            return
        pause_ms = COUNTER_PAUSE_MS if value != before.reported else _heartbeat_ms(signal)
        if _is_due(before, at_ms, pause_ms):
            draft.emit(path, signal, value, at_ms)
        else:
            draft.remember(path, replace(before, current=value, current_at_ms=at_ms))

    # -- what the passing of time asks for ---------------------------------------------------------------------------

    def beat(self, now_ms: int, *, reachable: bool) -> Report:
        """Report what is due: heartbeats and counters that grew.

        Args:
            now_ms: now.
            reachable: whether the driver runs and sees the device. Where it does not, nobody knows the current values:
                only ``link/state = down`` goes on beating, and growth seen before is reported with the time it was seen.
        """
        draft = self._draft()
        for path, series in self._spoken(reachable=reachable):
            if _is_due(series, now_ms, _heartbeat_ms(series.signal)):
                draft.emit(path, series.signal, series.current, now_ms)
        for path, series in self._series.items():
            if series.is_pending and draft.series(path) is series and _is_due(series, now_ms, COUNTER_PAUSE_MS):
                draft.emit(path, series.signal, series.current, now_ms if reachable else series.current_at_ms)
        return draft.report()

    def drain(self) -> Report:
        """Report counter growth that was held back; the last call before a stop."""
        draft = self._draft()
        for path, series in self._series.items():
            if series.is_pending:
                draft.emit(path, series.signal, series.current, series.current_at_ms)
        return draft.report()

    def snapshot(self, now_ms: int, *, reachable: bool) -> Report:
        """Report the current value of everything, as observed now; of a device out of reach only that it is."""
        draft = self._draft()
        for path, series in self._spoken(reachable=reachable):
            draft.emit(path, series.signal, series.current, now_ms)
        return draft.report()

    def _spoken(self, *, reachable: bool) -> Iterator[tuple[str, Series]]:
        for path, series in self._series.items():
            if series.signal.sort is Sort.EVENT:
                continue
            if reachable or (path == LINK_STATE and series.current == LINK_DOWN):
                yield path, series

    def _draft(self) -> _Draft:
        return _Draft(self._device_id, self._series, self._floor_ms)


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _number(value: float | str) -> float:
    """Value of a gauge or counter series, which only ever holds numbers."""
    return float(value)


def _clean(text: str) -> str:
    """Text that any JSON reader takes: bounded, without control characters and lone surrogates."""
    short = text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in short)
