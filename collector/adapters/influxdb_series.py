"""The series of the InfluxDB store: their numbers, their tags as a line holds them, and the branches they belong to."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from collector.adapters.influxdb_lines import tag_set, tags_of
from collector.adapters.influxdb_queries import any_of, has_tags
from collector.adapters.influxdb_records import DAY_MS, DirtyHour
from collector.store import HOUR_MS, SeriesRow
from contracts.identity import branch_of
from contracts.readings import Int32s, ReadingBatch

SERIES_AT_ONCE: Final = 100
"""Series that one question names."""


class SeriesTags:
    """All series of the store; about 150 bytes each.

    Attributes:
        tags: tag set of each series, by its number.
    """

    def __init__(self) -> None:
        self.tags: list[str] = []
        self._branches: list[str] = []
        self._branch_numbers: dict[str, int] = {}
        self._branch_of: Int32s = np.zeros(0, np.int32)

    def add(self, rows: Sequence[SeriesRow]) -> None:
        """Take series that are new; those that are known are left out.

        Raises:
            ValueError: a number is missing before them.
        """
        new = [row for row in rows if row.series >= len(self.tags)]
        numbers = []
        for row in new:
            if row.series != len(self.tags):
                raise ValueError(
                    f"series {row.series} of {row.device_id} {row.path}: expected number {len(self.tags)}; restore the"
                    " ops database"
                )
            self.tags.append(tag_set(row))
            branch_id = branch_of(row.device_id)
            number = self._branch_numbers.setdefault(branch_id, len(self._branches))
            if number == len(self._branches):
                self._branches.append(branch_id)
            numbers.append(number)
        self._branch_of = np.append(self._branch_of, np.array(numbers, np.int32))

    def branch(self, series: int) -> str:
        """Branch of a series."""
        return self._branches[int(self._branch_of[series])]

    def hours(self, batch: ReadingBatch) -> set[DirtyHour]:
        """Which hours of which branches a batch has readings of."""
        if not len(batch):
            return set()
        count = len(self._branches)
        places = np.unique((batch.observed_at_ms // HOUR_MS) * count + self._branch_of[batch.series])
        return {(place // count * HOUR_MS, self._branches[place % count]) for place in places.tolist()}

    @staticmethod
    def days(batch: ReadingBatch) -> set[int]:
        """Begins of the UTC days that a batch has readings or events of."""
        begins = set((np.unique(batch.observed_at_ms // DAY_MS) * DAY_MS).tolist())
        return begins.union(event.observed_at_ms // DAY_MS * DAY_MS for event in batch.events)

    def known(self, series: Iterable[int]) -> dict[str, int]:
        """Numbers of some series by their tag sets; those that are not known are left out."""
        return {self.tags[number]: number for number in series if 0 <= number < len(self.tags)}

    def all(self) -> dict[str, int]:
        """Numbers of all series by their tag sets."""
        return {tags: number for number, tags in enumerate(self.tags)}


def conditions(named: Iterable[str]) -> list[str]:
    """Conditions that name some series by their tag sets, a bounded number each."""
    tags = list(named)
    lots = (tags[begin : begin + SERIES_AT_ONCE] for begin in range(0, len(tags), SERIES_AT_ONCE))
    return [any_of(has_tags(tags_of(one)) for one in lot) for lot in lots]
