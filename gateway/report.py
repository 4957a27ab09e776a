"""A report on one device being written: readings, refusals, and what to remember of each series."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from contracts.errors import RefusalCode
from contracts.reading import Reading
from contracts.signals import CONDITION_ORDER, Condition, Signal, Sort

CLOCK_STEP_MS: Final = 300_000
"""The clock going back by more than this was set: times follow it. By less, times wait for it to catch up."""

TEXT_LIMIT: Final = 1000
"""Characters of an event's text; a pack of 200 such texts stays below a broker's usual limit of 1 MB a message."""

SERIES_LIMIT: Final = 5000
"""Series of one device; a device that makes up part numbers cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class Series:
    """What the reporter remembers of one signal path.

    Attributes:
        signal: row of the device catalogue.
        current: newest value seen.
        current_at_ms: when a driver saw it; a heartbeat or a snapshot says it again and sees nothing.
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


class Draft:
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

    def emit(self, path: str, signal: Signal, value: float | str, at_ms: int, *, seen_at_ms: int | None = None) -> None:
        """Add a reading and remember it as current and reported; ``seen_at_ms`` where it was seen before ``at_ms``."""
        before = self.series(path)
        time_ms = _after(before.reported_at_ms if before else self._floor_ms, at_ms)
        heartbeat_s = signal.heartbeat_s
        self._readings.append(
            Reading(self._device_id, path, value, time_ms, signal.unit, None if heartbeat_s is None else heartbeat_s)
        )
        raw = before.raw if before else ""
        self._new += before is None
        self._changes[path] = Series(signal, value, at_ms if seen_at_ms is None else seen_at_ms, value, time_ms, raw)
        self._urgent = self._urgent or _is_urgent(signal, before, value)

    def emit_history(self, path: str, signal: Signal, value: float | str, at_ms: int) -> None:
        """Add a reading of the past; what is current and reported stays as it is."""
        self._readings.append(Reading(self._device_id, path, value, at_ms, signal.unit, signal.heartbeat_s))

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


def clean(text: str) -> str:
    """Text that any JSON reader and any database takes: bounded, without control characters and lone surrogates."""
    short = text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in short)
