"""Files of the DuckDB store that a disk has damaged: each costs its own period, is reported, and stays where it can be seen."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from collector.adapters.duckdb_damage import is_damage
from collector.adapters.duckdb_store import HISTORY, RECENT_FILE, DuckDbStore
from collector.store import HOUR_MS, MINUTE_MS, Tier
from contracts.errors import DependencyUnavailable
from runtime.clock import ManualClock
from tests.collector.duckdb_parts import DAY_MS, add, at, days_of_history, history_files, made, values_of
from tests.collector.stores import NOW_MS, RETENTION, keep_up

Damaging = Callable[[Path], None]


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def garbage_in_the_middle(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(3 * 4096)  # behind the headers, so that the file can be opened
        file.write(os.urandom(size - 3 * 4096))


def gone(path: Path) -> None:
    path.unlink()


DAMAGINGS = [cut_off, zeroed, garbage_in_the_middle, gone]


@pytest.mark.parametrize("damage", DAMAGINGS)
async def test_a_damaged_day_costs_that_day_and_is_reported(
    tmp_path: Path, clock: ManualClock, damage: Damaging
) -> None:
    values = await days_of_history(tmp_path, clock, 4)
    victim = history_files(tmp_path)[1]
    damage(victim)
    for _ in range(2):  # remembered over a restart, and told once
        async with at(tmp_path, clock) as store:
            assert await values_of(store) == [value for day in (0, 2, 3) for value in values[day]]
            (found,) = store.damages()
            assert found.tier is Tier.READINGS
            assert found.from_ms == NOW_MS - 3 * DAY_MS
            assert found.to_ms is not None
            assert NOW_MS - 3 * DAY_MS < found.to_ms <= NOW_MS - 2 * DAY_MS
            assert found.reason
            assert (await store.audit()).readings == 3 * 2 * 500
            assert (await store.latest()).value.tolist() == [values[3][-1]] * 2
            await keep_up(store, clock.now_ms())
    assert not victim.exists()
    assert found.file.exists() == (damage is not gone)


async def test_a_damaged_day_that_is_put_back_from_a_backup_is_read_again(tmp_path: Path, clock: ManualClock) -> None:
    values = await days_of_history(tmp_path, clock, 3)
    victim = history_files(tmp_path)[1]
    sound = victim.read_bytes()
    zeroed(victim)
    async with at(tmp_path, clock) as store:
        assert await values_of(store) == values[0] + values[2]
    victim.write_bytes(sound)
    for _ in range(2):
        async with at(tmp_path, clock) as store:
            assert await values_of(store) == [value for day in values for value in day]
            await keep_up(store, clock.now_ms())
            assert (await store.buckets([0], 0, 2**60, DAY_MS))[0].count.tolist() == [500] * 3


async def test_damage_that_shows_while_a_query_reads_is_met(tmp_path: Path, clock: ManualClock) -> None:
    values = await days_of_history(tmp_path, clock, 3, a_day=20_000)
    async with at(tmp_path, clock) as store:
        garbage_in_the_middle(history_files(tmp_path)[2])
        assert store.damages() == ()
        found = await store.buckets([0, 1], NOW_MS - 3 * DAY_MS, NOW_MS, DAY_MS)
        assert found[0].count.tolist() == [20_000] * len(found[0].count)
        assert await values_of(store) == values[0] + values[1]
        assert [damage.tier for damage in store.damages()] == [Tier.READINGS]


async def test_a_file_that_vanishes_costs_its_day_and_no_query(tmp_path: Path, clock: ManualClock) -> None:
    values = await days_of_history(tmp_path, clock, 3)
    async with at(tmp_path, clock) as store:
        history_files(tmp_path)[1].unlink()
        assert await values_of(store) == values[0] + values[2]
        assert [damage.reason for damage in store.damages()] == ["the file is missing"]
        await keep_up(store, clock.now_ms())


async def test_files_are_not_condemned_where_duckdb_gave_itself_up(tmp_path: Path) -> None:
    """A checkpoint that may not make the file longer, as on a full or failing disk, ends a DuckDB with all its files."""
    program = f"""
