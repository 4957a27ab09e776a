"""What DuckDB's own layout owes: disk given back, few files, readers beside the upkeep, and series that keep their shelf."""

import asyncio
import errno
import os
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.adapters.duckdb_compaction import Compaction
from collector.adapters.duckdb_history import HistoryFiles
from collector.adapters.duckdb_layout import FileTier, Layout, Layouts, StoreFile
from collector.adapters.duckdb_merging import to_merge
from collector.adapters.duckdb_recent import RecentReadings
from collector.adapters.duckdb_store import HISTORY, DuckDbStore
from collector.adapters.duckdb_sums import Sums, summed_up
from collector.store import HOUR_MS, MINUTE_MS, SeriesRow
from contracts.errors import DependencyUnavailable
from contracts.pack import PackId
from contracts.readings import EventReading, ReadingBatch
from runtime.clock import ManualClock
from tests.collector.duckdb_parts import DAY_MS, add, at, days_of_history, history_files, values_of
from tests.collector.stores import NOW_MS, RETENTION, keep_up


def bytes_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in (directory / HISTORY).glob("*-*-*.duckdb"))


async def test_what_is_past_its_retention_gives_its_disk_back(tmp_path: Path, clock: ManualClock) -> None:
    await days_of_history(tmp_path, clock, 4, a_day=20_000)
    async with at(tmp_path, clock) as store:
        before = bytes_of(tmp_path)
        clock.advance((RETENTION.readings_days - 3) * DAY_MS)
        freed = 0
        while (done := await store.maintain(clock.now_ms())).more:
            freed += done.bytes_freed
        assert history_files(tmp_path) == []
        assert bytes_of(tmp_path) < before / 2
        assert freed > 0
        assert history_files(tmp_path, "minutes")
        clock.advance(2 * RETENTION.hours_days * DAY_MS)
        await keep_up(store, clock.now_ms())
        assert bytes_of(tmp_path) == 0


