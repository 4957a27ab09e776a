"""Vocabulary of the device catalogue: what a signal is and which readings it may have.

A device kind is a tuple of rows made with :func:`state`, :func:`gauge`, :func:`counter` and :func:`event`. A path is
``component/signal`` or ``component/part/signal``; ``{n}`` stands for 1, 2, 3 … and any other ``{word}`` for a name.
"""

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final


class Sort(StrEnum):
    """What the readings of a signal are."""

    GAUGE = "gauge"
    COUNTER = "counter"  # monotonic; a fall is a reset
    STATE = "state"  # travels as the standard's word, stored as its ordinal
    EVENT = "event"  # text at a moment


class Presence(StrEnum):
    """Whether silence means something."""

    ALWAYS = "always"  # every device of the kind reports it: absence counts
    IF_FITTED = "if_fitted"  # only if fitted, licensed or enabled


ALWAYS: Final = Presence.ALWAYS
IF_FITTED: Final = Presence.IF_FITTED


class Condition(StrEnum):
    """What a state word says about the device, worst last in :data:`CONDITION_ORDER`."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


CONDITION_ORDER: Final = (
    Condition.UNKNOWN,
    Condition.OK,
    Condition.MAINTENANCE,
    Condition.DEGRADED,
    Condition.FAILED,
)
"""For the worst of several: a device with one failed part is failed, whatever else is unknown."""

_CONDITION_LETTERS: Final = {
    "o": Condition.OK,
    "d": Condition.DEGRADED,
    "f": Condition.FAILED,
    "m": Condition.MAINTENANCE,
    "u": Condition.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class State:
    """One word of a state signal."""

    word: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Deadband:
    """Smallest move of a gauge that is worth a report: ``absolute`` in the signal's unit, or ``percent`` of the last."""

    absolute: float = 0.0
    percent: float = 0.0

    def exceeded(self, last: float, value: float) -> bool:
        """Tell whether ``value`` moved from the last reported one by at least the deadband (and moved at all)."""
        moved = abs(value - last)
        return moved > 0 and moved >= max(self.absolute, abs(last) * self.percent / 100)


def percent(value: float) -> Deadband:
    """Deadband in percent of the last reported value."""
    return Deadband(percent=value)


NO_UNIT: Final = None
"""Money and face values have no SenML unit."""

UNBOUNDED: Final[tuple[None, None]] = (None, None)

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def path_pattern(template: str) -> re.Pattern[str]:
    """Compile a path template: ``{n}`` matches a number from 1, any other placeholder a name."""
    parts = _PLACEHOLDER.split(template)
    out = []
    for index, part in enumerate(parts):
        if index % 2 == 0:
            out.append(re.escape(part))
        else:
            out.append(r"[1-9][0-9]*" if part == "n" else r"[A-Za-z][A-Za-z0-9_-]*")
    return re.compile("".join(out))


@dataclass(frozen=True, slots=True)
class Signal:
    """One row of the device catalogue.

    Attributes:
        path: path template inside the device.
        sort: what its readings are.
        presence: whether its absence counts.
        heartbeat_s: seconds after which an unchanged value is reported again; a series is stale after twice that.
            ``None`` for events.
        unit: SenML unit (RFC 8428, table 12), ``None`` for states, events and money.
        states: the words of a state signal in their fixed, append-only order; a word's index is its stored ordinal.
        deadband: smallest move worth a report.
        bounds: lowest and highest sensible value, ``None`` where open.
        en: meaning in English.
        zh: meaning in Chinese.
        source: where vocabulary and value come from.
    """

    path: str
    sort: Sort
    presence: Presence
    heartbeat_s: int | None
    en: str
    zh: str
    source: str
    unit: str | None = None
    states: tuple[State, ...] = ()
    deadband: Deadband = field(default_factory=Deadband)
    bounds: tuple[float | None, float | None] = UNBOUNDED

    @property
    def component(self) -> str:
        """First segment of the path."""
        return self.path.partition("/")[0]

    def ordinal(self, word: str) -> int | None:
        """Stored number of a state word; ``None`` where the word is not of the vocabulary."""
        for index, state_ in enumerate(self.states):
            if state_.word == word:
                return index
        return None

    @property
    def unknown_ordinal(self) -> int:
        """Stored number of ``unknown``, which every state signal lists."""
        ordinal = self.ordinal("unknown")
        if ordinal is None:
            raise LookupError(f"{self.path} lists no state 'unknown'")
        return ordinal

    def stale_after_ms(self) -> int | None:
        """Age in milliseconds from which the newest reading no longer speaks for the device."""
        return None if self.heartbeat_s is None else 2 * self.heartbeat_s * 1000


