"""What every time-series store has to hold to: sums by time, many series, scans, upkeep and retention."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from collector.store import HOUR_MS, MINUTE_MS, Buckets, TimeSeriesStore
from contracts.readings import EventReading, ReadingBatch
from runtime.clock import ManualClock
from tests.collector.stores import NOW_MS, RETENTION, SERIES, Opener, keep_up, pack, rows

DAY_MS = 24 * HOUR_MS
Row = tuple[int, int, float]


def expected_buckets(
    readings: Sequence[Row], series: int, from_ms: int, to_ms: int, bucket_ms: int
) -> list[tuple[float, ...]]:
    """The definition, a reading at a time: begin, count, minimum, maximum, mean, last, increase."""
    from_ms -= from_ms % bucket_ms
    to_ms += -to_ms % bucket_ms
    of_series = sorted((row for row in readings if row[0] == series and row[1] < to_ms), key=lambda row: row[1])
    out: dict[int, list[float]] = {}
    rises: dict[int, float] = {}
    before: float | None = None
    for _, observed_at_ms, value in of_series:
        rise = 0.0 if before is None else value - before if value >= before else value
        before = value
        if observed_at_ms < from_ms:
            continue
        begin = observed_at_ms - observed_at_ms % bucket_ms
        first = not out
        out.setdefault(begin, []).append(value)
        rises[begin] = rises.get(begin, 0.0) + (0.0 if first else rise)
    return [
        (begin, len(values), min(values), max(values), sum(values) / len(values), values[-1], rises[begin])
        for begin, values in sorted(out.items())
    ]


def found_buckets(found: Buckets) -> list[tuple[float, ...]]:
    columns = (found.begins_at_ms, found.count, found.minimum, found.maximum, found.mean, found.last, found.increase)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def assert_same(found: Buckets, expected: Sequence[tuple[float, ...]]) -> None:
    """Equal but for the last digits of a mean; the increase of the first bucket may begin before it."""
    got = found_buckets(found)
    assert [row[:4] for row in got] == [row[:4] for row in expected]
    assert [row[5] for row in got] == [row[5] for row in expected]
    assert [row[4] for row in got] == pytest.approx([row[4] for row in expected])
    assert [row[6] for row in got[1:]] == pytest.approx([row[6] for row in expected[1:]])
    if got:
        assert got[0][6] >= expected[0][6] - 1e-9


async def say(store: TimeSeriesStore, seq: int, readings: Sequence[Row], *, live: bool = True) -> None:
    known = {row.series for row in await store.load_series()}
    new = [row for row in SERIES if row.series not in known]
    await store.append(ReadingBatch.of(readings, live=live), [pack(seq)], new)


def counter(from_ms: int, to_ms: int, step_ms: int, series: int = 0, seed: int = 1) -> list[Row]:
    """A counter that rises by chance and begins again at 0 now and then."""
    chance = random.Random(seed)
    value, out = 0.0, []
    for at_ms in range(from_ms, to_ms, step_ms):
        value = 0.0 if chance.random() < 0.02 else value + chance.randrange(4)
        out.append((series, at_ms + chance.randrange(step_ms), value))
    return out


@pytest.mark.parametrize("bucket_ms", [MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, 7_777])
@pytest.mark.parametrize("kept_up", [False, True])
async def test_buckets_sum_up_what_is_in_them(store: TimeSeriesStore, bucket_ms: int, kept_up: bool) -> None:
    readings = counter(NOW_MS - 30 * HOUR_MS, NOW_MS - 10 * MINUTE_MS, 41_000)
    shuffled = readings.copy()
    random.Random(2).shuffle(shuffled)
    for seq, begin in enumerate(range(0, len(shuffled), 300), 1):
        await say(store, seq, shuffled[begin : begin + 300])
    if kept_up:
        await keep_up(store, NOW_MS + 3 * DAY_MS)
    for from_ms, to_ms in ((NOW_MS - 2 * DAY_MS, NOW_MS), (NOW_MS - 26 * HOUR_MS, NOW_MS - 90 * MINUTE_MS)):
        found = await store.buckets([0], from_ms, to_ms, bucket_ms)
        assert_same(found[0], expected_buckets(readings, 0, from_ms, to_ms, bucket_ms))


async def test_the_increase_counts_from_the_newest_reading_before(store: TimeSeriesStore) -> None:
    readings = [
        (0, NOW_MS + at * MINUTE_MS, value) for at, value in [(1, 10.0), (2, 14.0), (61, 20.0), (62, 3.0), (121, 5.0)]
    ]
    await say(store, 1, readings)
    found = (await store.buckets([0], NOW_MS, NOW_MS + 3 * HOUR_MS, HOUR_MS))[0]
    assert found.begins_at_ms.tolist() == [NOW_MS, NOW_MS + HOUR_MS, NOW_MS + 2 * HOUR_MS]
    assert found.increase.tolist() == [4.0, 6.0 + 3.0, 2.0]


async def test_late_readings_change_the_sums_of_their_time(store: TimeSeriesStore) -> None:
    await say(store, 2, [(0, NOW_MS + MINUTE_MS, 5.0), (0, NOW_MS + HOUR_MS + 1, 9.0)])
    await keep_up(store, NOW_MS + DAY_MS)
    await say(store, 1, [(0, NOW_MS + 1, 1.0), (0, NOW_MS + 2 * MINUTE_MS, 7.0)], live=False)
    for _ in range(2):
        found = (await store.buckets([0], NOW_MS, NOW_MS + 2 * HOUR_MS, HOUR_MS))[0]
        assert found_buckets(found) == [
            (NOW_MS, 3, 1.0, 7.0, pytest.approx(13 / 3), 7.0, 6.0),
            (NOW_MS + HOUR_MS, 1, 9.0, 9.0, 9.0, 9.0, 2.0),
        ]
        await keep_up(store, NOW_MS + 3 * DAY_MS)


async def test_many_series_at_once_are_as_one_by_one(store: TimeSeriesStore) -> None:
    readings = [
        *counter(NOW_MS - 3 * HOUR_MS, NOW_MS, 30_000),
        *counter(NOW_MS - 3 * HOUR_MS, NOW_MS, 70_000, 2, seed=5),
    ]
    await say(store, 1, readings)
    await keep_up(store, NOW_MS + DAY_MS)
    found = await store.buckets([0, 1, 2], NOW_MS - 3 * HOUR_MS, NOW_MS, 10 * MINUTE_MS)
    assert sorted(found) == [0, 2]
    ranges = await store.ranges([0, 1, 2], NOW_MS - 2 * HOUR_MS, NOW_MS, 50)
    assert sorted(ranges) == [0, 2]
    for series in (0, 2):
        assert_same(found[series], expected_buckets(readings, series, NOW_MS - 3 * HOUR_MS, NOW_MS, 10 * MINUTE_MS))
        alone = await store.range(series, NOW_MS - 2 * HOUR_MS, NOW_MS, 50)
        assert ranges[series].observed_at_ms.tolist() == alone.observed_at_ms.tolist()
        assert ranges[series].value.tolist() == alone.value.tolist()
        assert len(alone.value) == 50


async def test_a_bucket_without_length_is_refused(store: TimeSeriesStore) -> None:
    with pytest.raises(ValueError, match="bucket_ms"):
        await store.buckets([0], 0, 1, 0)


async def test_upkeep_hides_nothing_from_a_reader(opener: Opener) -> None:
    store = await opener()
    readings = counter(NOW_MS - 5 * DAY_MS, NOW_MS, 600_000)
    chance = random.Random(3)
    seq = 0
    for begin in range(0, len(readings), 100):
        seq += 1
        part = readings[begin : begin + 100]
        chance.shuffle(part)
        await say(store, seq, part, live=seq % 3 > 0)
        if seq % 2:
            await keep_up(store, part[-1][1] + DAY_MS)
    events = [EventReading(3, NOW_MS - 2 * DAY_MS + number, f"event {number}") for number in range(5)]
    empty = ReadingBatch.of([])
    await store.append(
        ReadingBatch(empty.series, empty.observed_at_ms, empty.value, empty.live, events), [pack(seq + 1)], []
    )
    before = (await store.audit(), rows(await store.latest()))
    assert before[0].stored == len(readings) + 5
    for _ in range(2):
        await keep_up(store, NOW_MS + DAY_MS)
        assert (await store.audit(), rows(await store.latest())) == before
        found = await store.range(0, 0, 2**60, 10_000)
        assert sorted(zip(found.observed_at_ms.tolist(), found.value.tolist(), strict=True)) == sorted(
            (at_ms, value) for _, at_ms, value in readings
        )
        assert found.observed_at_ms.tolist() == sorted(found.observed_at_ms.tolist())
        assert [event.text for event in await store.events([3], 0, 2**60, 10)] == [f"event {n}" for n in range(5)]
        assert store.position == seq + 1
        assert [(low, high) for low, high in (await store.load_committed())["BR1", "boot-a"]] == [(1, seq + 1)]
        store = await opener()


async def test_after_upkeep_the_newest_commits_can_still_be_replayed(store: TimeSeriesStore) -> None:
    """The rules' checkpoint is seconds behind; an hour of commits has to be there."""
    start = NOW_MS - 10 * HOUR_MS
    for seq in range(1, 601):  # a commit a minute
        await say(store, seq, [(0, start + seq * MINUTE_MS, float(seq))])
    await keep_up(store, NOW_MS)
    assert store.replayable_from <= 600 - 60
    commits = [commit async for commit in store.scan_since(540)]
    assert [position for position, _ in commits] == list(range(541, 601))
    assert [batch.value.tolist() for _, batch in commits] == [[float(seq)] for seq in range(541, 601)]
    assert rows(await store.newest_live(540)) == [(0, start + 540 * MINUTE_MS, 540.0, True)]


