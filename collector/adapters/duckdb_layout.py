"""Of what the DuckDB store consists at a moment: immutable files of sorted history, and tables of what is recent."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from collector.store import HOUR_MS, MINUTE_MS, Tier

DAY_MS: Final = 24 * HOUR_MS


class FileTier(StrEnum):
    """What a history file holds; one table each."""

    READINGS = "readings"
    EVENTS = "events"
    MINUTES = "minutes"
    HOURS = "hours"

    @property
    def tier(self) -> Tier:
        """The same as the port says it."""
        return Tier.ROLL_UPS if self in ROLL_UPS else Tier.READINGS


ROLL_UPS: Final = {FileTier.MINUTES: MINUTE_MS, FileTier.HOURS: HOUR_MS}


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A history file, whole and never changed again.

    Attributes:
        number: given once; of two files of one tier and period the higher holds what came later.
        tier: what it holds.
        from_ms: time of the oldest row, or begin of the first bucket.
        to_ms: after the newest row, or end of the last bucket.
        rows: how many.
        size: bytes.
        rolled: for readings: whether the roll-ups of their day count them.
    """

    number: int
    tier: FileTier
    from_ms: int
    to_ms: int
    rows: int
    size: int
    rolled: bool = False

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"{self.tier}-{_at(self.from_ms):%Y%m%d}-{self.number:08d}.duckdb"

    @property
    def day_ms(self) -> int:
        """Begin of the UTC day of its first row; readings are all of one day."""
        return self.from_ms // DAY_MS * DAY_MS

    @property
    def period(self) -> str:
        """Files of one tier and period are merged: readings by day, everything else by month."""
        return f"{_at(self.from_ms):%Y%m%d}" if self.tier is FileTier.READINGS else f"{_at(self.from_ms):%Y%m}"

    def meets(self, from_ms: int, to_ms: int) -> bool:
        """Whether some of its rows may be in an interval."""
        return self.from_ms < to_ms and from_ms < self.to_ms


def _at(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def end_of_period_ms(file: StoreFile) -> int:
    """When the day or the month of a file is over."""
    if file.tier is FileTier.READINGS:
        return file.day_ms + DAY_MS
    begin = _at(file.from_ms)
    year, month = (begin.year + 1, 1) if begin.month == 12 else (begin.year, begin.month + 1)
    return round(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a reader has to look at.

    Attributes:
        version: grows by one with every registration.
        generations: numbers of the recent tables, oldest first; the last one is written to.
        files: history, by number.
        snapshot: number of the generation that was compacted last, whose tables of newest readings and pack identities
            speak for all that is in ``files``; 0 where none was.
        replayable_from: position of its last commit.
        next_file: number of the next file.
        incomplete: begins of days whose roll-ups count readings that are there no more, by damage or by retention.
    """

    version: int = 0
    generations: tuple[int, ...] = (1,)
    files: tuple[StoreFile, ...] = ()
    snapshot: int = 0
    replayable_from: int = 0
    next_file: int = 1
    incomplete: tuple[int, ...] = ()

    def of(self, *tiers: FileTier) -> list[StoreFile]:
        """Files of some tiers, by number."""
        return [file for file in self.files if file.tier in tiers]

    def with_files(self, gone: Sequence[StoreFile], new: Sequence[StoreFile]) -> "Layout":
        """The next version, some files replaced by others."""
        numbers = {file.number for file in (*gone, *new)}
        kept = [file for file in self.files if file.number not in numbers]
        files = tuple(sorted((*kept, *new), key=lambda file: file.number))
        next_file = max([self.next_file, *(file.number + 1 for file in new)])
        rolled = [file for file in files if file.tier in ROLL_UPS]
        incomplete = tuple(day for day in self.incomplete if any(file.meets(day, day + DAY_MS) for file in rolled))
        return replace(self, version=self.version + 1, files=files, next_file=next_file, incomplete=incomplete)

    def lacking(self, days: Iterable[int]) -> "Layout":
        """The same, some days' readings incomplete."""
        return replace(self, incomplete=tuple(sorted({*self.incomplete, *days})))

    def whole(self, days: Iterable[int]) -> "Layout":
        """The same, some days' readings complete again."""
        return replace(self, incomplete=tuple(sorted(set(self.incomplete).difference(days))))

    def encoded(self) -> str:
        """As JSON."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def decoded(document: str) -> "Layout":
        """From JSON."""
        return msgspec.json.decode(document, type=Layout)


@dataclass(slots=True)
class _Version:
    layout: Layout
    holders: int = 0
    graves: list[Callable[[], None]] = field(default_factory=list)


class Layouts:
    """The layout of the moment, and those that readers still hold. Safe for threads.

    What a new layout no longer names is buried only when nobody holds a layout that does.
    """

    def __init__(self, layout: Layout) -> None:
        self._lock = threading.Lock()
        self._versions = [_Version(layout)]

    @property
    def current(self) -> Layout:
        """The newest one."""
        return self._versions[-1].layout

    @contextlib.contextmanager
    def held(self) -> Iterator[Layout]:
        """The newest layout; as long as it is held, all it names is there."""
        with self._lock:
            version = self._versions[-1]
            version.holders += 1
        try:
            yield version.layout
        finally:
            with self._lock:
                version.holders -= 1

    def publish(self, layout: Layout, graves: Sequence[Callable[[], None]] = ()) -> None:
        """Readers from now on take this one.

        Args:
            layout: the new one.
            graves: what removes the things that only older layouts name; called by :meth:`bury`.
        """
        with self._lock:
            self._versions[-1].graves.extend(graves)
            self._versions.append(_Version(layout))

    def bury(self) -> int:
        """Remove what no reader can meet any more; returns how many things."""
        due: list[Callable[[], None]] = []
        with self._lock:
            while len(self._versions) > 1 and not self._versions[0].holders:
                due += self._versions.pop(0).graves
        for grave in due:
            grave()
        return len(due)