def state(path: str, presence: Presence, heartbeat_s: int, states: str, en: str, zh: str, source: str) -> Signal:
    """Row of a state signal; ``states`` is ``"word:c word:c …"`` with c = o ok, d degraded, f failed, m, u."""
    words = []
    for item in states.split():
        word, _, letter = item.rpartition(":")
        words.append(State(word, _CONDITION_LETTERS[letter]))
    return Signal(path, Sort.STATE, presence, heartbeat_s, en, zh, source, states=tuple(words))


def gauge(
    path: str,
    presence: Presence,
    heartbeat_s: int,
    unit: str | None,
    deadband: Deadband | float,
    bounds: tuple[float | None, float | None],
    en: str,
    zh: str,
    source: str,
) -> Signal:
    """Row of a gauge; a plain number as ``deadband`` is absolute, in the unit."""
    band = deadband if isinstance(deadband, Deadband) else Deadband(absolute=float(deadband))
    return Signal(
        path, Sort.GAUGE, presence, heartbeat_s, en, zh, source, unit=unit, deadband=band, bounds=bounds
    )  # fmt: skip


def counter(path: str, presence: Presence, heartbeat_s: int, en: str, zh: str, source: str) -> Signal:
    """Row of a monotonic counter, in counts from 0."""
    return Signal(
        path, Sort.COUNTER, presence, heartbeat_s, en, zh, source,
        unit="count", deadband=Deadband(absolute=1.0), bounds=(0, None),
    )  # fmt: skip


def event(path: str, presence: Presence, en: str, zh: str, source: str) -> Signal:
    """Row of an event, whose readings are texts."""
    return Signal(path, Sort.EVENT, presence, None, en, zh, source)


def for_component(rows: tuple[Signal, ...], component: str, presence: Presence) -> tuple[Signal, ...]:
    """Give a block written for a component ``{m}`` to a real component, with the presence of that component."""
    return tuple(
        replace(
            row,
            path=row.path.replace("{m}", component),
            presence=row.presence if presence is ALWAYS else IF_FITTED,
        )
        for row in rows
    )


def if_fitted(rows: tuple[Signal, ...]) -> tuple[Signal, ...]:
    """Include a block that not every device of the kind has."""
    return tuple(replace(row, presence=IF_FITTED) for row in rows)


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """A kind of device with all signals it can have.

    Attributes:
        name: name in inventories, ``atm``.
        en: name shown in English.
        zh: name shown in Chinese.
        signals: catalogue rows, shared blocks first.
    """

    name: str
    en: str
    zh: str
    signals: tuple[Signal, ...]
    _patterns: tuple[tuple[re.Pattern[str], Signal], ...] = field(init=False, repr=False, compare=False)
    _known: dict[str, Signal | None] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_patterns", tuple((path_pattern(row.path), row) for row in self.signals))

    def signal(self, path: str) -> Signal | None:
        """Find the row of a concrete path such as ``cdm/unit1/count``; ``None`` where the kind has no such signal."""
        if path in self._known:
            return self._known[path]
        found = next((row for pattern, row in self._patterns if pattern.fullmatch(path)), None)
        if found is not None:  # only sound paths are remembered, so a hostile sender cannot fill the table
            self._known[path] = found
        return found