async def test_a_position_that_is_too_old_is_taken_for_the_oldest(store: TimeSeriesStore, clock: ManualClock) -> None:
    await say(store, 1, [(0, NOW_MS, 1.0)])
    clock.advance(3 * DAY_MS)
    await keep_up(store, clock.now_ms())
    await say(store, 2, [(0, NOW_MS + 3 * DAY_MS, 2.0)])
    assert [position async for position, _ in store.scan_since(0)] == list(range(store.replayable_from + 1, 3))
    assert rows(await store.newest_live(0))[0][:3] == (0, NOW_MS, 1.0)


async def test_a_scan_goes_forward_in_time_over_all_series(store: TimeSeriesStore) -> None:
    readings = [*counter(NOW_MS - 2 * DAY_MS, NOW_MS, 45_000), *counter(NOW_MS - 2 * DAY_MS, NOW_MS, 60_000, 1, seed=9)]
    shuffled = readings.copy()
    random.Random(4).shuffle(shuffled)
    half = len(shuffled) // 2
    await say(store, 1, shuffled[:half])
    await keep_up(store, NOW_MS + DAY_MS)
    await say(store, 2, shuffled[half:], live=False)
    event = EventReading(3, NOW_MS - DAY_MS, "一")
    empty = ReadingBatch.of([])
    await store.append(
        ReadingBatch(empty.series, empty.observed_at_ms, empty.value, empty.live, (event,)), [pack(3)], []
    )
    from_ms, to_ms = NOW_MS - 40 * HOUR_MS, NOW_MS - HOUR_MS
    for series in (None, [1]):
        got: list[tuple[int, int, float, bool]] = []
        events: list[EventReading] = []
        newest = from_ms
        async for batch in store.scan(from_ms, to_ms, series):
            times = batch.observed_at_ms
            assert (np.diff(times) >= 0).all()
            begins = [int(times[0])] if len(times) else []
            begins += [event.observed_at_ms for event in batch.events[:1]]
            assert min(begins) >= newest
            newest = max([int(times[-1]) if len(times) else 0, *(event.observed_at_ms for event in batch.events)]) + 1
            got += rows(batch)
            events += batch.events
        expected = [row for row in readings if from_ms <= row[1] < to_ms and (series is None or row[0] in series)]
        assert sorted((row[0], row[1], row[2]) for row in got) == sorted(expected)
        assert {row[3] for row in got} == {True, False}
        assert events == ([] if series else [event])


