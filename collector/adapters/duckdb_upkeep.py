"""The upkeep of the DuckDB store: one bounded piece a call, each ended by one transaction that makes it count."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from collector.adapters import duckdb_schema as sql
from collector.adapters.duckdb_compaction import Compaction
from collector.adapters.duckdb_history import HistoryFiles
from collector.adapters.duckdb_instance import Instance
from collector.adapters.duckdb_layout import DAY_MS, FileTier, Layout, Layouts, StoreFile
from collector.adapters.duckdb_merging import Merging, to_merge
from collector.adapters.duckdb_recent import Generation, generations
from collector.adapters.duckdb_recovery import Recovery
from collector.adapters.duckdb_roll_ups import DayRollUps
from collector.settings import DuckDbSettings, RetentionSettings
from collector.store import HOUR_MS, Upkeep

REPLAYABLE_MS: Final = HOUR_MS
"""How far back commits stay as they came, unless more came than ``recent_readings``."""

_SETTLED_MS: Final = 2 * HOUR_MS
"""After the end of a day, and after what was recent is in order, until the day is rolled up and its files are merged."""

Change = Callable[[Layout], Layout]


class DuckDbUpkeep:
    """Decides what is due, and does it.

    Args:
        instance: over the files.
        layouts: of now.
        files: writes files.
        recovery: writes a copy with each registration.
        register: makes a changed layout count, in the writer's thread; what only the old one names is removed later.
        begin_generation: lets the next commits go to new tables, in the writer's thread.
        settings: when readings are put in order.
        retention: how long what is kept.
    """

    def __init__(
        self,
        instance: Instance,
        layouts: Layouts,
        files: HistoryFiles,
        recovery: Recovery,
        register: Callable[[Change, Sequence[Callable[[], None]]], None],
        begin_generation: Callable[[], None],
        settings: DuckDbSettings,
        retention: RetentionSettings,
    ) -> None:
        self._instance = instance
        self._layouts = layouts
        self._files = files
        self._recovery = recovery
        self._register = register
        self._begin_generation = begin_generation
        self._recent_ms = round(settings.recent_hours * HOUR_MS)
        self._recent_readings = settings.recent_readings
        self._days: Final = {
            FileTier.READINGS: retention.readings_days,
            FileTier.EVENTS: retention.events_days,
            FileTier.MINUTES: retention.minutes_days,
            FileTier.HOURS: retention.hours_days,
        }
        self._compaction = Compaction(instance, files)
        self._roll_ups = DayRollUps(instance, files)
        self._merging = Merging(instance, files)

    def step(self, now_ms: int) -> Upkeep:
        """Do a piece of what is due."""
        self._layouts.bury()
        for work in (self._compact, self._expire, self._roll_up, self._merge):
            done = work(now_ms)
            if done is not None:
                self._layouts.bury()
                return done
        return Upkeep()

    # -- recent readings ---------------------------------------------------------------------------------------------

    def _compact(self, now_ms: int) -> Upkeep | None:
        layout = self._layouts.current
        with self._instance.transaction() as cursor:
            found = generations(cursor, layout)
        if not found:
            return None
        newest = found[-1]
        if newest.number == layout.generations[-1] and newest.first_stored_ms <= now_ms - self._recent_ms:
            self._begin_generation()
            return Upkeep(more=True)
        oldest = found[0]
        if not (oldest.number < layout.generations[-1] and self._is_due(oldest, found, now_ms)):
            return None
        written = self._compaction.write(
            layout,
            oldest.number,
            self._horizon_ms(FileTier.READINGS, now_ms),
            self._horizon_ms(FileTier.EVENTS, now_ms),
        )
        gone = layout.generations[: layout.generations.index(oldest.number) + 1]

        def change(present: Layout) -> Layout:
            return replace(
                present.with_files((), written),
                generations=tuple(number for number in present.generations if number not in gone),
                snapshot=oldest.number,
                replayable_from=oldest.position,
            )

        def bury() -> None:
            with self._instance.transaction() as cursor:
                for number in gone:
                    cursor.execute(sql.drop(sql.GENERATION, number))
                if layout.snapshot:
                    cursor.execute(sql.drop(sql.SNAPSHOT, layout.snapshot))

        self._register(change, [bury])
        return Upkeep(compacted=oldest.readings, more=True)

    def _is_due(self, oldest: Generation, found: Sequence[Generation], now_ms: int) -> bool:
        too_many = sum(generation.readings for generation in found) > self._recent_readings
        return too_many or oldest.last_stored_ms <= now_ms - REPLAYABLE_MS

    # -- history -----------------------------------------------------------------------------------------------------

    def _over_ms(self, now_ms: int) -> int:
        return now_ms - self._recent_ms - _SETTLED_MS

    def _horizon_ms(self, tier: FileTier, now_ms: int) -> int:
        return now_ms - self._days[tier] * DAY_MS

    def _roll_up(self, now_ms: int) -> Upkeep | None:
        layout = self._layouts.current
        over_ms = self._over_ms(now_ms)
        due = (
            day
            for day_ms, day in _by_day(layout).items()
            if day_ms + DAY_MS <= over_ms and not all(file.rolled for file in day)
        )
        day = next(due, None)
        if day is None:
            return None
        written = self._roll_ups.write(layout, day, layout.next_file, final=False)
        rolled = [replace(file, rolled=True) for file in day]
        self._register(lambda present: present.with_files(rolled, [*rolled, *written]), ())
        return Upkeep(more=True)

    def _merge(self, now_ms: int) -> Upkeep | None:
        layout = self._layouts.current
        chosen = to_merge(layout.files, self._over_ms(now_ms))
        if not chosen:
            return None
        merged = self._merging.write(chosen, layout.next_file)
        new = [] if merged is None else [replace(merged, rolled=all(file.rolled for file in chosen))]
        self._register(lambda present: present.with_files(chosen, new), self._graves(chosen))
        freed = sum(file.size for file in chosen) - sum(file.size for file in new)
        return Upkeep(bytes_freed=max(freed, 0), more=True)

    def _expire(self, now_ms: int) -> Upkeep | None:
        layout = self._layouts.current
        for day in _by_day(layout).values():
            if day[0].day_ms + DAY_MS <= self._horizon_ms(FileTier.READINGS, now_ms):
                written = self._roll_ups.write(layout, day, layout.next_file, final=True)
                return self._remove(day, written, lacking=[day[0].day_ms])
        gone = [
            file
            for file in layout.of(FileTier.EVENTS, FileTier.MINUTES, FileTier.HOURS)
            if file.to_ms <= self._horizon_ms(file.tier, now_ms)
        ]
        return self._remove(gone, []) if gone else None

    def _remove(self, gone: Sequence[StoreFile], new: Sequence[StoreFile], lacking: Sequence[int] = ()) -> Upkeep:
        self._register(lambda present: present.with_files(gone, new).lacking(lacking), self._graves(gone))
        return Upkeep(
            expired=sum(file.rows for file in gone),
            bytes_freed=max(sum(file.size for file in gone) - sum(file.size for file in new), 0),
            more=True,
        )

    def _graves(self, files: Sequence[StoreFile]) -> list[Callable[[], None]]:
        def grave(file: StoreFile) -> Callable[[], None]:
            return lambda: self._files.remove(file)

        return [grave(file) for file in files]


def _by_day(layout: Layout) -> dict[int, list[StoreFile]]:
    days: dict[int, list[StoreFile]] = {}
    for file in layout.of(FileTier.READINGS):
        days.setdefault(file.day_ms, []).append(file)
    return days
