# ruff: noqa: S608  (names of our own tables and numbers; texts go in as parameters)
"""Opening the DuckDB store whatever was left behind: by a kill, by a disk that lost something, by somebody who removed files.

With every registration a copy of what the files of history do not say is written beside them: ``recovery-<version>.duckdb``
holds the layout, all series with their numbers, the newest readings and the identities of all packs that are compacted.
Where ``recent.duckdb`` is lost, a new one begins from the newest copy; what gateways still have is asked for again.
"""

import os
import re
import shutil
from pathlib import Path
from typing import Final

import duckdb

from collector.adapters import duckdb_schema as sql
from collector.adapters.duckdb_damage import DAMAGED, DamageRecord, is_damage
from collector.adapters.duckdb_history import UNFINISHED, HistoryFiles, unavailable
from collector.adapters.duckdb_instance import Instance, quoted
from collector.adapters.duckdb_layout import FileTier, Layout, StoreFile
from collector.adapters.duckdb_recent import store_layout
from collector.store import Damage, Tier
from contracts.errors import DependencyUnavailable
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

_COPY: Final = "recovery-"
_COPIES: Final = 2

_NAME: Final = re.compile(r"(?P<tier>[a-z]+)-\d{8}-(?P<number>\d+)\.duckdb")

_PLACE: Final = re.compile(r"entry at byte position (\d+)")
"""Where a log is damaged, as DuckDB says it."""