async def test_what_is_past_its_retention_is_gone_and_its_roll_ups_stay(
    store: TimeSeriesStore, clock: ManualClock
) -> None:
    readings = counter(NOW_MS, NOW_MS + DAY_MS, 20_000)
    await say(store, 1, readings)
    event = EventReading(3, NOW_MS + 5, "old")
    empty = ReadingBatch.of([])
    await store.append(
        ReadingBatch(empty.series, empty.observed_at_ms, empty.value, empty.live, (event,)), [pack(2)], []
    )
    clock.advance(2 * DAY_MS)
    await keep_up(store, clock.now_ms())
    expected = {size: expected_buckets(readings, 0, NOW_MS, NOW_MS + DAY_MS, size) for size in (MINUTE_MS, HOUR_MS)}
    ages = (
        (RETENTION.readings_days, True, True),
        (RETENTION.minutes_days, False, True),
        (RETENTION.hours_days, False, False),
    )
    for days, minutes, hours in ages:
        clock.advance(NOW_MS + (days + 3) * DAY_MS - clock.now_ms())
        await keep_up(store, clock.now_ms())
        assert len((await store.range(0, 0, 2**60, 10)).value) == 0
        for size, kept in ((MINUTE_MS, minutes), (HOUR_MS, hours)):
            found = await store.buckets([0], NOW_MS, NOW_MS + DAY_MS, size)
            assert bool(found) == kept
            if kept:
                assert_same(found[0], expected[size])
    assert await store.events([3], 0, 2**60, 10) == []


async def test_what_comes_after_its_retention_is_no_longer_kept(store: TimeSeriesStore, clock: ManualClock) -> None:
    clock.advance((RETENTION.readings_days + 5) * DAY_MS)
    await say(store, 1, [(0, NOW_MS, 1.0), (0, clock.now_ms(), 2.0)])
    clock.advance(3 * DAY_MS)
    await keep_up(store, clock.now_ms())
    assert (await store.range(0, 0, 2**60, 10)).value.tolist() == [2.0]
    assert list((await store.load_committed())["BR1", "boot-a"]) == [(1, 1)]
