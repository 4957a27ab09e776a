"""What every time-series store has to hold to: commits, their identities, and reading them back."""

import numpy as np
import pytest

from collector.store import TimeSeriesStore
from contracts.errors import DependencyUnavailable
from contracts.pack import PackId
from contracts.readings import EventReading, ReadingBatch
from runtime.clock import ManualClock
from tests.collector.stores import NOW_MS, SERIES, TELLS_EQUALS_APART, Opener, pack, rows
from tests.collector.stores import scan_commits as scan


async def test_an_empty_store_is_at_position_zero_and_holds_nothing(store: TimeSeriesStore) -> None:
    assert store.position == 0
    assert await store.load_series() == []
    assert await store.load_committed() == {}
    assert len(await store.latest()) == 0
    assert len(await store.newest_live(0)) == 0
    assert len((await store.range(0, 0, 2**60, 10)).value) == 0
    assert await store.events([0], 0, 2**60, 10) == []
    assert await scan(store, 0) == []
    assert (await store.audit()).stored == 0
    assert (await store.latency()).p50_ms is None


async def test_what_was_appended_is_there_after_opening_again(opener: Opener) -> None:
    store = await opener()
    events = (EventReading(3, NOW_MS, "卡钞"), EventReading(3, NOW_MS - 1, "earlier", live=False))
    batch = ReadingBatch.of([(0, NOW_MS, 155.0), (1, NOW_MS, 2.0)])
    batch = ReadingBatch(batch.series, batch.observed_at_ms, batch.value, np.array([True, False]), events)
    assert await store.append(batch, [pack(1), pack(2), pack(4)], SERIES) == 1
    again = await opener()
    assert again.position == 1
    assert list(await again.load_series()) == SERIES
    committed = await again.load_committed()
    assert {key: list(runs) for key, runs in committed.items()} == {("BR1", "boot-a"): [(1, 2), (4, 4)]}
    ((position, found),) = await scan(again, 0)
    assert position == 1
    assert rows(found) == [(0, NOW_MS, 155.0, True), (1, NOW_MS, 2.0, False)]
    assert list(found.events) == list(events)


async def test_positions_grow_by_one_a_commit_also_over_a_restart(opener: Opener) -> None:
    store = await opener()
    assert await store.append(ReadingBatch.of([(0, 1000, 1.0)]), [pack(1)], SERIES) == 1
    assert await store.append(ReadingBatch.of([(0, 2000, 2.0)]), [pack(2)], []) == 2
    again = await opener()
    assert await again.append(ReadingBatch.of([(0, 3000, 3.0)]), [pack(3)], []) == 3
    assert again.position == 3


async def test_committed_packs_are_not_appended_again(opener: Opener) -> None:
    store = await opener()
    batch = ReadingBatch.of([(0, NOW_MS, 1.0)])
    await store.append(batch, [pack(1)], SERIES)
    assert await store.append(batch, [pack(1)], []) == 1
    again = await opener()
    assert await again.append(batch, [pack(1)], []) == 1
    audit = await again.audit()
    assert (audit.readings, audit.commits) == (1, 1)


async def test_packs_of_another_boot_or_branch_are_other_packs(store: TimeSeriesStore) -> None:
    await store.append(ReadingBatch.of([(0, 1000, 1.0)]), [pack(1)], SERIES)
    await store.append(ReadingBatch.of([(0, 2000, 2.0)]), [pack(1, "boot-b")], [])
    await store.append(ReadingBatch.of([(0, 3000, 3.0)]), [PackId("BR2", "boot-a", 1)], [])
    assert (await store.audit()).readings == 3


async def test_a_mix_of_committed_and_new_packs_is_refused_whole(store: TimeSeriesStore) -> None:
    await store.append(ReadingBatch.of([(0, 1000, 1.0)]), [pack(1)], SERIES)
    with pytest.raises(ValueError, match="1 of them are committed already"):
        await store.append(ReadingBatch.of([(0, 2000, 2.0)]), [pack(1), pack(2)], [])
    assert (await store.audit()).readings == 1
    assert list((await store.load_committed())["BR1", "boot-a"]) == [(1, 1)]


async def test_a_pack_without_readings_is_committed_too(opener: Opener) -> None:
    store = await opener()
    await store.append(ReadingBatch.of([]), [pack(7)], [])
    assert list((await (await opener()).load_committed())["BR1", "boot-a"]) == [(7, 7)]


async def test_the_callers_copy_of_the_committed_seqs_is_its_own(store: TimeSeriesStore) -> None:
    await store.append(ReadingBatch.of([]), [pack(1)], [])
    (await store.load_committed())["BR1", "boot-a"].add(2)
    assert await store.append(ReadingBatch.of([]), [pack(2)], []) == 2


async def test_latest_is_the_newest_observation_whatever_the_order_of_arrival(store: TimeSeriesStore) -> None:
    await store.append(ReadingBatch.of([(0, 5000, 5.0), (1, 1000, 0.0)]), [pack(2)], SERIES)
    await store.append(ReadingBatch.of([(0, 3000, 3.0), (1, 2000, 1.0)], live=False), [pack(1)], [])
    assert rows(await store.latest()) == [(0, 5000, 5.0, True), (1, 2000, 1.0, False)]