async def test_a_closed_day_is_one_file_and_its_late_readings_do_not_make_it_be_written_again(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with at(tmp_path, clock) as store:
        for hours in range(0, 24, 3):
            begin_ms = NOW_MS + hours * HOUR_MS
            await add(store, hours + 1, [(0, begin_ms + number * 10_000, float(number)) for number in range(1000)])
            clock.advance(3 * HOUR_MS)
            await keep_up(store, clock.now_ms())
        clock.advance(DAY_MS)
        await keep_up(store, clock.now_ms())
        (whole,) = history_files(tmp_path)
        await add(store, 90, [(0, NOW_MS + 7, -1.0)], live=False)
        clock.advance(DAY_MS)
        await keep_up(store, clock.now_ms())
        found = history_files(tmp_path)
        assert whole in found
        assert len(found) == 2
        assert (await values_of(store))[:3] == [0.0, -1.0, 1.0]


async def test_a_dense_series_is_rolled_up_while_its_readings_are_there_and_a_sparse_one_is_not(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with at(tmp_path, clock) as store:
        dense = [(0, NOW_MS + number * 2_500, float(number)) for number in range(28_800)]
        sparse = [(1, NOW_MS + number * 600_000, float(number)) for number in range(140)]
        await add(store, 1, dense + sparse)
        clock.advance(3 * DAY_MS)
        await keep_up(store, clock.now_ms())
        for tier, count in (("hours", 20), ("minutes", 1200)):
            (path,) = history_files(tmp_path, tier)
            await store.close()
            with duckdb.connect(str(path), read_only=True) as file:
                assert file.execute("SELECT shelf, count(*) FROM data GROUP BY shelf").fetchall() == [(0, count)]


async def test_readers_do_not_fail_while_files_and_tables_vanish_under_them(tmp_path: Path, clock: ManualClock) -> None:
    async with at(tmp_path, clock, recent_readings=1000) as store:
        rows_a_pack, packs = 300, 30
        done = asyncio.Event()

        async def write() -> None:
            for seq in range(1, packs + 1):
                begin_ms = NOW_MS + seq * HOUR_MS
                await add(store, seq, [(0, begin_ms + number * 1000, float(seq)) for number in range(rows_a_pack)])
                clock.advance(HOUR_MS)
            done.set()

        async def keep() -> None:
            while not done.is_set():
                await store.maintain(clock.now_ms())
            await keep_up(store, clock.now_ms() + 2 * DAY_MS)

        async def read() -> None:
            newest = 0
            while not done.is_set():
                found = (await store.range(0, 0, 2**60, 10_000_000)).value
                assert len(found) % rows_a_pack == 0, "whole commits only"
                assert len(found) >= newest
                newest = len(found)
                hours = await store.buckets([0], 0, 2**60, HOUR_MS)
                if hours:
                    assert int(hours[0].count.sum()) % rows_a_pack == 0
                assert (await store.audit()).doubled == 0

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(write())
            tasks.create_task(keep())
            tasks.create_task(read())
            tasks.create_task(read())
        assert len(await values_of(store)) == packs * rows_a_pack


async def test_a_scan_of_commits_ends_though_they_are_put_in_order_meanwhile(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with at(tmp_path, clock) as store:
        await add(store, 1, [(0, NOW_MS, 1.0)])
        for seq in range(2, 700):  # more commits than one step of a scan takes
            await store.append(ReadingBatch.of([(0, NOW_MS + seq, float(seq))]), [PackId("BR1", "boot", seq)], [])
        scan = store.scan_since(0)
        seen = [(await anext(scan))[0]]
        clock.advance(DAY_MS)
        await keep_up(store, clock.now_ms())
        assert store.replayable_from == 699
        seen += [position async for position, _ in scan]
        assert seen == list(range(1, 700))


async def test_upkeep_that_fails_leaves_all_as_it_was_and_succeeds_when_repeated(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at(tmp_path, clock) as store:
        await add(store, 1, [(0, NOW_MS + number, float(number)) for number in range(100)])
        clock.advance(DAY_MS)
        await store.maintain(clock.now_ms())  # the next commits go to new tables

        def full(*args: object) -> None:
            raise duckdb.IOException("Could not write: No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(HistoryFiles, "write", full)
            with pytest.raises(DependencyUnavailable, match="No space left"):
                await store.maintain(clock.now_ms())
        assert len(await values_of(store)) == 100
        assert store.damages() == ()
        await keep_up(store, clock.now_ms())
        assert len(await values_of(store)) == 100
        assert len(history_files(tmp_path)) == 1


async def test_a_disk_that_does_not_sync_fails_the_upkeep_as_the_port_says(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(number: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async with at(tmp_path, clock) as store:
        await add(store, 1, [(0, NOW_MS + number, float(number)) for number in range(100)])
        clock.advance(DAY_MS)
        await store.maintain(clock.now_ms())  # the next commits go to new tables
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", broken)
            with pytest.raises(DependencyUnavailable, match="Input/output error"):
                await store.maintain(clock.now_ms())
        await keep_up(store, clock.now_ms())
        assert len(await values_of(store)) == 100
        assert store.damages() == ()


@pytest.mark.parametrize("event", [False, True])
async def test_a_time_before_1970_is_refused(tmp_path: Path, clock: ManualClock, event: bool) -> None:
    batch = ReadingBatch.of([(0, NOW_MS, 1.0)] if event else [(0, NOW_MS, 1.0), (0, -5, 1.0)])
    events = (EventReading(0, -5, "early"),) if event else ()
    whole = ReadingBatch(batch.series, batch.observed_at_ms, batch.value, batch.live, events)
    async with at(tmp_path, clock) as store:
        with pytest.raises(ValueError, match="-5 ms, expected 0"):
            await store.append(whole, [PackId("BR1", "boot", 1)], [])
        assert store.position == 0
        await add(store, 1, [(0, 0, 1.0)])
        assert await values_of(store) == [1.0]


async def test_no_generation_goes_before_all_its_rows_are_in_files(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at(tmp_path, clock) as store:
        await add(store, 1, [(0, NOW_MS + day * DAY_MS, float(day)) for day in range(3)])
        clock.advance(4 * DAY_MS)
        await store.maintain(clock.now_ms())  # the next commits go to new tables
        days = Compaction._days
        with monkeypatch.context() as patch:
            patch.setattr(Compaction, "_days", lambda *args: days(*args)[1:])
            with pytest.raises(DependencyUnavailable, match=r"2 rows went into files and 0 .* expected 3"):
                await store.maintain(clock.now_ms())
        assert await values_of(store) == [0.0, 1.0, 2.0]
        await keep_up(store, clock.now_ms())
        assert await values_of(store) == [0.0, 1.0, 2.0]


async def test_a_registration_whose_answer_was_lost_is_found_out(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at(tmp_path, clock) as store:
        await add(store, 1, [(0, NOW_MS + number, float(number)) for number in range(100)])
        clock.advance(DAY_MS)
        await store.maintain(clock.now_ms())
        publish = Layouts.publish

        def lost(layouts: Layouts, layout: Layout, *graves: object) -> None:
            if layout.snapshot:
                raise duckdb.IOException("answer lost")
            publish(layouts, layout)

        with monkeypatch.context() as patch:
            patch.setattr(Layouts, "publish", lost)
            with pytest.raises(DependencyUnavailable, match="answer lost"):
                await store.maintain(clock.now_ms())
            store._registration_in_doubt = True  # as where the transaction itself does not answer
        await add(store, 2, [(0, NOW_MS + DAY_MS, -1.0)])
        await keep_up(store, clock.now_ms())
        assert await values_of(store) == [float(number) for number in range(100)] + [-1.0]
    async with at(tmp_path, clock) as store:
        assert await values_of(store) == [float(number) for number in range(100)] + [-1.0]


async def test_series_of_one_signal_stand_side_by_side_and_keep_their_shelf(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        SeriesRow(device * 3 + number, f"BR{device}/atm-01", "atm", f"cdm/unit{number + 1}/count")
        for device in range(20)
        for number in range(3)
    ]
    expected = {}
    async with at(tmp_path, clock) as store:
        for device in range(20):
            new = rows[device * 3 : device * 3 + 3]
            batch = ReadingBatch.of([(row.series, NOW_MS + device, float(row.series)) for row in new])
            if device == 7:
                with monkeypatch.context() as patch:
                    patch.setattr(RecentReadings, "_insert", _failing_after(RecentReadings._insert))
                    with pytest.raises(DependencyUnavailable, match="disk full"):
                        await store.append(batch, [PackId("BR1", "boot", device)], new)
            await store.append(batch, [PackId("BR1", "boot", device)], new)
            if device == 11:
                clock.advance(DAY_MS)
                await keep_up(store, clock.now_ms())
                await store.close()
                break
    async with at(tmp_path, clock) as store:
        for device in range(12, 20):
            new = rows[device * 3 : device * 3 + 3]
            batch = ReadingBatch.of([(row.series, NOW_MS + device, float(row.series)) for row in new])
            await store.append(batch, [PackId("BR1", "boot", device)], new)
        clock.advance(DAY_MS)
        await keep_up(store, clock.now_ms())
        assert list(await store.load_series()) == rows
        for row in rows:
            expected[row.series] = [float(row.series)]
            assert await values_of(store, row.series) == expected[row.series]
        found = await store.ranges([row.series for row in rows], 0, 2**60, 5)
        assert {series: readings.value.tolist() for series, readings in found.items()} == expected
        scanned = [batch async for batch in store.scan(0, 2**60)]
        assert sorted(np.concatenate([batch.series for batch in scanned]).tolist()) == list(range(60))
        shelves = store._shelves.of(range(60))
    assert len(shelves) == 60
    assert [shelf // 16 for shelf in shelves].count(0) == 16


def _failing_after(insert: object) -> object:
    def failing(*args: object) -> None:
        insert(*args)  # type: ignore[operator]
        raise duckdb.IOException("disk full")

    return failing


async def test_events_of_several_months_are_found_before_and_after_they_are_in_order(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with at(tmp_path, clock) as store:
        empty = ReadingBatch.of([])
        events = tuple(
            EventReading(0, NOW_MS - days * DAY_MS, f"{days} days ago 卡钞", live=days % 2 == 0)
            for days in (14, 9, 2, 0)
        )
        await add(store, 1, [])
        await store.append(
            ReadingBatch(empty.series, empty.observed_at_ms, empty.value, empty.live, events),
            [PackId("BR1", "boot", 2)],
            [],
        )
        for _ in range(2):
            assert await store.events([0], 0, 2**60, 10) == list(events)
            assert [event async for batch in store.scan(0, 2**60) for event in batch.events] == list(events)
            clock.advance(4 * HOUR_MS)
            await keep_up(store, clock.now_ms())
        assert history_files(tmp_path, "events")


async def test_no_file_of_a_dead_process_stays(tmp_path: Path, clock: ManualClock) -> None:
    values = await days_of_history(tmp_path, clock, 2)
    known = {path.name for path in (tmp_path / HISTORY).iterdir()}
    for name in ("00000099.unfinished", "00000099.unfinished.wal", "readings-20261120-00000098.duckdb"):
        (tmp_path / HISTORY / name).write_bytes(os.urandom(100))
    (tmp_path / "tmp").mkdir(exist_ok=True)
    (tmp_path / "tmp" / "spilt").write_bytes(b"x")
    async with at(tmp_path, clock) as store:
        assert await values_of(store) == values[0] + values[1]
        assert store.damages() == ()
        assert {path.name for path in (tmp_path / HISTORY).iterdir()} == known
        assert not (tmp_path / "tmp" / "spilt").exists()


def file(number: int, rows: int, day: int = 0) -> StoreFile:
    return StoreFile(number, FileTier.READINGS, day * DAY_MS + 5, day * DAY_MS + 9, rows, rows)


@pytest.mark.parametrize(
    ("rows", "over", "merged"),
    [
        ([100], True, []),
        ([100, 100], True, [1, 2]),
        ([100, 100], False, []),
        ([100] * 6, False, [1, 2, 3, 4, 5, 6]),
        ([10_000, 1], True, []),
        ([10_000, 1, 1], True, [2, 3]),
        ([1000, 100], True, [1, 2]),
        ([40_000_000, 20_000_000], True, []),
    ],
)
def test_the_newest_files_of_a_day_are_merged_where_it_is_worth_it(
    rows: list[int], over: bool, merged: list[int]
) -> None:
    files = [file(number, count) for number, count in enumerate(rows, 1)]
    found = to_merge(files, DAY_MS if over else DAY_MS - 1)
    assert [chosen.number for chosen in found] == merged


def test_what_a_reader_holds_is_buried_after_it() -> None:
    layouts = Layouts(Layout())
    buried: list[str] = []
    with layouts.held() as first:
        layouts.publish(Layout(version=1), [lambda: buried.append("first")])
        with layouts.held() as second:
            layouts.publish(Layout(version=2), [lambda: buried.append("second")])
            assert (first.version, second.version) == (0, 1)
            assert layouts.bury() == 0
        assert layouts.bury() == 0
    assert layouts.bury() == 2
    assert buried == ["first", "second"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3 * HOUR_MS), st.integers(-50, 50)), min_size=1, max_size=60),
    st.sampled_from([MINUTE_MS, 5 * MINUTE_MS, HOUR_MS]),
)
def test_sums_of_sums_are_the_sums_of_the_readings(readings: list[tuple[int, int, int]], bucket_ms: int) -> None:
    rows = sorted(readings, key=lambda row: row[:2])
    series, times, values = (np.array(column) for column in zip(*rows, strict=True))
    whole = Sums.of_readings(series.astype(np.int32), times, values.astype(np.float64))
    by_steps = summed_up(summed_up(whole, MINUTE_MS), bucket_ms)
    at_once = summed_up(whole, bucket_ms)
    for name in ("series", "begin", "count", "minimum", "maximum", "total", "first", "last", "rise"):
        assert getattr(by_steps, name).tolist() == getattr(at_once, name).tolist(), name
    assert int(at_once.count.sum()) == len(rows)


async def test_a_store_is_told_from_a_closed_one(tmp_path: Path, clock: ManualClock) -> None:
    async with at(tmp_path, clock) as store:
        assert isinstance(store, DuckDbStore)
    with pytest.raises(DependencyUnavailable, match="is closed"):
        await store.maintain(clock.now_ms())
