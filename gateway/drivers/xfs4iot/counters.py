"""Counters that the protocol does not have: growth of its own counts, and things that happen at the machine.

They count from 0 when the machine is first read, outlive reconnects and the gateway's process, and only grow, whatever the
device does with its own counts. The device's counts are kept, too: what it counted while nobody looked is caught up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from contracts.signals import DeviceKind, Sort
from gateway.driver import Observation
from runtime.logs import get_logger

_log = get_logger(__name__)

_LAST: Final = "last/"
INITIAL: Final = "initial"
"""Name under which the number of notes at the last replenishment is kept beside the counts."""

SHORT_STAY_MS: Final = 8_000
"""A card back within this time was not read. Source: ``contracts/devices/atm.py``, ``idc/short_insertions``."""


class Reset(StrEnum):
    """Whether the device may have set its counts to 0 since they were last read."""

    NO = "no"  # watched all the time: a fall is a correction
    POSSIBLE = "possible"  # a fall is a new beginning
    SURE = "sure"  # whatever is counted was counted since


class Counters:
    """All derived counters of one machine; outlives the process.

    Args:
        kind: its catalogue rows say which counters a component has.
    """

    def __init__(self, kind: DeviceKind) -> None:
        self._kind = kind
        self._totals: dict[str, int] = {}
        self._last: dict[str, dict[str, int]] = {}  # part → the device's own counts of it, by name
        self._texts: dict[str, str] = {}

    def recall(self, kept: Mapping[str, str]) -> None:
        """Go on from what was kept, where this object does not know better."""
        for key, text in kept.items():
            part = key.removeprefix(_LAST)
            if key.startswith(_LAST) and part not in self._last:
                try:
                    self._last[part] = msgspec.json.decode(text, type=dict[str, int])
                except msgspec.DecodeError as error:
                    _log.warning("counts of a part cannot be read", part=part, text=text[:100], error=str(error))
            elif text.isdecimal() and self._kind.signal(key) is not None:
                self._totals[key] = max(int(text), self._totals.get(key, 0))

    def to_keep(self) -> dict[str, str]:
        """Counters by path, and the device's own counts by part."""
        for part, last in self._last.items():
            if part not in self._texts:
                self._texts[part] = msgspec.json.encode(last).decode()
        kept = {f"{_LAST}{part}": text for part, text in self._texts.items()}
        return kept | {path: str(total) for path, total in self._totals.items()}

    def open(self, component: str) -> None:
        """Begin all counters of a component that is there, at 0."""
        for row in self._kind.signals:
            if row.sort is Sort.COUNTER and row.component == component and "{" not in row.path:
                self._totals.setdefault(row.path, 0)

    def add(self, path: str, amount: int = 1) -> None:
        """Count; a path that the kind does not have is ignored."""
        if amount >= 0 and self._kind.signal(path) is not None:
            self._totals[path] = self._totals.get(path, 0) + amount

    def grow(self, path: str, part: str, source: str, total: int, reset: Reset) -> int:
        """Follow one of the device's own counts and count its growth.

        Args:
            path: the counter to grow.
            part: part whose count it is.
            source: which of its counts; a new one begins without growth, because when it grew is unknown.
            total: its value now.
            reset: whether the device may have set it to 0 since.

        Returns:
            The growth.
        """
        last = self.last(part, source)
        self.note(part, source, total)
        if last is None:
            growth = 0
        elif reset is Reset.SURE:
            growth = total
        elif total >= last:
            growth = total - last
        else:
            growth = total if reset is Reset.POSSIBLE else 0
        self.add(path, growth)
        return growth

    def note(self, part: str, source: str, value: int) -> None:
        """Keep one of the device's own counts."""
        counts = self._last.setdefault(part, {})
        if counts.get(source) != value:
            counts[source] = value
            self._texts.pop(part, None)

    def last(self, part: str, source: str) -> int | None:
        """One of the device's own counts as last noted."""
        return self._last.get(part, {}).get(source)

    def forget(self, part: str) -> None:
        """Forget the device's counts of a part that is another unit now; the counters stay."""
        self._last.pop(part, None)
        self._texts.pop(part, None)

    def total(self, path: str) -> int:
        """Value of a counter, 0 where it never counted."""
        return self._totals.get(path, 0)

    def observations(self, components: tuple[str, ...], at_ms: int) -> list[Observation]:
        """All counters of some components."""
        return [
            Observation(path, total, at_ms)
            for path, total in self._totals.items()
            if path.partition("/")[0] in components
        ]


class Presentation:
    """Tells one presentation of notes from the several signs of it: an event, and notes at the output.

    The event and the status come in either order; each sign alone is enough, both together are one presentation.
    """

    def __init__(self) -> None:
        self._signs: set[str] = set()
        self._status: str | None = None

    def presented(self) -> bool:
        """The device says that it presented; returns whether that is a presentation not yet counted."""
        return self._sign("event")

    def position(self, status: str) -> bool:
        """Status of the output; returns whether it shows a presentation not yet counted."""
        before, self._status = self._status, status
        if status == "empty":
            self._signs.clear()
        return status == "notEmpty" and before == "empty" and self._sign("status")

    def taken(self) -> None:
        """The notes were taken or drawn back."""
        self._signs.clear()

    def _sign(self, sign: str) -> bool:
        counted = bool(self._signs) and sign not in self._signs
        self._signs = self._signs | {sign} if counted else {sign}
        return not counted


@dataclass(frozen=True, slots=True)
class CardChange:
    """What a change of the card reader's media was."""

    inserted: bool = False
    short: bool = False


class CardStay:
    """Follows a card from insertion to removal.

    Between polls a card may have come any time since the reader was last seen empty; that is taken as the begin, so that a
    stay is called short only where it surely was.
    """

    _INSIDE = frozenset({"entering", "present", "latched"})

    def __init__(self) -> None:
        self._media: str | None = None
        self._empty_at_ms: int | None = None
        self._began_ms: int | None = None
        self._retained = False

    def media(self, word: str, at_ms: int, *, told: bool) -> CardChange:
        """Take the reader's media.

        Args:
            word: ``cardReader.media``.
            at_ms: when it was seen.
            told: whether the device told it by an event, so that ``at_ms`` is when it changed.
        """
        before, self._media = self._media, word
        if word == "notPresent":
            began, self._began_ms, self._empty_at_ms = self._began_ms, None, at_ms
            retained, self._retained = self._retained, False
            short = began is not None and not retained and 0 <= at_ms - began < SHORT_STAY_MS
            return CardChange(short=short)
        if word in self._INSIDE and before == "notPresent":
            self._began_ms = at_ms if told else self._empty_at_ms
            return CardChange(inserted=True)
        if word not in self._INSIDE:  # jammed or unknown: not a stay that ends in a hand
            self._began_ms = None
        return CardChange()

    def left_unseen(self) -> bool:
        """A card was taken; returns whether it also came without being seen, between two readings."""
        return self._media == "notPresent"

    def retained(self) -> None:
        """The card was kept; it does not come back to its owner."""
        self._retained = self._began_ms is not None


class MediaPresentation:
    """Counts pieces of paper that appear at a printer's exit."""

    def __init__(self) -> None:
        self._media: str | None = None

    def media(self, word: str) -> bool:
        """Take ``printer.media``; returns whether paper appeared."""
        before, self._media = self._media, word
        return word == "present" and before == "notPresent"
