# ruff: noqa: S608  (names of our own tables and numbers; texts go in as parameters)
"""What is recent, in order of arrival: the one file that commits write to. Only the store's writer thread comes here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from collector.adapters import duckdb_schema as sql
from collector.adapters.duckdb_instance import Instance
from collector.adapters.duckdb_layout import Layout, Layouts
from collector.adapters.duckdb_shelves import Shelves
from collector.intervals import IntervalSet
from collector.store import SeriesRow
from contracts.pack import PackId
from contracts.readings import ReadingBatch
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

Committed = dict[tuple[str, str], IntervalSet]


@dataclass(frozen=True, slots=True)
class Generation:
    """What the commits of a generation come to.

    Attributes:
        number: its number.
        readings: readings and events in it.
        first_stored_ms: when its first commit was made.
        last_stored_ms: when its last commit was made.
        position: of its last commit.
    """

    number: int
    readings: int
    first_stored_ms: int
    last_stored_ms: int
    position: int


class RecentReadings:
    """Commits, one after the other, into the newest generation.

    Args:
        instance: where the tables are.
        layouts: which tables count.
        shelves: gives new series theirs.
        clock: stamps commits.
        most_readings: readings of a generation at which the next one is begun.
    """

    def __init__(
        self, instance: Instance, layouts: Layouts, shelves: Shelves, clock: Clock, most_readings: int
    ) -> None:
        self._instance = instance
        self._layouts = layouts
        self._shelves = shelves
        self._clock = clock
        self._most_readings: Final = most_readings
        self._in_newest = 0
        self._in_doubt: int | None = None  # position of a commit whose outcome is unknown: look before writing again
        self.position = 0
        self.committed: Committed = {}

    def look(self) -> None:
        """Take position and pack identities from the file."""
        layout = self._layouts.current
        with self._instance.transaction() as cursor:
            found = generations(cursor, layout)
            position = found[-1].position if found else layout.replayable_from
            in_newest = found[-1].readings if found and found[-1].number == layout.generations[-1] else 0
            self._shelves.load(cursor)
            committed: Committed = {}
            tables = [sql.table("pack", number) for number in layout.generations]
            if layout.snapshot:
                tables.insert(0, sql.table("packs", layout.snapshot))
            for name in tables:
                for branch_id, boot, low, high in cursor.execute(f"FROM {name}").fetchall():
                    committed.setdefault((branch_id, boot), IntervalSet()).add(low, high)
        self.position, self.committed, self._in_newest = position, committed, in_newest

    def append(
        self,
        batch: ReadingBatch,
        packs: Sequence[PackId],
        new_series: Sequence[SeriesRow],
        settle: Callable[[], None],
    ) -> int:
        """See :meth:`collector.store.TimeSeriesStore.append`.

        Args:
            batch: readings and events.
            packs: their packs.
            new_series: series used first.
            settle: after a commit that failed, takes the layout from the file, which is opened again where it does not answer.
        """
        if self._in_doubt is not None:
            _log.warning("store looks whether a commit that failed is in its file", position=self._in_doubt)
            settle()
            self.look()
            tried, self._in_doubt = self._in_doubt, None
            if self.position == tried:  # the one writer's last attempt had reached the file after all
                return self.position
        attempted = self.position + 1
        known = sum(pack.seq in self.committed.get((pack.branch_id, pack.boot), ()) for pack in packs)
        if packs and known == len(packs):
            return self.position
        if known:
            raise ValueError(
                f"append of {len(packs)} packs: {known} of them are committed already, expected none or all"
            )
        self._in_doubt = attempted
        if self._in_newest >= self._most_readings:
            self.begin_generation()
        with self._instance.transaction() as cursor:
            self._insert(cursor, batch, packs, new_series, attempted)
        self._in_doubt = None
        self.position = attempted
        self._in_newest += len(batch) + len(batch.events)
        for pack in packs:
            self.committed.setdefault((pack.branch_id, pack.boot), IntervalSet()).add(pack.seq)
        return attempted

    def _insert(
        self,
        cursor: duckdb.DuckDBPyConnection,
        batch: ReadingBatch,
        packs: Sequence[PackId],
        new_series: Sequence[SeriesRow],
        position: int,
    ) -> None:
        newest = self._layouts.current.generations[-1]

        def insert(name: str, columns: dict[str, npt.NDArray[Any]], *further: int) -> None:
            insert_columns(cursor, name if name == "series" else sql.table(name, newest), columns, *further)

        if new_series:
            insert(
                "series",
                {
                    "series": np.array([row.series for row in new_series], np.int32),
                    "device_id": _texts(row.device_id for row in new_series),
                    "kind": _texts(row.kind for row in new_series),
                    "path": _texts(row.path for row in new_series),
                    "shelf": self._shelves.give(new_series),
                },
            )
        if len(batch):
            columns: dict[str, npt.NDArray[Any]] = {
                "series": batch.series, "observed_at": batch.observed_at_ms, "value": batch.value, "live": batch.live,
            }  # fmt: skip
            insert("reading", columns, position)
        if batch.events:
            events = batch.events
            columns = {
                "series": np.array([event.series for event in events], np.int32),
                "observed_at": np.array([event.observed_at_ms for event in events], np.int64),
                "text": _texts(event.text for event in events),
                "live": np.array([event.live for event in events], np.bool_),
            }
            insert("event", columns, position)
        if packs:
            insert("pack", pack_columns(_runs(packs)))
        cursor.execute(
            f"INSERT INTO {sql.table('store_commit', newest)} VALUES (?, ?, ?)",
            [position, self._clock.now_ms(), len(batch) + len(batch.events)],
        )

    def begin_generation(self) -> None:
        """Let the next commits go to new tables."""
        layout = self._layouts.current
        number = layout.generations[-1] + 1
        new = replace(layout, version=layout.version + 1, generations=(*layout.generations, number))
        with self._instance.transaction() as cursor:
            cursor.execute(sql.create(sql.GENERATION, number))
            store_layout(cursor, new)
        self._layouts.publish(new)
        self._in_newest = 0


def generations(cursor: duckdb.DuckDBPyConnection, layout: Layout) -> list[Generation]:
    """The generations that have commits, oldest first."""
    found = []
    for number in layout.generations:
        row = cursor.execute(
            f"SELECT count(*), sum(readings), min(stored_at), max(stored_at), max(position) "
            f"FROM {sql.table('store_commit', number)}"
        ).fetchone()
        if row is not None and row[0]:
            found.append(Generation(number, *(int(figure) for figure in row[1:])))
    return found


def store_layout(cursor: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    """Put a layout in the place of the one before."""
    cursor.execute("DELETE FROM layout")
    cursor.execute("INSERT INTO layout VALUES (?)", [layout.encoded()])
    cursor.execute(sql.views(layout.generations))


def insert_columns(
    cursor: duckdb.DuckDBPyConnection, name: str, columns: dict[str, npt.NDArray[Any]], *further: int
) -> None:
    """Insert whole columns, and further ones that are the same in each row: a row at a time takes DuckDB 80 µs each.

    DuckDB finds ``columns`` among the variables of this function; to register them by name takes half a millisecond more.
    """
    names = list(columns)
    if further:
        names.insert(-1, "?")  # position, before live
    cursor.execute(f"INSERT INTO {name} SELECT {', '.join(names)} FROM columns", further)


def pack_columns(runs: Sequence[tuple[str, str, int, int]]) -> dict[str, npt.NDArray[Any]]:
    """Runs of pack identities as columns."""
    return {
        "branch_id": _texts(run[0] for run in runs),
        "boot": _texts(run[1] for run in runs),
        "low": np.array([run[2] for run in runs], np.int64),
        "high": np.array([run[3] for run in runs], np.int64),
    }


def runs_of(committed: Mapping[tuple[str, str], IntervalSet]) -> list[tuple[str, str, int, int]]:
    """Sets of seqs as (branch, boot, low, high)."""
    return [(branch_id, boot, low, high) for (branch_id, boot), runs in committed.items() for low, high in runs]


def _runs(packs: Sequence[PackId]) -> list[tuple[str, str, int, int]]:
    """Pack identities as (branch, boot, low, high), neighbours in one."""
    runs: list[tuple[str, str, int, int]] = []
    for branch_id, boot, seq in sorted((pack.branch_id, pack.boot, pack.seq) for pack in packs):
        if runs and runs[-1][:2] == (branch_id, boot) and runs[-1][3] >= seq - 1:
            runs[-1] = (branch_id, boot, runs[-1][2], seq)
        else:
            runs.append((branch_id, boot, seq, seq))
    return runs


def _texts(texts: Iterable[str]) -> npt.NDArray[np.object_]:
    return np.array(list(texts), dtype=np.object_)