import asyncio, resource, signal
from pathlib import Path
from contracts.errors import DependencyUnavailable
from runtime.clock import ManualClock
from tests.collector.duckdb_parts import add, at, days_of_history, history_files, values_of

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    directory, clock = Path({str(tmp_path)!r}), ManualClock({NOW_MS})
    values = await days_of_history(directory, clock, 3)
    async with at(directory, clock) as store:
        for seq in range(10, 20):
            await add(store, seq, [(0, {NOW_MS} + 20_000 * seq + n, hash((seq, n)) / 7) for n in range(20_000)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))

        def checkpoint():
            with store._instance.cursor() as cursor:
                cursor.execute("CHECKPOINT")

        try:
            await store._submit(store._writing, checkpoint)
        except DependencyUnavailable:
            print("checkpoint refused")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        found = await values_of(store)
        assert found[:1500] == [value for day in values for value in day]
        assert len(found) == 1500 + 200_000
        assert store.damages() == ()
        assert len(history_files(directory)) == 3

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert out.startswith(b"checkpoint refused\n")


async def test_damage_that_upkeep_meets_stops_it_once(tmp_path: Path, clock: ManualClock) -> None:
    values = await days_of_history(tmp_path, clock, 2)
    async with at(tmp_path, clock) as store:
        await add(store, 50, [(0, NOW_MS - 2 * DAY_MS + 7, -1.0)], live=False)
        clock.advance(DAY_MS)
        garbage_in_the_middle(history_files(tmp_path)[0])
        with pytest.raises(DependencyUnavailable, match=r"checksum|Corrupt"):
            await keep_up(store, clock.now_ms())
        await keep_up(store, clock.now_ms())
        assert await values_of(store) == [-1.0, *values[1]]
        assert len(store.damages()) == 1


@pytest.mark.parametrize("lost", ["damaged", "expired"])
async def test_a_late_reading_is_added_to_roll_ups_whose_readings_are_not_there(
    tmp_path: Path, clock: ManualClock, lost: str
) -> None:
    await days_of_history(tmp_path, clock, 3, a_day=20_000)
    begin_ms = NOW_MS - 3 * DAY_MS
    lengths_ms = [HOUR_MS, DAY_MS]
    if lost == "damaged":
        zeroed(history_files(tmp_path)[0])
    else:
        short = RETENTION.model_copy(update={"readings_days": 6})
        async with at(tmp_path, clock, retention=short) as store:
            await keep_up(store, clock.now_ms())
        assert len(history_files(tmp_path)) < 3
        lengths_ms.append(MINUTE_MS)  # written only where the readings go: there are 14 in a minute
    async with at(tmp_path, clock) as store:

        async def counted() -> None:
            for length_ms in lengths_ms:
                found = (await store.buckets([0], begin_ms, begin_ms + DAY_MS, length_ms))[0]
                assert int(found.count.sum()) == 20_000 + late
                assert float(found.increase.sum()) == 19_999.0
                assert float(found.minimum.min()) == (0.0 if not late else -1.0)

        for late in range(3):
            if late:
                await add(store, 1000 + late, [(0, begin_ms + HOUR_MS + late, -1.0)], live=False)
                await counted()
                clock.advance(4 * HOUR_MS)
                await keep_up(store, clock.now_ms())
            await counted()


@pytest.mark.parametrize("damage", DAMAGINGS)
async def test_damaged_roll_ups_are_made_again_from_the_readings(
    tmp_path: Path, clock: ManualClock, damage: Damaging
) -> None:
    await days_of_history(tmp_path, clock, 2, a_day=20_000)
    async with at(tmp_path, clock) as store:
        expected = (await store.buckets([0], NOW_MS - 2 * DAY_MS, NOW_MS, HOUR_MS))[0]
    victim = history_files(tmp_path, "hours")[0]
    damage(victim)
    async with at(tmp_path, clock) as store:
        for _ in range(2):
            found = (await store.buckets([0], NOW_MS - 2 * DAY_MS, NOW_MS, HOUR_MS))[0]
            for name in ("begins_at_ms", "count", "mean", "last", "increase"):
                assert getattr(found, name).tolist() == getattr(expected, name).tolist(), name
            assert [damage.tier for damage in store.damages()] == [Tier.ROLL_UPS]
            await keep_up(store, clock.now_ms())
    assert victim not in history_files(tmp_path, "hours")
    assert len(history_files(tmp_path, "hours")) == 2


