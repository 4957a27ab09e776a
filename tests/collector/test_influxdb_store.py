"""The InfluxDB store at its edges: kills between its two halves, doubtful commits, refusals, set-up and bounds."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.adapters.influxdb_access import StoreRefused
from collector.adapters.influxdb_newest import Newest, decode_commit, encode_commit
from collector.adapters.influxdb_records import AnotherWriterError, Commit, Horizons, Runs, StoreRecords, with_packs
from collector.adapters.influxdb_setup import set_up
from collector.adapters.influxdb_store import InfluxDbStore
from collector.adapters.influxdb_sums import joined, of_readings, summed
from collector.settings import CollectorSettings, InfluxDbSettings, RetentionSettings
from collector.store import HOUR_MS, MINUTE_MS, SeriesRow
from collector.stores import upgrade_store
from contracts.errors import DependencyUnavailable
from contracts.pack import PackId
from contracts.readings import EventReading, ReadingBatch
from runtime.clock import ManualClock
from runtime.database import Database
from tests.collector.stores import (
    FOR_EVER,
    NOW_MS,
    RETENTION,
    SERIES,
    influxdb_database,
    keep_up,
    pack,
    rows,
    scan_commits,
)
from tests.conftest import free_port
from tests.influxdb import InfluxServer, WriteRoute

DAY_MS = 24 * HOUR_MS


@pytest.fixture
async def settings(influxdb: InfluxServer) -> AsyncIterator[InfluxDbSettings]:
    async with influxdb_database(influxdb) as made:
        yield made


@asynccontextmanager
async def opened(settings: InfluxDbSettings, ops: Database, clock: ManualClock) -> AsyncIterator[InfluxDbStore]:
    store = InfluxDbStore(settings, RETENTION, ops, clock)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


# -- kills and doubt -------------------------------------------------------------------------------------------------


async def test_packs_that_come_again_in_other_batches_after_a_kill_change_nothing(
    settings: InfluxDbSettings, ops: Database, clock: ManualClock
) -> None:
    readings = [(number % 2, NOW_MS + number // 4, float(number % 7)) for number in range(400)]
    events = [EventReading(3, NOW_MS + number // 3, f"event {number}") for number in range(30)]

    def batch(low: int, high: int) -> ReadingBatch:
        found = ReadingBatch.of(readings[low:high])
        part = events[low // 10 : high // 10]
        return ReadingBatch(found.series, found.observed_at_ms, found.value, found.live, part)

    async with opened(settings, ops, clock) as store:
        killed = patch.object(StoreRecords, "commit", side_effect=DependencyUnavailable("killed here"))
        with killed, pytest.raises(DependencyUnavailable, match="killed here"):
            await store.append(batch(0, 300), [pack(1), pack(2), pack(3)], SERIES)
    async with opened(settings, ops, clock) as store:
        assert store.position == 0
        assert await store.load_series() == []
        await store.append(batch(0, 100), [pack(1)], SERIES)
        await store.append(batch(200, 400), [pack(3), pack(4)], [])
        await store.append(batch(100, 200), [pack(2)], [])
        distinct = {(series, at_ms, value) for series, at_ms, value in readings}
        audit = await store.audit()
        assert (audit.readings, audit.events, audit.commits) == (len(distinct), 30, 3)
        found = await store.range(0, NOW_MS, NOW_MS + 1000, 1000)
        pairs = sorted(zip(found.observed_at_ms.tolist(), found.value.tolist(), strict=True))
        assert pairs == sorted((at_ms, value) for series, at_ms, value in distinct if series == 0)


@pytest.mark.parametrize("reached", [True, False])
async def test_a_commit_whose_answer_was_lost_is_looked_for_before_it_is_made_again(
    reached: bool, settings: InfluxDbSettings, ops: Database, clock: ManualClock
) -> None:
    real = StoreRecords.commit

    async def commit_and_lose_the_answer(self: StoreRecords, *args: object) -> None:
        if reached:
            await real(self, *args)  # type: ignore[arg-type]  # handed on as they come
        raise DependencyUnavailable("no answer")

    async with opened(settings, ops, clock) as store:
        for number, packs in ((1, [pack(1)]), (2, [])):
            batch = ReadingBatch.of([(0, NOW_MS + number, float(number))])
            new = SERIES if number == 1 else []
            losing = patch.object(StoreRecords, "commit", commit_and_lose_the_answer)
            with losing, pytest.raises(DependencyUnavailable, match="no answer"):
                await store.append(batch, packs, new)
            assert await store.append(batch, packs, new) == number
        assert [position for position, _ in await scan_commits(store, 0)] == [1, 2]
    async with opened(settings, ops, clock) as store:
        assert store.position == 2
        assert list((await store.load_committed())["BR1", "boot-a"]) == [(1, 1)]


async def test_a_second_collector_on_the_same_tables_is_told_apart(
    settings: InfluxDbSettings, ops: Database, clock: ManualClock
) -> None:
    async with opened(settings, ops, clock) as one, opened(settings, ops, clock) as other:
        await one.append(ReadingBatch.of([(0, NOW_MS, 1.0)]), [pack(1)], SERIES)
        for _ in range(2):
            with pytest.raises(StoreRefused, match="commit 1 was made by another process; stop one"):
                await other.append(ReadingBatch.of([(0, NOW_MS, 2.0)]), [pack(2)], SERIES)
        await one.append(ReadingBatch.of([(0, NOW_MS, 3.0)]), [pack(3)], [])
        assert one.position == 2


async def test_texts_of_any_kind_come_back_as_they_were(
    settings: InfluxDbSettings, ops: Database, clock: ManualClock
) -> None:
    texts = [
        'a "quoted" one',
        "back\\slash\\",
        "two\nlines\r\n",
        "卡钞 🏧",
        "a,b=c d",
        "",
        '\\"',
        "tab\there",
        "#x",
        "x" * 50_000,
    ]
    empty = ReadingBatch.of([])
    events = [EventReading(3, NOW_MS, text) for text in texts]
    batch = ReadingBatch(empty.series, empty.observed_at_ms, empty.value, empty.live, events)
    async with opened(settings, ops, clock) as store:
        await store.append(batch, [pack(1)], SERIES)
        found = await store.events([3], NOW_MS, NOW_MS + 1, 100)
        assert sorted(event.text for event in found) == sorted(texts)
        ((_, replayed),) = await scan_commits(store, 0)
        assert [event.text for event in replayed.events] == texts


async def test_names_with_signs_of_the_query_language_hit_their_own_series_only(
    settings: InfluxDbSettings, ops: Database, clock: ManualClock
) -> None:
    names = ["plain", "it's", "a' OR 'a'='a", 'say "x"', "x); DROP DATABASE x", "a,b c=d", "/.*/"]
    series = [SeriesRow(number, "BR1/atm-01", "atm", name) for number, name in enumerate(names)]
    async with opened(settings, ops, clock) as store:
        batch = ReadingBatch.of([(row.series, NOW_MS, float(row.series)) for row in series])
        await store.append(batch, [pack(1)], series)
        for row in series:
            assert (await store.range(row.series, 0, 2**60, 10)).value.tolist() == [float(row.series)]
        found = await store.ranges(range(len(names)), 0, 2**60, 10)
        assert {number: lot.value.tolist() for number, lot in found.items()} == {
            n: [float(n)] for n in range(len(names))
        }


# -- bounds ----------------------------------------------------------------------------------------------------------


async def test_commits_are_forgotten_within_their_bound_and_what_they_said_is_not(
    settings: InfluxDbSettings, ops: Database, clock: ManualClock
) -> None:
    settings = settings.model_copy(update={"recent_readings": 1_000})
    chance = random.Random(6)
    everything: list[ReadingBatch] = []
    async with opened(settings, ops, clock) as store:
        for seq in range(1, 41):
            readings = [
                (chance.randrange(4), NOW_MS + chance.randrange(50), float(chance.randrange(9))) for _ in range(60)
            ]
            everything.append(ReadingBatch.of(readings, live=seq % 3 > 0))
            await store.append(everything[-1], [pack(seq)], SERIES if seq == 1 else [])
            if seq % 10 == 0:
                await keep_up(store, clock.now_ms())
        assert store.replayable_from >= 40 - 1_000 // 60
        kept = await scan_commits(store, 0)
        assert [position for position, _ in kept] == list(range(store.replayable_from + 1, 41))
    async with opened(settings, ops, clock) as store:
        assert store.position == 40
        for as_of in (40, store.replayable_from):
            expected = Newest()
            for batch in everything[:as_of]:
                expected.take(batch)
            assert rows(await store.newest_live(as_of)) == rows(expected.newest_live())
            if as_of == 40:
                assert rows(await store.latest()) == rows(expected.latest())
        assert list((await store.load_committed())["BR1", "boot-a"]) == [(1, 40)]


async def test_a_commit_larger_than_a_request_is_written_in_several(
    ops: Database, clock: ManualClock, influxdb: InfluxServer
) -> None:
    async with WriteRoute(influxdb.url).listening() as route:
        settings = InfluxDbSettings(url=route.url, database=f"test-{uuid.uuid4().hex}", request_bytes=64 * 1024)
        await set_up(settings, FOR_EVER)
        async with opened(settings, ops, clock) as store:
            count = 5_000
            await store.append(ReadingBatch.of([(0, NOW_MS + n, float(n)) for n in range(count)]), [pack(1)], SERIES)
            assert route.writes > 5
            assert (await store.range(0, 0, 2**60, 10_000)).value.tolist() == [float(n) for n in range(count)]
        influxdb.query(f'DROP DATABASE "{settings.database}"')


async def test_readings_that_arrive_during_their_roll_up_are_in_the_next(
    settings: InfluxDbSettings, ops: Database, clock: ManualClock
) -> None:
    async with opened(settings, ops, clock) as store:
        await store.append(ReadingBatch.of([(0, NOW_MS + 1, 1.0)]), [pack(1)], SERIES)
        rolled_up = store._roll_up

        async def meanwhile(hours: list[tuple[int, str]]) -> int:
            late = store.append(ReadingBatch.of([(0, NOW_MS + 2, 5.0)]), [pack(2)], [])
            summed_up, _ = await asyncio.gather(rolled_up(hours), late)
            return summed_up

        with patch.object(store, "_roll_up", meanwhile):
            assert (await store.maintain(NOW_MS + DAY_MS)).more
        for _ in range(2):
            found = (await store.buckets([0], NOW_MS - DAY_MS, NOW_MS + DAY_MS, HOUR_MS))[0]
            assert (found.count.tolist(), found.last.tolist(), found.increase.tolist()) == ([2], [5.0], [4.0])
            await keep_up(store, NOW_MS + DAY_MS)
        assert store._commits.dirty == set()


_numbers = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 10 * MINUTE_MS), st.integers(0, 50)), max_size=60)


@given(_numbers, st.integers(1, 8))
def test_sums_of_sums_are_sums_of_readings(readings: list[tuple[int, int, int]], parts: int) -> None:
    of_moment = {(series, at_ms): value for series, at_ms, value in readings}
    ordered = sorted(of_moment)
    series, at_ms = np.array(ordered, np.int64).reshape(-1, 2).T
    value = np.array([of_moment[moment] for moment in ordered], np.float64)
    whole = of_readings(series, at_ms, value)
    directly = summed(whole, 5 * MINUTE_MS)
    lots = [whole.take(np.arange(len(whole)) % parts == part) for part in range(parts)]
    for found in (summed(summed(whole, MINUTE_MS), 5 * MINUTE_MS), summed(joined(lots), 5 * MINUTE_MS)):
        for name in ("series", "begins_at_ms", "count", "minimum", "maximum", "first", "last"):
            assert getattr(found, name).tolist() == getattr(directly, name).tolist()
        assert found.mean.tolist() == pytest.approx(directly.mean.tolist())
        assert found.inner.tolist() == directly.inner.tolist()
    for number in set(series.tolist()):
        mine = value[series == number].tolist()
        assert int(directly.count[directly.series == number].sum()) == len(mine)


@given(
    st.lists(
        st.tuples(st.integers(0, 2**31 - 1), st.integers(-(2**50), 2**50), st.floats(allow_nan=False)), max_size=40
    )
)
def test_a_commit_comes_back_from_its_bytes(readings: list[tuple[int, int, float]]) -> None:
    batch = ReadingBatch.of(readings)
    assert rows(decode_commit(encode_commit(batch))) == rows(batch)


def test_the_newest_of_a_million_series_come_back_from_their_parts() -> None:
    count = 1_000_000
    batch = ReadingBatch(
        np.arange(count, dtype=np.int32), np.full(count, NOW_MS), np.arange(count) / 8, np.arange(count) % 2 == 0
    )
    newest, again = Newest(), Newest()
    newest.take(batch)
    parts = list(newest.parts())
    assert max(map(len, parts)) < 2**21, "a row of the ops database is to stay small"
    for part in parts:
        again.add_part(part)
    latest, live = again.latest(), again.newest_live()
    for name in ("series", "observed_at_ms", "value", "live"):
        np.testing.assert_array_equal(getattr(latest, name), getattr(batch, name))
        np.testing.assert_array_equal(getattr(live, name), getattr(batch, name)[batch.live])


async def test_records_are_the_same_on_either_ops_database(database: Database, clock: ManualClock) -> None:
    records = StoreRecords(database, "me")
    packs = [PackId("BR1", "boot-a", seq) for seq in (1, 2, 3, 7, 5, 6, 4)] + [PackId("BR2", "boot-b", 9)]
    committed: Runs = {}
    for number, one in enumerate(packs, 1):
        before, after = with_packs(committed, [one])
        content = encode_commit(ReadingBatch.of([(0, NOW_MS, float(number))]))
        new = SERIES if number == 1 else []
        dirty = [(NOW_MS, "BR1"), (NOW_MS + HOUR_MS, "BR2")] if number < 3 else []
        await records.commit(
            Commit(number, NOW_MS + number, 1, content, new, dirty, [number // 4 * DAY_MS]), before, after
        )
        committed.update(after)
        assert await records.packs() == committed
    assert {key: list(runs) for key, runs in committed.items()} == {
        ("BR1", "boot-a"): [(1, 7)], ("BR2", "boot-b"): [(9, 9)],
    }  # fmt: skip
    assert await records.series() == SERIES
    assert await records.days() == {0, DAY_MS, 2 * DAY_MS}
    assert await records.dirty_hours() == {(NOW_MS, "BR1"), (NOW_MS + HOUR_MS, "BR2")}
    await records.rolled_up([(NOW_MS, "BR1")])
    assert await records.dirty_hours() == {(NOW_MS + HOUR_MS, "BR2")}
    with pytest.raises(AnotherWriterError):
        await records.commit(Commit(8, NOW_MS, 1, b"", [], [], []), {}, {})
    with pytest.raises(AnotherWriterError):
        await StoreRecords(database, "somebody else").made(8)
    assert (await records.made(8), await records.made(9)) == (True, False)
    pages = [[position for position, _, _ in page] async for page in records.commits(2, None, 3)]
    assert pages == [[3, 4, 5], [6, 7, 8]]
    for _ in range(2):
        await records.forget_commits(6, [b"one", b"two"], Horizons(1, 2, 3, 4))
        assert await records.state() == (8, 6, Horizons(1, 2, 3, 4))
        assert [part async for part in records.newest()] == [b"one", b"two"]
        assert [position for position, _, _ in await records.sizes()] == [7, 8]
    await records.put_horizons(6, Horizons(5, 6, 7, 8))
    assert await records.state() == (8, 6, Horizons(5, 6, 7, 8))
    await records.put_horizons(6, Horizons(3 * DAY_MS, 0, 0, 2 * DAY_MS))
    assert await records.days() == {DAY_MS, 2 * DAY_MS}


# -- the server ------------------------------------------------------------------------------------------------------


async def test_a_write_that_is_taken_in_part_commits_nothing_until_it_is_taken_whole(
    settings: InfluxDbSettings, ops: Database, clock: ManualClock, influxdb: InfluxServer
) -> None:
    spoilt = f"reading,branch=BR1,device=other,kind=atm,path=x value=true {NOW_MS}000000"
    async with opened(settings, ops, clock) as store:
        await store._writing.write("readings", [spoilt])  # a number where a truth value is
        for _ in range(2):
            with pytest.raises(DependencyUnavailable, match=r"field type conflict.*nothing was committed"):
                await store.append(ReadingBatch.of([(0, NOW_MS, 1.0)]), [pack(1)], SERIES)
        assert (store.position, await store.load_committed()) == (0, {})
        influxdb.query(f'DROP DATABASE "{settings.database}"')
        await set_up(settings, FOR_EVER)
        assert await store.append(ReadingBatch.of([(0, NOW_MS, 1.0)]), [pack(1)], SERIES) == 1
        assert (await store.range(0, 0, 2**60, 10)).value.tolist() == [1.0]


async def test_what_the_server_keeps_no_more_is_committed_all_the_same(
    settings: InfluxDbSettings, ops: Database, clock: ManualClock
) -> None:
    await set_up(settings, RetentionSettings())
    async with opened(settings, ops, clock) as store:
        assert await store.append(ReadingBatch.of([(0, 1000, 1.0)]), [pack(1)], SERIES) == 1
        assert list((await store.load_committed())["BR1", "boot-a"]) == [(1, 1)]
        assert len((await store.range(0, 0, 2**60, 10)).value) == 0


async def test_a_store_opens_without_its_server_and_sets_it_up_when_it_answers(
    ops: Database, clock: ManualClock, tmp_path: Path
) -> None:
    server = InfluxServer(tmp_path / "influxdb", free_port(), free_port())
    async with WriteRoute(server.url).listening() as route:
        settings = InfluxDbSettings(url=route.url, tries=1)
        store = InfluxDbStore(settings, FOR_EVER, ops, clock)
        await store.open()
        try:
            batch = ReadingBatch.of([(0, NOW_MS, 1.0)])
            with pytest.raises(DependencyUnavailable, match="is it running and reachable"):
                await store.append(batch, [pack(1)], SERIES)
            with pytest.raises(DependencyUnavailable, match="is it running and reachable"):
                await store.range(0, 0, 1, 1)
            assert rows(await store.latest()) == []
            await asyncio.to_thread(server.start)
            assert await store.append(batch, [pack(1)], SERIES) == 1
            assert (await store.range(0, 0, 2**60, 10)).value.tolist() == [1.0]
        finally:
            await store.close()
            server.kill()


async def test_a_server_with_passwords_lets_in_who_knows_them(
    ops: Database, clock: ManualClock, tmp_path: Path
) -> None:
    server = InfluxServer(tmp_path / "influxdb", free_port(), free_port(), auth=True)
    await asyncio.to_thread(server.start)
    server.query("CREATE USER boss WITH PASSWORD 'ch1ef' WITH ALL PRIVILEGES")
    for question in ("CREATE USER feeder WITH PASSWORD 'f33d'", "CREATE USER nobody WITH PASSWORD 'n0ne'"):
        server.query(question, "boss", "ch1ef")
    try:
        async with WriteRoute(server.url).listening() as route:

            def known_as(username: str, password: str) -> InfluxDbSettings:
                return InfluxDbSettings(url=route.url, username=username, password=password)

            with pytest.raises(StoreRefused, match=r"check collector\.influxdb\.username and .*password") as refused:
                await set_up(known_as("feeder", "wr0ng"), FOR_EVER)
            assert "wr0ng" not in str(refused.value)
            with pytest.raises(StoreRefused, match="refused with 403"):
                await set_up(known_as("nobody", "n0ne"), FOR_EVER)
            with pytest.raises(StoreRefused, match="401"):
                await set_up(InfluxDbSettings(url=route.url), FOR_EVER)
            assert len(await set_up(known_as("boss", "ch1ef"), FOR_EVER)) == 5
            server.query("GRANT ALL ON branchwatch TO feeder", "boss", "ch1ef")
            async with opened(known_as("feeder", "f33d"), ops, clock) as store:
                await store.append(ReadingBatch.of([(0, NOW_MS, 1.0)]), [pack(1)], SERIES)
                await keep_up(store, NOW_MS + DAY_MS)
                assert (await store.range(0, 0, 2**60, 10)).value.tolist() == [1.0]
            async with opened(known_as("boss", "ch1ef"), ops, clock) as store:
                server.query("SET PASSWORD FOR boss = 'changed'", "boss", "ch1ef")
                with pytest.raises(StoreRefused, match="check collector"):
                    await store.append(ReadingBatch.of([(0, NOW_MS, 2.0)]), [pack(2)], [])
    finally:
        server.kill()


async def test_setting_up_again_changes_nothing_but_what_is_to_be_kept_for_another_time(influxdb: InfluxServer) -> None:
    async with WriteRoute(influxdb.url).listening() as route:
        section = {"url": route.url, "database": f"test-{uuid.uuid4().hex}"}

        async def upgrade(**days: int) -> list[str]:
            settings = CollectorSettings(store="influxdb", influxdb=section, retention=days)
            return await upgrade_store(settings, insist=True)

        first = await upgrade()
        assert first[0] == f"database {section['database']} made"
        assert first[1:] == [
            "retention policy readings made, 90 days", "retention policy minutes made, 400 days",
            "retention policy hours made, 3650 days", "retention policy events made, 400 days",
        ]  # fmt: skip
        assert await upgrade() == []
        assert await upgrade(readings_days=10, minutes_days=20) == [
            "retention policy readings changed to 10 days", "retention policy minutes changed to 20 days",
        ]  # fmt: skip
        assert await upgrade(readings_days=10, minutes_days=20) == []
        kept = influxdb.query(f'SHOW RETENTION POLICIES ON "{section["database"]}"').decode()
        assert '["readings","240h0m0s","24h0m0s",1,true]' in kept
        influxdb.query(f'DROP DATABASE "{section["database"]}"')


async def test_a_server_that_is_not_there_stops_an_upgrade_and_not_a_start() -> None:
    section = {"url": f"http://127.0.0.1:{free_port()}"}
    settings = CollectorSettings(store="influxdb", influxdb=section)
    assert await upgrade_store(settings, insist=False) == []
    with pytest.raises(DependencyUnavailable, match="is it running and reachable"):
        await upgrade_store(settings, insist=True)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"url": "influxdb.example:8086"}, "expected an address like https://"),
        ({"url": "http://user:pass@host:8086"}, "user and password have settings of their own"),
        ({"token": "t", "username": "u", "password": "p"}, "expected one of them"),
        ({"username": "u"}, "expected both or neither"),
        ({"database": "a/b"}, "should match pattern"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(section: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        InfluxDbSettings(**section)
