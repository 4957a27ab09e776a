"""Report by exception: which of the things a driver saw of one device are worth a reading.

Pure: state and input and now give a :class:`Report`; nothing changes until :meth:`Reporter.accept` says that the report is
durable. A gauge is reported when it moved by its deadband, a state when it changed, a counter when it grew and at most
once in ten seconds, an event always, and everything but events again at its heartbeat. ``ut`` carries the heartbeat.

Times of one series grow strictly, because (series, observed_at) names a reading in the store. The exception is history: a
value a driver dates before the newest it saw of a series is reported with its own time and changes nothing of what is known
now.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from contracts.errors import RefusalCode
from contracts.senml import ABSOLUTE_FROM_S
from contracts.signals import DeviceKind, Signal, Sort
from gateway.driver import Observation
from gateway.links import LINK_DOWN, LINK_STATE
from gateway.report import CLOCK_STEP_MS, SERIES_LIMIT, Draft, Report, Series, clean

COUNTER_PAUSE_MS: Final = 10_000
"""A growing counter is reported at most this often: a busy one costs six readings a minute and loses no growth."""


IsCurrent: TypeAlias = Callable[[str], bool]
"""Whether a signal's value can be vouched for now."""


def _always(_path: str) -> bool:
    return True


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

    def _take_one(self, draft: Draft, observation: Observation, now_ms: int) -> None:
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
        elif signal.sort is not Sort.EVENT and _is_history(draft.series(path), observation.observed_at_ms, now_ms):
            self._take_history(draft, path, signal, value, at_ms)
        elif signal.sort in {Sort.STATE, Sort.EVENT}:
            if not isinstance(value, str):
                draft.refuse(path, RefusalCode.WRONG_TYPE, f"{signal.sort}: expected text, got {value!r}")
            elif signal.sort is Sort.EVENT:
                draft.emit(path, signal, clean(value), at_ms)
            else:
                self._take_state(draft, path, signal, value, at_ms)
        else:
            self._take_number(draft, path, signal, value, at_ms)

    @staticmethod
    def _take_history(draft: Draft, path: str, signal: Signal, value: float | str, at_ms: int) -> None:
        if signal.sort is Sort.STATE:
            if isinstance(value, str) and signal.ordinal(value) is not None:
                draft.emit_history(path, signal, value, at_ms)
            else:
                draft.refuse(path, RefusalCode.BAD_VALUE, f"{signal.sort}: expected one of its words, got {value!r}")
            return
        number = None if isinstance(value, (str, bool)) else _finite(value)
        if number is None or (signal.sort is Sort.COUNTER and number < 0):
            draft.refuse(path, RefusalCode.BAD_VALUE, f"{signal.sort}: expected a finite number, got {value!r}")
        else:
            draft.emit_history(path, signal, number, at_ms)

    def _take_state(self, draft: Draft, path: str, signal: Signal, word: str, at_ms: int) -> None:
        raw = "" if signal.ordinal(word) is not None else clean(word)
        before = draft.series(path)
        known = "unknown" if raw or signal.ordinal(word) is None else word
        if before is None or known != before.reported or _is_due(before, at_ms, _heartbeat_ms(signal)):
            draft.emit(path, signal, known, at_ms)
        if raw and (before is None or raw != before.raw):
            self._tell_raw(draft, path, signal, raw, at_ms)
        after = draft.series(path)
        if after is not None:
            draft.remember(path, replace(after, current_at_ms=at_ms, raw=raw))

    def _tell_raw(self, draft: Draft, path: str, signal: Signal, raw: str, at_ms: int) -> None:
        error_path = f"{signal.component}/error"
        error = self._kind.signal(error_path)
        if error is not None and error.sort is Sort.EVENT:
            draft.emit(error_path, error, f"{path}: {raw}", at_ms)

    def _take_number(self, draft: Draft, path: str, signal: Signal, given: float | str, at_ms: int) -> None:
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
    def _take_counter(draft: Draft, path: str, before: Series, value: float, at_ms: int) -> None:
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

    def beat(self, now_ms: int, *, reachable: bool, is_current: IsCurrent = _always) -> Report:
        """Report what is due: heartbeats and counters that grew.

        Args:
            now_ms: now.
            reachable: whether the driver runs and sees the device. Where it does not, nobody knows the current values:
                only ``link/state = down`` goes on beating, and growth seen before is reported with the time it was seen.
            is_current: whether the driver that told a signal still sees the device, where several read it.
        """
        draft = self._draft()
        for path, series in self._spoken(is_current, reachable=reachable):
            if _is_due(series, now_ms, _heartbeat_ms(series.signal)):
                draft.emit(path, series.signal, series.current, now_ms, seen_at_ms=series.current_at_ms)
        for path, series in self._series.items():
            if series.is_pending and draft.series(path) is series and _is_due(series, now_ms, COUNTER_PAUSE_MS):
                at_ms = now_ms if reachable and is_current(path) else series.current_at_ms
                draft.emit(path, series.signal, series.current, at_ms, seen_at_ms=series.current_at_ms)
        return draft.report()

    def drain(self) -> Report:
        """Report counter growth that was held back; the last call before a stop."""
        draft = self._draft()
        for path, series in self._series.items():
            if series.is_pending:
                draft.emit(path, series.signal, series.current, series.current_at_ms)
        return draft.report()

    def snapshot(self, now_ms: int, *, reachable: bool, is_current: IsCurrent = _always) -> Report:
        """Report the current value of everything, as observed now; of a device out of reach only that it is."""
        draft = self._draft()
        for path, series in self._spoken(is_current, reachable=reachable):
            draft.emit(path, series.signal, series.current, now_ms, seen_at_ms=series.current_at_ms)
        return draft.report()

    def _spoken(self, is_current: IsCurrent, *, reachable: bool) -> Iterator[tuple[str, Series]]:
        for path, series in self._series.items():
            if series.signal.sort is Sort.EVENT:
                continue
            if (reachable and is_current(path)) or (path == LINK_STATE and series.current == LINK_DOWN):
                yield path, series

    def _draft(self) -> Draft:
        return Draft(self._device_id, self._series, self._floor_ms)


def _is_history(series: Series | None, given_at_ms: int | None, now_ms: int) -> bool:
    """Whether a driver dates a value before the newest it saw of the series; after a clock was set back nobody can tell.

    What waited for the outbox is none, although a heartbeat may have come before it: the driver saw nothing newer.
    """
    return series is not None and given_at_ms is not None and given_at_ms < series.current_at_ms <= now_ms


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _number(value: float | str) -> float:
    """Value of a gauge or counter series, which only ever holds numbers."""
    return float(value)