@pytest.mark.parametrize("damage", DAMAGINGS)
async def test_where_what_is_recent_is_damaged_the_history_stays(
    tmp_path: Path, clock: ManualClock, damage: Damaging
) -> None:
    values = await days_of_history(tmp_path, clock, 3)
    async with at(tmp_path, clock) as store:
        position, series = store.position, list(await store.load_series())
        await add(store, 9, [(0, clock.now_ms(), -1.0)])
    damage(tmp_path / RECENT_FILE)
    for _ in range(2):
        async with at(tmp_path, clock) as store:
            assert await values_of(store) == [value for day in values for value in day]
            assert list(await store.load_series()) == series
            assert (store.position, store.replayable_from) == (position, position)
            # the pack that went with it is not known any more, so the gateway is asked for it again
            assert list((await store.load_committed())["BR1", "boot"]) == [(1, 3)]
            (found,) = store.damages()
            assert (found.tier, found.from_ms, found.to_ms) == (Tier.RECENT, None, None)
            assert found.file.name.endswith(".damaged") == (damage is not gone)
    async with at(tmp_path, clock) as store:
        await add(store, 9, [(0, clock.now_ms(), -1.0)])
        assert store.position == position + 1
        assert (await values_of(store))[-1] == -1.0
        assert (await store.latest()).value.tolist() == [-1.0, values[2][-1]]
        clock.advance(DAY_MS)
        await keep_up(store, clock.now_ms())
        assert (await store.audit()).doubled == 0
        assert (await values_of(store))[-1] == -1.0


