"""What is DuckDB's own: files, failed commits, SIGKILL in mid-append."""

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from collector.adapters.duckdb_instance import Instance
from collector.adapters.duckdb_recent import RecentReadings
from collector.adapters.duckdb_store import RECENT_FILE, DuckDbStore
from collector.settings import DuckDbSettings, RetentionSettings
from collector.store import SeriesRow
from collector.stores import STORE_DIRECTORY
from contracts.errors import DependencyUnavailable
from contracts.pack import PackId
from contracts.readings import ReadingBatch
from runtime.clock import ManualClock, SystemClock
from runtime.database import Database
from tests.collector.duckdb_parts import DAY_MS, add, at, values_of
from tests.collector.parts import make_collector
from tests.collector.stores import keep_up

SERIES = [SeriesRow(0, "BR1/atm-01", "atm", "cdm/unit1/count")]
READINGS_A_PACK = 200


def opened_at(directory: Path) -> DuckDbStore:
    return DuckDbStore(directory, SystemClock(), DuckDbSettings(memory_mb=64), RetentionSettings())


async def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = opened_at(tmp_path / "file" / "store")
    with pytest.raises(DependencyUnavailable, match="make its directory writable"):
        await store.open()
    await store.close()


async def test_the_identities_of_many_packs_are_few_runs_once_they_are_in_order(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with at(tmp_path, clock) as store:
        seqs = [*range(1, 60), *range(200, 100, -1), 61]
        for seq in seqs:
            await add(store, seq, [(0, 1000 + seq, 1.0)])
        await store.append(ReadingBatch.of([(0, 9000, 1.0)]), [PackId("BR2", "boot", 2)], [])
        clock.advance(DAY_MS)
        await keep_up(store, clock.now_ms())
    for _ in range(2):
        async with at(tmp_path, clock) as store:
            committed = await store.load_committed()
            assert {key: list(runs) for key, runs in committed.items()} == {
                ("BR1", "boot"): [(1, 59), (61, 61), (101, 200)],
                ("BR2", "boot"): [(2, 2)],
            }
    with duckdb.connect(str(tmp_path / RECENT_FILE), read_only=True) as file:
        assert file.execute("SELECT count(*) FROM packs_1").fetchone() == (4,)
        assert file.execute("SELECT count(*) FROM pack").fetchone() == (0,)
        assert file.execute("SELECT count(*) FROM store_commit").fetchone() == (0,)


async def test_a_commit_that_failed_leaves_nothing_and_succeeds_when_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened_at(tmp_path)
    await store.open()
    batch, packs = ReadingBatch.of([(0, 1000, 1.0)]), [PackId("BR1", "boot", 1)]
    with monkeypatch.context() as patch:
        patch.setattr(RecentReadings, "_insert", _insert_then_fail(RecentReadings._insert))
        with pytest.raises(DependencyUnavailable, match="disk full"):
            await store.append(batch, packs, SERIES)
    assert (await store.audit()).readings == 0
    assert await store.append(batch, packs, SERIES) == 1
    assert (await store.audit()).readings == 1
    await store.close()


async def test_a_commit_whose_answer_was_lost_is_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without pack identities, as for readings that the collector made itself."""
    store = opened_at(tmp_path)
    await store.open()
    batch = ReadingBatch.of([(0, 1000, 1.0)])
    with monkeypatch.context() as patch:
        patch.setattr(RecentReadings, "_insert", _insert_commit_then_fail(RecentReadings._insert))
        with pytest.raises(DependencyUnavailable, match="answer lost"):
            await store.append(batch, [], SERIES)
    assert await store.append(batch, [], SERIES) == 1
    assert (await store.audit()).readings == 1
    assert await store.append(ReadingBatch.of([(0, 2000, 1.0)]), [], []) == 2
    await store.close()


@pytest.mark.parametrize("ended", [False, True])
async def test_a_commit_whose_answer_was_lost_is_not_made_twice_though_upkeep_failed_as_well(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    batch = ReadingBatch.of([(0, 2000, 7.0)])
    async with at(tmp_path, clock) as store:
        await add(store, 1, [(0, 1000, 1.0)])
        with monkeypatch.context() as patch:
            patch.setattr(RecentReadings, "_insert", _insert_commit_then_fail(RecentReadings._insert))
            with pytest.raises(DependencyUnavailable, match="answer lost"):
                await store.append(batch, [], [])
        store._registration_in_doubt = not ended
        store._ended = ended
        assert await store.append(batch, [], []) == 2
        assert await values_of(store) == [1.0, 7.0]
        assert await store.append(ReadingBatch.of([(0, 3000, 8.0)]), [], []) == 3


@pytest.mark.parametrize("first", ["range", "maintain", "append"])
async def test_a_file_that_could_not_be_opened_again_is_opened_by_whatever_comes_next(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    def fail(*_: object) -> None:
        raise duckdb.IOException("Cannot open file: Too many open files")

    async with at(tmp_path, clock) as store:
        await add(store, 1, [(0, 1000, 1.0)])
        store._ended = True  # as after a fatal error
        with monkeypatch.context() as patch:
            patch.setattr(Instance, "open", fail)
            for _ in range(2):
                with pytest.raises(DependencyUnavailable, match="Too many open files"):
                    await store.range(0, 0, 2**60, 10)
        if first == "maintain":
            await store.maintain(clock.now_ms())
        elif first == "append":
            assert await store.append(ReadingBatch.of([(0, 2000, 2.0)]), [PackId("BR1", "boot", 2)], []) == 2
        assert (await values_of(store))[0] == 1.0


async def test_reads_go_on_though_nothing_can_be_written_and_the_file_not_opened_again(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise duckdb.IOException("Could not write: No space left on device")

    async with at(tmp_path, clock) as store:
        await add(store, 1, [(0, 1000, 1.0)])
        with monkeypatch.context() as patch:
            patch.setattr(RecentReadings, "_insert", full)
            patch.setattr(Instance, "open", full)
            for _ in range(3):
                with pytest.raises(DependencyUnavailable, match="No space left"):
                    await store.append(ReadingBatch.of([(0, 2000, 2.0)]), [PackId("BR1", "boot", 2)], [])
                assert await values_of(store) == [1.0]
                assert not (await store.maintain(clock.now_ms())).more
        assert await store.append(ReadingBatch.of([(0, 2000, 2.0)]), [PackId("BR1", "boot", 2)], []) == 2
        assert await values_of(store) == [1.0, 2.0]


async def test_its_threads_can_be_told_from_others_and_end_with_it(tmp_path: Path) -> None:
    store = opened_at(tmp_path)
    await store.open()
    await store.latest()
    names = {thread.name.rpartition("_")[0] for thread in threading.enumerate()}
    assert {"duckdb-writer", "duckdb-reader"} <= names
    await store.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("duckdb")]


async def test_a_collector_that_cannot_open_its_store_leaves_no_thread(tmp_path: Path, ops: Database) -> None:
    (tmp_path / STORE_DIRECTORY).write_text("in the way")
    collector = make_collector(tmp_path, ops, SystemClock())
    with pytest.raises(DependencyUnavailable):
        await collector.services()[0].start()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("duckdb")]


def _insert_then_fail(insert: Callable[..., None]) -> Callable[..., None]:
    def failing(*args: Any) -> None:
        insert(*args)
        raise duckdb.IOException("disk full")

    return failing


def _insert_commit_then_fail(insert: Callable[..., None]) -> Callable[..., None]:
    def failing(store: RecentReadings, connection: duckdb.DuckDBPyConnection, *args: Any) -> None:
        insert(store, connection, *args)
        connection.commit()
        raise duckdb.IOException("answer lost")

    return failing


WRITER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from collector.adapters.duckdb_store import DuckDbStore
from collector.settings import DuckDbSettings, RetentionSettings
from collector.store import SeriesRow
from contracts.pack import PackId
from contracts.readings import ReadingBatch
from runtime.clock import SystemClock

async def main(path, count):
    store = DuckDbStore(Path(path), SystemClock(), DuckDbSettings(), RetentionSettings())
    await store.open()
    known = (await store.load_committed()).get(("BR1", "boot"))
    seq = 0 if known is None else known.highest
    new = [] if seq else [SeriesRow(0, "BR1/atm-01", "atm", "cdm/unit1/count")]
    while True:
        seq += 1
        batch = ReadingBatch.of([(0, seq * count + number, float(seq)) for number in range(count)])
        await store.append(batch, [PackId("BR1", "boot", seq)], new)
        new = []
        print(seq, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_killed_in_mid_append_readings_and_pack_identities_stay_in_step(tmp_path: Path) -> None:
    path = tmp_path
    told = 0
    for kill_after in (1, 7, 19, 40):
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(path), str(READINGS_A_PACK), stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        async with asyncio.timeout(30):
            for _ in range(kill_after):
                told = int(await writer.stdout.readline())
        writer.kill()
        rest = await writer.stdout.read()
        await writer.wait()
        told = max([told, *(int(line) for line in rest.split(b"\n")[:-1])])

        store = opened_at(path)
        await store.open()
        ((low, high),) = (await store.load_committed())["BR1", "boot"]
        assert low == 1
        assert told <= high <= told + 1, "what was told as committed is there, and at most the one under way besides"
        audit = await store.audit()
        assert (audit.readings, audit.doubled) == (high * READINGS_A_PACK, 0)
        assert store.position == high
        seqs = [float(batch.value[0]) async for _, batch in store.scan_since(0)]
        assert seqs == [float(seq) for seq in range(1, high + 1)]
        await store.close()
