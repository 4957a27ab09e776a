"""The embedded time-series store: a directory of DuckDB files.

``recent.duckdb`` is the one file that commits write to, in order of arrival. What is two hours old is put in order into files
below ``history``, one a day and sorted by series and time, which are never changed again (``docs/adr/0013-``…).
A commit is one transaction over readings, events, pack identities and new series, so they cannot get out of step.
"""

import asyncio
import contextlib
import functools
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import duckdb

from collector.adapters import duckdb_queries, duckdb_scans
from collector.adapters.duckdb_damage import DAMAGED, DamageRecord, ends_instance, is_damage
from collector.adapters.duckdb_history import HistoryFiles, unavailable
from collector.adapters.duckdb_instance import Instance
from collector.adapters.duckdb_layout import DAY_MS, ROLL_UPS, FileTier, Layout, Layouts, StoreFile
from collector.adapters.duckdb_recent import RecentReadings, store_layout
from collector.adapters.duckdb_recovery import Recovery
from collector.adapters.duckdb_shelves import Shelves
from collector.adapters.duckdb_upkeep import Change, DuckDbUpkeep
from collector.adapters.duckdb_view import View
from collector.intervals import IntervalSet
from collector.settings import DuckDbSettings, RetentionSettings
from collector.store import Audit, Buckets, Damage, Latency, SeriesRange, SeriesRow, Upkeep
from contracts.errors import DependencyUnavailable
from contracts.pack import PackId
from contracts.readings import EventReading, ReadingBatch
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)
_T = TypeVar("_T")

READERS: Final = 2
RECENT_FILE: Final = "recent.duckdb"
HISTORY: Final = "history"