class Recovery:
    """Makes the copies, and opens from them where it has to.

    Args:
        path: ``recent.duckdb``.
        history: directory of the history files.
        instance: over both.
        files: writes files.
        damages: where damage is noted.
        clock: stamps damage.
    """

    def __init__(
        self,
        path: Path,
        history: Path,
        instance: Instance,
        files: HistoryFiles,
        damages: DamageRecord,
        clock: Clock,
    ) -> None:
        self._path = path
        self._history = history
        self._instance = instance
        self._files = files
        self._damages = damages
        self._clock = clock

    # -- copies ------------------------------------------------------------------------------------------------------

    def copy(self, layout: Layout) -> None:
        """Write what a new ``recent.duckdb`` would begin from; the snapshot's tables have to be there."""

        def fill(cursor: duckdb.DuckDBPyConnection, alias: str) -> None:
            cursor.execute(f"CREATE TABLE {alias}.series AS FROM series")
            for name in sql.SNAPSHOT if layout.snapshot else ():
                cursor.execute(f"CREATE TABLE {alias}.{name} AS FROM {sql.table(name, layout.snapshot)}")
            cursor.execute(f"CREATE TABLE {alias}.layout AS SELECT ? AS document", [layout.encoded()])

        self._files.write_other(self._copy_of(layout).name, fill)

    def withdraw(self, layout: Layout) -> None:
        """Remove the copy of a layout that was not registered after all."""
        self._copy_of(layout).unlink(missing_ok=True)

    def _copy_of(self, layout: Layout) -> Path:
        return self._history / f"{_COPY}{layout.version:010d}.duckdb"

    def prune(self) -> None:
        """Remove all copies but the two newest: one may be damaged."""
        for path in self._copies()[:-_COPIES]:
            path.unlink(missing_ok=True)

    def _copies(self) -> list[Path]:
        return sorted(self._history.glob(f"{_COPY}*.duckdb"))

    # -- opening -----------------------------------------------------------------------------------------------------

    def open(self) -> Layout:
        """Open the instance over what is there, and leave nothing behind that belongs to nobody.

        Raises:
            DependencyUnavailable: it is held by another process, or its directory cannot be written.
        """
        copies = self._copies()
        if not self._path.exists():
            if not copies:
                return self._begin()
            self._note(self._path, None, "the file is missing")
            return self._begin_from_copy()
        reason = self._try()
        wal = self._path.with_name(self._path.name + ".wal")
        if reason is not None and wal.exists():
            # The file itself may be as sound as at its last checkpoint, and its log up to where it is damaged.
            reason = self._without_damage_in(wal, reason)
            if reason is None and copies and self._layout().version < _version(copies[-1]):
                reason = "its write-ahead log is damaged, and it is older than the history"
        if reason is None:
            return self._clear(self._layout())
        self._instance.close()
        self._note(self._damages.set_aside(self._path, self._aside(self._path)), None, reason)
        return self._begin_from_copy() if copies else self._begin()

    def _without_damage_in(self, wal: Path, reason: str) -> str | None:
        """Set a damaged log aside and try with what stands in it before the damage, then without it."""
        aside = wal.with_name(self._aside(wal) + DAMAGED)
        shutil.copyfile(wal, aside)
        self._note(aside, None, reason)
        place = _PLACE.search(reason)
        if place is not None:
            os.truncate(wal, int(place[1]))
            again = self._try()
            if again is None:
                return None
        wal.unlink(missing_ok=True)
        return self._try()

    def _try(self) -> str | None:
        """Open the file and read all of it; what is wrong with its contents, ``None`` where nothing is."""
        try:
            self._instance.open()
            with self._instance.transaction() as cursor:
                cursor.execute(sql.LATELY)
                if cursor.execute("SELECT count(*) FROM layout").fetchone() == (0,):
                    _begin_tables(cursor, Layout())
            with self._instance.transaction() as cursor:
                names = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
                for (name,) in cursor.execute(names).fetchall():
                    cursor.execute(f"SELECT bit_xor(hash(t)) FROM {name} AS t").fetchall()
        except duckdb.Error as error:
            self._instance.close()
            if is_damage(error):
                return str(error)
            raise unavailable(str(self._path), error) from error
        return None

    def _layout(self) -> Layout:
        with self._instance.transaction() as cursor:
            row = cursor.execute("SELECT document FROM layout").fetchone()
        return Layout() if row is None else Layout.decoded(row[0])

    def _begin(self) -> Layout:
        reason = self._try()
        if reason is not None:
            raise DependencyUnavailable(f"store {self._path}: cannot be made: {reason}")
        return self._clear(self._layout())

    def _begin_from_copy(self) -> Layout:
        for path in reversed(self._copies()):
            try:
                layout = self._restore(path)
            except duckdb.Error as error:
                self._instance.close()
                if not is_damage(error):
                    raise unavailable(str(path), error) from error
                self._remove_recent()
                self._note(self._damages.set_aside(path, path.name), None, str(error))
                continue
            _log.warning("the store begins again from what its history knows", position=layout.replayable_from)
            self._set_unknown_aside(layout)
            return self._clear(layout)
        self._set_unknown_aside(Layout())
        return self._begin()

    def _restore(self, path: Path) -> Layout:
        """A new ``recent.duckdb`` in one transaction: a kill in between leaves one without a layout, which is begun anew."""
        self._remove_recent()
        unfinished = self._path.with_name(self._path.name + UNFINISHED)
        unfinished.unlink(missing_ok=True)
        with duckdb.connect(str(unfinished)) as file:
            file.execute(f"ATTACH '{quoted(path)}' AS copy (READ_ONLY)")
            row = file.execute("SELECT document FROM copy.layout").fetchone()
            if row is None:
                raise duckdb.IOException("Corrupt: it holds no layout")
            copied = Layout.decoded(row[0])
            layout = Layout(
                version=copied.version + 1,
                generations=(copied.generations[-1] + 1,),
                files=copied.files,
                snapshot=copied.snapshot,
                replayable_from=copied.replayable_from,
                next_file=self._next_number(copied),
            )
            file.begin()
            file.execute(sql.LATELY)
            file.execute("INSERT INTO series FROM copy.series")
            if layout.snapshot:
                file.execute(sql.create(sql.SNAPSHOT, layout.snapshot))
                for name in sql.SNAPSHOT:
                    file.execute(f"INSERT INTO {sql.table(name, layout.snapshot)} FROM copy.{name}")
            _begin_tables(file, layout)
            file.commit()
            file.execute("CHECKPOINT")
        unfinished.rename(self._path)
        self._instance.open()
        return layout

    def _remove_recent(self) -> None:
        for path in (self._path, self._path.with_name(self._path.name + ".wal")):
            path.unlink(missing_ok=True)

    def _next_number(self, layout: Layout) -> int:
        numbers = [int(path.name.split(".")[0].split("-")[2]) for path in self._history.glob("*-*-*.duckdb*")]
        return max([layout.next_file, *(number + 1 for number in numbers)])

    def _set_unknown_aside(self, layout: Layout) -> None:
        """Files that the copy does not know: their packs are asked for again, so they must not be read as well."""
        known = {file.name for file in layout.files}
        for path in sorted(self._history.glob("*-*-*.duckdb")):
            if path.name not in known:
                target = self._damages.set_aside(path, path.name)
                self._note(target, Tier.RECENT, "it was written later than the copy that the store began from")

    def _clear(self, layout: Layout) -> Layout:
        """Remove what a kill left: unfinished files, files not yet or no longer registered, tables of nobody."""
        for copy in self._copies():
            if _version(copy) > layout.version:  # its registration never came: it tells of files that are not
                copy.unlink()
        known = {file.name for file in (*layout.files, *self.put_back(layout))}
        for path in self._history.iterdir():
            history = path.name.endswith(".duckdb") and path.name.count("-") == 2
            if UNFINISHED in path.name or (history and path.name not in known):
                path.unlink(missing_ok=True)
        wanted = {"series", "layout"}
        wanted |= {sql.table(name, number) for number in layout.generations for name in sql.GENERATION}
        wanted |= {sql.table(name, layout.snapshot) for name in sql.SNAPSHOT if layout.snapshot}
        with self._instance.transaction() as cursor:
            names = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
            for (name,) in cursor.execute(names).fetchall():
                if name not in wanted:
                    cursor.execute(f"DROP TABLE {name}")
        return layout

    def put_back(self, layout: Layout) -> list[StoreFile]:
        """History files that were set aside as damaged and that somebody put back from a backup, under their own names."""
        known = {file.number for file in layout.files}
        found: dict[int, StoreFile] = {}
        for damage in self._damages.all():
            match = _NAME.fullmatch(damage.file.name.removesuffix(DAMAGED))
            path = self._history / damage.file.name.removesuffix(DAMAGED)
            if match is None or damage.from_ms is None or damage.to_ms is None or not path.exists():
                continue
            number = int(match["number"])
            if number not in known:
                size = path.stat().st_size
                found[number] = StoreFile(number, FileTier(match["tier"]), damage.from_ms, damage.to_ms, 0, size)
        return [counted for file in found.values() if (counted := self._files.counted(file)) is not None]

    # -- damage ------------------------------------------------------------------------------------------------------

    def missing(self, layout: Layout) -> list[tuple[StoreFile, str]]:
        """History files that are gone or not as long as they were written, and why."""
        found = [(file, self._files.misses(file)) for file in layout.files]
        return [(file, reason) for file, reason in found if reason is not None]

    def note(self, file: StoreFile, reason: str) -> None:
        """Set a history file aside and note the damage."""
        path = self._damages.set_aside(self._instance.path_of(file), file.name)
        damage = Damage(path, file.tier.tier, file.from_ms, file.to_ms, reason, self._clock.now_ms())
        self._damages.add(damage)

    def _note(self, path: Path, tier: Tier | None, reason: str) -> None:
        tier = Tier.RECENT if tier is None else tier
        self._damages.add(Damage(path, tier, None, None, reason, self._clock.now_ms()))

    def _aside(self, path: Path) -> str:
        """A name that tells when; the file's own may be taken by an earlier damage."""
        return f"{path.name}-{self._clock.now_ms()}"


def _version(copy: Path) -> int:
    return int(copy.stem.removeprefix(_COPY))


def _begin_tables(cursor: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    for number in layout.generations:
        cursor.execute(sql.create(sql.GENERATION, number))
    store_layout(cursor, layout)