async def test_a_damaged_log_costs_the_commits_behind_the_damage(tmp_path: Path, clock: ManualClock) -> None:
    """As a kill leaves it, with the newest commits in it."""
    commits = 40
    program = f"""
import asyncio, os, signal
from pathlib import Path
from runtime.clock import ManualClock
from tests.collector.duckdb_parts import add, made

async def main():
    store = made(Path({str(tmp_path)!r}), ManualClock({NOW_MS}))
    await store.open()
    for seq in range(1, {commits} + 1):
        await add(store, seq, [(0, {NOW_MS} + 1000 * seq + number, float(seq)) for number in range(200)])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == -signal.SIGKILL
    log = tmp_path / f"{RECENT_FILE}.wal"
    with log.open("r+b") as file:
        file.seek(log.stat().st_size // 2)
        file.write(os.urandom(1000))
    async with at(tmp_path, clock) as store:
        (found,) = store.damages()
        assert found.tier is Tier.RECENT
        assert found.file.name.startswith(log.name)
        ((low, high),) = (await store.load_committed())["BR1", "boot"]
        assert low == 1
        assert commits // 4 < high < commits
        assert await values_of(store) == [float(seq) for seq in range(1, high + 1) for _ in range(200)]
        assert store.position == high
        await add(store, high + 1, [(0, clock.now_ms() + DAY_MS, -1.0)])
    async with at(tmp_path, clock) as store:
        assert (await values_of(store))[-1] == -1.0


async def test_a_damaged_first_file_without_history_is_set_aside_and_a_new_one_begun(
    tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / RECENT_FILE).write_bytes(b"not a database" * 1000)
    async with at(tmp_path, clock) as store:
        assert store.position == 0
        (found,) = store.damages()
        assert found.file.read_bytes() == b"not a database" * 1000


async def test_both_copies_for_a_recovery_damaged_leave_the_files_and_say_so(
    tmp_path: Path, clock: ManualClock
) -> None:
    await days_of_history(tmp_path, clock, 2)
    zeroed(tmp_path / RECENT_FILE)
    for copy in (tmp_path / HISTORY).glob("recovery-*"):
        zeroed(copy)
    async with at(tmp_path, clock) as store:
        assert store.position == 0
        assert {damage.tier for damage in store.damages()} == {Tier.RECENT}
    left = sorted(path.name for path in (tmp_path / HISTORY).iterdir() if path.name.startswith("readings-"))
    assert len(left) == 2
    assert all(name.endswith(".damaged") for name in left)


async def test_an_older_copy_serves_where_the_newest_is_damaged(tmp_path: Path, clock: ManualClock) -> None:
    await days_of_history(tmp_path, clock, 2)
    zeroed(tmp_path / RECENT_FILE)
    zeroed(max((tmp_path / HISTORY).glob("recovery-*")))
    async with at(tmp_path, clock) as store:
        assert store.position == 2
        assert len(await values_of(store)) > 0


@pytest.mark.parametrize("in_doubt", [False, True])
async def test_a_copy_whose_registration_never_came_is_not_begun_from(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, in_doubt: bool
) -> None:
    values = await days_of_history(tmp_path, clock, 2)
    async with at(tmp_path, clock) as store:
        await add(store, 9, [(0, clock.now_ms(), -1.0)])
        clock.advance(3 * HOUR_MS)
        await store.maintain(clock.now_ms())  # the next commits go to new tables
        with monkeypatch.context() as patch:
            # It failed, or a kill came behind the copy, so that nothing after it happened.
            patch.setattr(DuckDbStore, "_store_layout", killed)
            store._registration_in_doubt = in_doubt
            with pytest.raises(DependencyUnavailable, match="killed"):
                await store.maintain(clock.now_ms())
    async with at(tmp_path, clock) as store:
        assert (await values_of(store))[-1] == -1.0
    gone(tmp_path / RECENT_FILE)
    async with at(tmp_path, clock) as store:
        assert await values_of(store) == values[0] + values[1]
        # The pack is asked for again: no copy claims it.
        assert list((await store.load_committed())["BR1", "boot"]) == [(1, 2)]


def killed(*_: object) -> None:
    raise duckdb.IOException("killed")


async def test_two_copies_are_kept(tmp_path: Path, clock: ManualClock) -> None:
    await days_of_history(tmp_path, clock, 3)
    assert len(list((tmp_path / HISTORY).glob("recovery-*"))) == 2


async def test_a_file_that_another_process_holds_is_not_taken_for_damaged(tmp_path: Path, clock: ManualClock) -> None:
    values = await days_of_history(tmp_path, clock, 1)
    program = "import duckdb,sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / RECENT_FILE),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    try:
        assert await holder.stdout.readline() == b"open\n"
        store = made(tmp_path, clock)
        with pytest.raises(DependencyUnavailable, match=f"PID {holder.pid}"):
            await store.open()
        await store.close()
    finally:
        holder.kill()
        await holder.wait()
    async with at(tmp_path, clock) as store:
        assert await values_of(store) == values[0]
        assert store.damages() == ()


async def test_a_record_of_damages_that_cannot_be_read_stops_nothing(tmp_path: Path, clock: ManualClock) -> None:
    values = await days_of_history(tmp_path, clock, 1)
    (tmp_path / "damages.json").write_text("nonsense")
    async with at(tmp_path, clock) as store:
        assert await values_of(store) == values[0]
    assert (tmp_path / "damages.json.damaged").read_text() == "nonsense"


def test_what_a_lock_or_a_full_disk_says_is_no_damage() -> None:
    assert not is_damage(duckdb.IOException("IO Error: Could not set lock on file: Conflicting lock is held (PID 4)"))
    assert not is_damage(duckdb.IOException("Could not write: No space left on device"))
    assert not is_damage(duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block"))
    assert not is_damage(duckdb.IOException('Could not write file "a.duckdb": File too large'))
    assert not is_damage(duckdb.IOException('Could not read from file "a.duckdb": Input/output error'))
    assert not is_damage(duckdb.FatalException("database has been invalidated because of a previous fatal error"))
    assert not is_damage(duckdb.CatalogException("Table with name x does not exist"))
    assert is_damage(duckdb.Error("Corrupt database file: computed checksum 1 does not match"))