async def test_the_newest_live_reading_is_not_hidden_by_back_filled_ones(store: TimeSeriesStore) -> None:
    await store.append(ReadingBatch.of([(0, 5000, 5.0), (1, 2000, 1.0), (0, 4000, 4.0)]), [pack(1)], SERIES)
    await store.append(ReadingBatch.of([(0, 9000, 9.0), (1, 1000, 7.0), (2, 1, 0.0)], live=False), [pack(2)], [])
    await store.append(ReadingBatch.of([(1, 3000, 2.0), (2, 10, 1.0)]), [pack(3)], [])
    assert rows(await store.newest_live(3)) == [(0, 5000, 5.0, True), (1, 3000, 2.0, True), (2, 10, 1.0, True)]
    assert rows(await store.newest_live(2)) == [(0, 5000, 5.0, True), (1, 2000, 1.0, True)]
    assert rows(await store.newest_live(0)) == []


async def test_of_live_readings_of_one_time_the_first_to_come_stands(store: TimeSeriesStore) -> None:
    await store.append(ReadingBatch.of([(0, 5000, 8.0)], live=False), [pack(1)], SERIES)
    await store.append(ReadingBatch.of([(0, 5000, 7.0), (0, 5000, 1.0), (0, 2000, 0.0)]), [pack(2)], [])
    await store.append(ReadingBatch.of([(0, 5000, 0.0)]), [pack(3)], [])
    assert rows(await store.newest_live(3)) == [(0, 5000, 7.0, True)]


async def test_a_range_is_in_order_of_observation_and_half_open(store: TimeSeriesStore) -> None:
    await store.append(ReadingBatch.of([(0, 3000, 3.0), (0, 1000, 1.0), (1, 2000, 9.0)]), [pack(1)], SERIES)
    await store.append(ReadingBatch.of([(0, 2000, 2.0), (0, 4000, 4.0)]), [pack(2)], [])
    found = await store.range(0, 1000, 4000, 10)
    assert found.observed_at_ms.tolist() == [1000, 2000, 3000]
    assert found.value.tolist() == [1.0, 2.0, 3.0]


async def test_a_range_with_a_limit_keeps_the_newest(store: TimeSeriesStore) -> None:
    await store.append(ReadingBatch.of([(0, time, float(time)) for time in range(10)]), [pack(1)], SERIES)
    assert (await store.range(0, 0, 100, 3)).observed_at_ms.tolist() == [7, 8, 9]


async def test_events_come_in_order_with_their_texts_and_the_newest_within_the_limit(store: TimeSeriesStore) -> None:
    texts = [EventReading(3, 3000, "third"), EventReading(3, 1000, "first"), EventReading(3, 2000, "second")]
    batch = ReadingBatch.of([])
    batch = ReadingBatch(batch.series, batch.observed_at_ms, batch.value, batch.live, texts)
    await store.append(batch, [pack(1)], SERIES)
    assert [event.text for event in await store.events([3], 0, 3000, 10)] == ["first", "second"]
    assert [event.text for event in await store.events([0, 3], 0, 9000, 2)] == ["second", "third"]
    assert await store.events([0], 0, 9000, 10) == []


async def test_a_scan_gives_commits_in_order_as_they_were_appended(store: TimeSeriesStore) -> None:
    for seq in range(1, 620):  # more commits than one step of a scan takes
        batch = ReadingBatch.of([(0, seq, float(seq)), (1, 10_000 - seq, 0.0)], live=seq % 2 == 0)
        if seq % 100 == 0:
            event = EventReading(3, seq, f"event {seq}")
            batch = ReadingBatch(batch.series, batch.observed_at_ms, batch.value, batch.live, (event,))
        await store.append(batch, [pack(seq)], SERIES if seq == 1 else [])
    commits = await scan(store, 100)
    assert [position for position, _ in commits] == list(range(101, 620))
    for position, batch in commits:
        live = position % 2 == 0
        assert rows(batch) == [(0, position, float(position), live), (1, 10_000 - position, 0.0, live)]
        assert [event.text for event in batch.events] == ([f"event {position}"] if position % 100 == 0 else [])


async def test_the_audit_counts_doubles_and_sets_derived_readings_apart(store: TimeSeriesStore, kind: str) -> None:
    await store.append(ReadingBatch.of([(0, 1000, 1.0), (2, 1000, 0.0)]), [pack(1)], SERIES)
    await store.append(ReadingBatch.of([(0, 1000, 2.0), (0, 2000, 1.0)]), [pack(2)], [])
    audit = await store.audit()
    assert (audit.readings, audit.distinct_readings, audit.derived) == (3, 2, 1)
    assert (audit.stored, audit.doubled, audit.commits) == (2, 1, 2)
    await store.append(ReadingBatch.of([(0, 2000, 1.0)]), [pack(3)], [])
    doubled = 2 if TELLS_EQUALS_APART[kind] else 1
    assert ((await store.audit()).doubled, (await store.audit()).commits) == (doubled, 3)


async def test_latency_is_over_live_readings_that_came_in_packs(store: TimeSeriesStore, clock: ManualClock) -> None:
    live = ReadingBatch.of([(0, NOW_MS - 100 * number, 0.0) for number in range(101)] + [(2, NOW_MS, 0.0)])
    await store.append(live, [pack(1)], SERIES)
    clock.advance(3_600_000)
    await store.append(ReadingBatch.of([(0, NOW_MS + 1, 0.0)], live=False), [pack(2)], [])
    latency = await store.latency()
    assert latency.count == 101
    assert latency.p50_ms == pytest.approx(5000)
    assert latency.p99_ms == pytest.approx(9900)


async def test_a_closed_store_says_so_and_closes_twice(store: TimeSeriesStore) -> None:
    await store.close()
    await store.close()
    with pytest.raises(DependencyUnavailable, match="is closed"):
        await store.latest()
