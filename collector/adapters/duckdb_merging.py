# ruff: noqa: S608  (names of our own tables and numbers; texts go in as parameters)
"""Which files of a period are put together, and how."""

from collections.abc import Sequence
from typing import Final

from collector.adapters.duckdb_history import Draft, Filling, HistoryFiles
from collector.adapters.duckdb_instance import Instance
from collector.adapters.duckdb_layout import DAY_MS, ROLL_UPS, FileTier, StoreFile, end_of_period_ms
from collector.adapters.duckdb_roll_ups import union

MOST_ROWS: Final = 50_000_000
"""Of a merged file: what a merge takes at once."""

_AT_LEAST: Final = 6
"""Files of a period that is not over; each row of a day is written about three times in all."""
_RATIO: Final = 3
_RATIO_WHEN_OVER: Final = 16


def to_merge(files: Sequence[StoreFile], over_ms: int) -> list[StoreFile]:
    """The newest files of some period that are worth a merge, empty where there are none.

    Only the newest ones, so that of any two files the one with the higher number holds what came later. An older file is
    taken along where it is not much larger than those after it: late readings do not make a whole day be written again.

    Args:
        files: of the store.
        over_ms: periods that ended before get no more readings but late ones.
    """
    periods: dict[tuple[FileTier, str], list[StoreFile]] = {}
    for file in files:
        periods.setdefault((file.tier, file.period), []).append(file)
    for present in periods.values():
        over = end_of_period_ms(present[0]) <= over_ms
        ratio, at_least = (_RATIO_WHEN_OVER, 2) if over else (_RATIO, _AT_LEAST)
        chosen: list[StoreFile] = []
        rows = 0
        for file in reversed(present):
            if chosen and (file.rows > ratio * rows or file.rows + rows > MOST_ROWS):
                break
            chosen.insert(0, file)
            rows += file.rows
        if len(chosen) >= at_least:
            return chosen
    return []


class Merging:
    """Writes one file in the place of several."""

    def __init__(self, instance: Instance, files: HistoryFiles) -> None:
        self._instance = instance
        self._files = files

    def write(self, files: Sequence[StoreFile], number: int) -> StoreFile | None:
        """Write what files of one tier and period hold into one."""
        tier = files[0].tier
        with self._instance.cursor() as cursor:
            source = union(
                f"SELECT *, {place} AS source, rowid AS place FROM {self._instance.attach(cursor, file)}.data"
                for place, file in enumerate(files)
            )
        rows = sum(file.rows for file in files)
        return self._files.write(number, tier, rows, _filling(tier, source), files[0].day_ms)


def _filling(tier: FileTier, source: str) -> Filling:
    if tier in ROLL_UPS:
        slots = DAY_MS // ROLL_UPS[tier]
        query = (
            f"SELECT * EXCLUDE (source, place) FROM ({source}) "
            f"QUALIFY source = max(source) OVER (PARTITION BY shelf, slot // {slots}) ORDER BY shelf, slot"
        )
    else:
        order = "key" if tier is FileTier.READINGS else "series, observed_at"
        query = f"SELECT * EXCLUDE (source, place) FROM ({source}) ORDER BY {order}, source, place"

    def fill(draft: Draft) -> None:
        draft.cursor.execute(f"INSERT INTO {draft.table} {query}")

    return fill