class DuckDbStore:
    """A :class:`collector.store.TimeSeriesStore` in a directory.

    Args:
        directory: for its files, and nothing else. A backup is a copy of the whole directory.
        clock: stamps commits.
        settings: memory, and when readings are put in order.
        retention: how long what is kept.
    """

    def __init__(self, directory: Path, clock: Clock, settings: DuckDbSettings, retention: RetentionSettings) -> None:
        self._directory = directory
        self._clock = clock
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="duckdb-writer")
        self._keeping = ThreadPoolExecutor(1, thread_name_prefix="duckdb-keeper")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="duckdb-reader")
        history = directory / HISTORY
        self._instance = Instance(directory / RECENT_FILE, history, settings.memory_mb)
        self._layouts = Layouts(Layout())
        self._damages = DamageRecord(directory)
        self._shelves = Shelves()
        self._files = HistoryFiles(self._instance, history)
        self._recovery = Recovery(
            directory / RECENT_FILE, history, self._instance, self._files, self._damages, clock
        )  # fmt: skip
        self._recent = RecentReadings(
            self._instance, self._layouts, self._shelves, clock, max(settings.recent_readings // 2, 1)
        )
        self._upkeep = DuckDbUpkeep(
            self._instance, self._layouts, self._files, self._recovery, self._register,
            lambda: self._writing.submit(self._begin_generation).result(), settings, retention,
        )  # fmt: skip
        self._registration_in_doubt = False
        self._opened = False
        self._ended = False  # DuckDB serves nothing more until the file is opened again
        self._closed = False

    # -- opening -----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        await self._submit(self._writing, self._open)

    def _open(self) -> None:
        try:
            (self._directory / HISTORY).mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._directory / "tmp", ignore_errors=True)
        except OSError as error:
            raise DependencyUnavailable(
                f"store {self._directory}: {error.strerror}; make its directory writable"
            ) from error
        self._damages.load()
        self._layouts.publish(self._recovery.open())
        for file, reason in self._recovery.missing(self._layouts.current):
            self._condemn(file, reason)
        again = self._recovery.put_back(self._layouts.current)
        if again:
            _log.info("files that were damaged are read again", files=[file.name for file in again])
            self._store_layout(lambda present: present.with_files((), again).whole(file.day_ms for file in again), ())
        self._recent.look()
        self._opened = True

    def _restart(self) -> None:
        """Open the file again; whatever failed, its transaction dies with its connection."""
        path = self._directory / RECENT_FILE
        if not path.exists():  # DuckDB would make an empty one, and nothing would look for the copies any more
            raise DependencyUnavailable(f"store {path}: the file is missing; restart this process to recover")
        _log.warning("store opens its file again", path=str(path))
        try:
            self._instance.restart()
            self._take_layout()
        except duckdb.Error as error:
            self._instance.close()
            advice = "; restart this process, and it is set aside" if is_damage(error) else ""
            raise DependencyUnavailable(f"store {self._directory / RECENT_FILE}: {error}{advice}") from error
        self._ended = False

    def _take_layout(self) -> None:
        """Go by the layout in the file."""
        with self._instance.transaction() as cursor:
            row = cursor.execute("SELECT document FROM layout").fetchone()
        if row is not None:
            layout = Layout.decoded(row[0])
            if layout != self._layouts.current:
                self._layouts.publish(layout)
        self._registration_in_doubt = False

    def _is_down(self) -> bool:
        return self._opened and (self._ended or not self._instance.is_open)

    def _note_end(self, error: duckdb.Error) -> bool:
        if not ends_instance(error):
            return False
        self._ended = True
        return True

    def _ready(self) -> None:
        """Have the file opened again where that is needed, by the writer's thread; called in the others."""
        if self._is_down():
            self._writing.submit(self._settle).result()

    # -- writing -----------------------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        return self._recent.position

    @property
    def replayable_from(self) -> int:
        return self._layouts.current.replayable_from

    async def append(self, batch: ReadingBatch, packs: Sequence[PackId], new_series: Sequence[SeriesRow]) -> int:
        oldest_ms = min(int(batch.observed_at_ms.min(initial=0)), *(event.observed_at_ms for event in batch.events), 0)
        if oldest_ms < 0:
            raise ValueError(f"append of a reading observed at {oldest_ms} ms, expected 0 (1970 UTC) or later")

        def append() -> int:
            self._settle()
            return self._recent.append(batch, packs, new_series, self._take_layout_or_restart)

        return await self._submit(self._writing, append)

    def _settle(self) -> None:
        """Open the file again where that is needed; after a registration whose outcome nobody saw go by what the file says.

        A transaction that failed is rolled back: where DuckDB still answers, reads go on though nothing can be written.
        """
        if self._is_down():
            self._restart()
            self._recent.look()
        elif self._registration_in_doubt:
            self._take_layout_or_restart()
            self._recent.look()

    def _take_layout_or_restart(self) -> None:
        try:
            self._take_layout()
        except duckdb.Error:
            self._restart()

    def _register(self, change: Change, graves: Sequence[Callable[[], None]]) -> None:
        """Make a changed layout count. Called in the keeper's thread; the copy for a recovery is written there, too."""
        copied = change(self._layouts.current)
        self._recovery.copy(copied)
        try:
            self._writing.submit(self._store_layout, change, graves).result()
        except BaseException:
            if not self._registration_in_doubt and self._layouts.current.version < copied.version:
                self._recovery.withdraw(copied)
            raise
        self._recovery.prune()

    def _store_layout(self, change: Change, graves: Sequence[Callable[[], None]]) -> None:
        self._settle()
        layout = change(self._layouts.current)
        self._registration_in_doubt = True
        with self._instance.transaction() as cursor:
            store_layout(cursor, layout)
        self._layouts.publish(layout, graves)
        self._registration_in_doubt = False
        with self._instance.cursor() as cursor, contextlib.suppress(duckdb.TransactionException):
            # So that the log holds commits only, and its loss takes back no registration. Not while others write.
            cursor.execute("CHECKPOINT")

    def _begin_generation(self) -> None:
        self._settle()
        self._registration_in_doubt = True
        self._recent.begin_generation()
        self._registration_in_doubt = False

    async def maintain(self, now_ms: int) -> Upkeep:
        return await self._submit(self._keeping, lambda: self._watched(lambda: self._upkeep.step(now_ms)))

    def _watched(self, step: Callable[[], _T]) -> _T:
        """Upkeep that meets a damaged file sets it aside, and goes on without it the next time."""
        self._ready()
        try:
            return step()
        except duckdb.Error as error:
            self._note_end(error)
            for file, reason in self._damaged(self._layouts.current.files, error):
                self._writing.submit(self._condemn, file, reason).result()
            raise

    # -- damage ------------------------------------------------------------------------------------------------------

    def damages(self) -> Sequence[Damage]:
        return self._damages.all()

    def _damaged(self, files: Sequence[StoreFile], error: duckdb.Error) -> list[tuple[StoreFile, str]]:
        """Files that are gone or, where an error told of damage, cannot be read by themselves; and why."""
        found = []
        present = {file.number for file in self._layouts.current.files}
        for file in dict.fromkeys(files):
            if file.number not in present:
                continue  # another thread met it, too
            reason = self._files.misses(file)
            if reason is None and is_damage(error):
                wrong = self._files.examine(file)
                reason = str(wrong) if wrong is not None and is_damage(wrong) else None
            if reason is not None:
                found.append((file, reason))
        return found

    def _condemn(self, file: StoreFile, reason: str) -> None:
        """Set a damaged file aside and go on without it; the writer's thread.

        Where a roll-up is lost, the readings of its days, as far as they are there, are rolled up again.
        """
        if file.number not in {present.number for present in self._layouts.current.files}:
            return  # another reader met it, too
        path = self._instance.path_of(file)
        if (
            path.exists() or not path.with_name(path.name + DAMAGED).exists()
        ):  # else a kill came before the registration
            self._recovery.note(file, reason)

        def change(present: Layout) -> Layout:
            again = []
            if file.tier in ROLL_UPS:
                again = [
                    replace(readings, rolled=False)
                    for readings in present.of(FileTier.READINGS)
                    if readings.day_ms not in present.incomplete
                    and file.meets(readings.day_ms, readings.day_ms + DAY_MS)
                ]
            lacking = [file.day_ms] if file.tier is FileTier.READINGS else []
            return present.with_files([file, *again], again).lacking(lacking)

        self._store_layout(change, [lambda: self._files.let_go(file)])

    # -- reading -----------------------------------------------------------------------------------------------------

    async def load_series(self) -> Sequence[SeriesRow]:
        def load(view: View) -> list[SeriesRow]:
            columns = view.columns("SELECT series, device_id, kind, path FROM series ORDER BY series")
            return list(map(SeriesRow, *(columns[name].tolist() for name in ("series", "device_id", "kind", "path"))))

        return await self._look(load)

    async def load_committed(self) -> Mapping[tuple[str, str], IntervalSet]:
        return await self._submit(
            self._writing, lambda: {key: runs.copy() for key, runs in self._recent.committed.items()}
        )

    async def latest(self) -> ReadingBatch:
        return await self._look(duckdb_queries.latest)

    async def newest_live(self, as_of_position: int) -> ReadingBatch:
        return await self._look(lambda view: duckdb_queries.newest_live(view, as_of_position))

    async def range(self, series: int, from_ms: int, to_ms: int, limit: int) -> SeriesRange:
        empty = ReadingBatch.of([])
        found = await self.ranges([series], from_ms, to_ms, limit)
        return found.get(series, SeriesRange(empty.observed_at_ms, empty.value))

    async def ranges(self, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Mapping[int, SeriesRange]:
        return await self._look(lambda view: duckdb_queries.ranges(view, series, from_ms, to_ms, limit))

    async def buckets(self, series: Sequence[int], from_ms: int, to_ms: int, bucket_ms: int) -> Mapping[int, Buckets]:
        if bucket_ms < 1:
            raise ValueError(f"bucket_ms {bucket_ms}: expected at least 1")
        return await self._look(lambda view: duckdb_queries.buckets(view, series, from_ms, to_ms, bucket_ms))

    async def events(self, series: Sequence[int], from_ms: int, to_ms: int, limit: int) -> Sequence[EventReading]:
        return await self._look(lambda view: duckdb_queries.events(view, series, from_ms, to_ms, limit))

    async def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        with self._layouts.held() as layout:
            # Held to the end: what is compacted meanwhile is still there in order of arrival. Later generations are not
            # among its tables, so the scan ends with what was committed when it began.
            last = self._recent.position

            def after(at: int) -> list[tuple[int, ReadingBatch]]:
                self._ready()
                return self._in_layout(layout, lambda view: duckdb_scans.commits_after(view, at, last))

            while commits := await self._submit(self._reading, functools.partial(after, position)):
                for commit in commits:
                    yield commit
                position = commits[-1][0]

    async def scan(self, from_ms: int, to_ms: int, series: Sequence[int] | None = None) -> AsyncIterator[ReadingBatch]:
        chosen = None if series is None else sorted(set(series))
        at_ms: int | None = from_ms
        while at_ms is not None and at_ms < to_ms:
            step = await self._look(functools.partial(duckdb_scans.step_from, at_ms=at_ms, to_ms=to_ms, series=chosen))
            if len(step.batch) or step.batch.events:
                yield step.batch
            at_ms = step.next_ms

    async def audit(self) -> Audit:
        return await self._look(lambda view: duckdb_scans.audit(view, self._recent.position))

    async def latency(self) -> Latency:
        return await self._look(duckdb_scans.latency)

    async def _look(self, query: Callable[[View], _T]) -> _T:
        return await self._submit(self._reading, lambda: self._query(query))

    def _query(self, query: Callable[[View], _T]) -> _T:
        """Answer from the newest layout; where a file turns out damaged, from what is left without it."""
        restarts = 0
        while True:
            self._ready()
            with self._layouts.held() as layout:
                used: list[StoreFile] = []
                try:
                    return self._in_layout(layout, query, used)
                except duckdb.Error as error:
                    ended = self._note_end(error)
                    restarts += ended
                    found = self._damaged(used, error)
                    present = {file.number for file in self._layouts.current.files}
                    gone = any(file.number not in present for file in used)  # another reader met it, too
                    if not (found or gone) and (not ended or restarts > 1):
                        raise
            for file, reason in found:
                self._writing.submit(self._condemn, file, reason).result()

    def _in_layout(self, layout: Layout, query: Callable[[View], _T], used: list[StoreFile] | None = None) -> _T:
        with self._instance.cursor() as cursor:
            view = View(cursor, self._instance, layout, [] if used is None else used, self._shelves)
            return query(view)

    # -- threads -----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the files after the commit and the piece of upkeep under way, if any."""
        if self._closed:
            return
        self._closed = True
        try:
            await asyncio.to_thread(self._reading.shutdown)
            await asyncio.to_thread(self._keeping.shutdown)  # before the writer: it waits for it
            await asyncio.wrap_future(self._writing.submit(self._close))
            await asyncio.to_thread(self._writing.shutdown)
        finally:  # also where whoever closes is out of patience: the threads end with their last call
            self._reading.shutdown(wait=False)
            self._keeping.shutdown(wait=False)
            self._writing.shutdown(wait=False)

    def _close(self) -> None:
        if self._instance.is_open:
            self._layouts.bury()
        self._instance.close()

    async def _submit(self, executor: ThreadPoolExecutor, call: Callable[[], _T]) -> _T:
        if self._closed:
            raise DependencyUnavailable(f"store {self._directory} is closed")
        try:
            return await asyncio.wrap_future(executor.submit(call))
        except duckdb.Error as error:
            self._note_end(error)
            raise unavailable(str(self._directory), error) from error
        except OSError as error:  # of our own handling of files: the disk is as full or broken as DuckDB would find it
            raise unavailable(str(self._directory), error) from error
