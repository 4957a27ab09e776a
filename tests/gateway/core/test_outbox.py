"""The outbox: nothing committed is lost, numbers are given once, bounds hold, a full disk is told."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import ConfigurationError, DependencyUnavailable
from contracts.pack import Header, PackId
from contracts.reading import Reading
from gateway.driver import Identity
from gateway.outbox import Outbox, OutboxFile, StoredPack, statistics
from gateway.outbox.file import REFUSED_LIMIT, RefusedInput
from gateway.outbox.memory import Keepsake
from gateway.outbox.packing import PACK_BYTES_LIMIT, Rank
from gateway.outbox.pruning import NOTHING_DROPPED, Dropped, Pruned
from gateway.outbox.retention import Retention
from gateway.settings import OutboxSettings
from runtime.clock import ManualClock
from tests.gateway.core.wire import BRANCH, NOW_MS, new_outbox, reading, readings_of

ROOT = Path(__file__).parents[3]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[OutboxFile]:
    file = OutboxFile(path, BRANCH, NOW_MS)
    yield file
    file.close()


def numbers(boot: str, packs: list[StoredPack]) -> list[float]:
    """The readings' values over packs in order."""
    out: list[float] = []
    for pack in packs:
        rows = readings_of(Header(PackId(BRANCH, boot, pack.seq), NOW_MS), pack.fragments)
        assert len(rows) == pack.readings
        out.extend(float(str(value)) for _, value, _ in rows)
    return out


def everything(file: OutboxFile) -> list[StoredPack]:
    packs = file.unacknowledged(0, 2**53, 1_000_000) + file.acknowledged(0, 2**53, 1_000_000)
    return sorted(packs, key=lambda pack: pack.seq)


# -- numbering and keeping ---------------------------------------------------------------------------------------------


def test_boot_identity_and_numbers_go_on_in_the_next_life(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with opened(path) as file:
        boot = file.boot
        file.store([reading(1)], NOW_MS, 200, durable=True)
        assert [pack.seq for pack in file.cut(200, everything=True)] == [1]
        file.store([reading(2)], NOW_MS, 200, durable=False)
    with opened(path) as file:
        assert file.boot == boot
        assert file.uncut_readings() == 1
        assert [pack.seq for pack in file.cut(200, everything=True)] == [2]
        assert numbers(boot, everything(file)) == [1, 2]
    with opened(tmp_path / "other.db") as other:
        assert other.boot != boot


def test_only_full_packs_are_cut_while_there_is_time(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        for number in range(5):
            file.store([reading(number)], NOW_MS, 2, durable=False)
        assert [pack.readings for pack in file.cut(2, everything=False)] == [2, 2]
        assert [pack.readings for pack in file.cut(2, everything=True)] == [1]


def test_many_readings_at_once_become_packs_within_the_bounds(tmp_path: Path) -> None:
    long_texts = [Reading(f"{BRANCH}/atm-01", "cdm/error", "故障" * 500, NOW_MS + i) for i in range(450)]
    with opened(tmp_path / "outbox.db") as file:
        file.store(long_texts, NOW_MS, 200, durable=True)
        packs = file.cut(200, everything=True)
        assert sum(pack.readings for pack in packs) == 450
        assert all(pack.readings <= 200 for pack in packs)
        assert all(sum(map(len, pack.fragments)) <= PACK_BYTES_LIMIT for pack in packs)


def test_acknowledging_twice_counts_once(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        file.store([reading(1), reading(2)], NOW_MS, 200, durable=True)
        file.cut(200, everything=True)
        assert file.statistics().pending_readings == 2
        for _ in range(2):
            file.mark_acknowledged([1, 77], NOW_MS)
        figures = file.statistics()
        assert (figures.acknowledged_packs, figures.acknowledged_readings, figures.pending_readings) == (1, 2, 0)


def test_an_outbox_of_another_branch_is_refused_with_both_names(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db"):
        pass
    with pytest.raises(ConfigurationError, match="belongs to branch BR0421, expected BR0007"):
        OutboxFile(tmp_path / "outbox.db", "BR0007", NOW_MS)


def test_a_file_that_is_no_database_is_said_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(DependencyUnavailable, match=r"outbox\.db: file is not a database"):
        OutboxFile(path, BRANCH, NOW_MS)
    with pytest.raises(DependencyUnavailable, match="cannot be read"):
        statistics(path)


def test_statistics_are_read_beside_a_running_gateway_and_after_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with opened(path) as file:
        file.store([reading(1), reading(2)], NOW_MS, 200, durable=False)
        running = statistics(path)
        assert running == file.statistics()
        assert (running.produced, running.pending_readings, running.pending_packs) == (2, 2, 0)
        assert (running.oldest_pending_ms, running.newest_ms) == (NOW_MS, NOW_MS + 2)
    assert statistics(path) == running
    with pytest.raises(DependencyUnavailable, match="did its gateway ever start"):
        statistics(tmp_path / "nowhere.db")


def test_refused_inputs_are_kept_newest_first_and_bounded(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        inputs = [RefusedInput(i, "BR0421/alm-01", "device_misbehaved", "CRC", bytes([i % 256])) for i in range(1200)]
        file.keep_refused(inputs, counted=1500)
        kept = file.refused(5000)
        assert len(kept) == REFUSED_LIMIT
        assert kept[0] == inputs[-1]
        assert file.statistics().refused_inputs == 1500


def test_what_a_driver_keeps_is_one_with_its_readings_and_apart_from_other_drivers(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    panel = partial(Keepsake, f"{BRANCH}/alm-01", "dc09")
    with opened(path) as file:
        file.store([reading(1)], NOW_MS, 200, durable=True, keep=panel({"message/a": "1", "message/b": "2"}))
        file.store([], NOW_MS, 200, durable=False, keep=panel({"message/a": None, "message/b": "3", "gone": None}))
        file.store([], NOW_MS, 200, durable=False, keep=Keepsake(f"{BRANCH}/alm-01", "axis", {"message/b": "4"}))
        file._sql.connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON memory BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(DependencyUnavailable, match="full"):
            file.store([reading(2)], NOW_MS, 200, durable=True, keep=panel({"message/b": "5"}))
    with opened(path) as file:
        assert file.recall(f"{BRANCH}/alm-01", "dc09") == {"message/b": "3"}
        assert file.recall(f"{BRANCH}/alm-01", "axis") == {"message/b": "4"}
        assert file.recall(f"{BRANCH}/alm-02", "dc09") == {}
        assert file.statistics().produced == 1


@pytest.mark.parametrize("version", [1, 2])
def test_an_outbox_of_an_earlier_version_is_taken_over_with_its_readings(tmp_path: Path, version: int) -> None:
    path = tmp_path / "outbox.db"
    with opened(path) as file:
        boot = file.boot
        filled(file, 3, range(0))
        if version == 1:
            file._sql.connection.execute("DROP TABLE memory")
        file._sql.connection.execute("ALTER TABLE fragment DROP COLUMN rank")
        file._sql.connection.execute("ALTER TABLE pack DROP COLUMN dropped")
        file._sql.connection.execute(f"PRAGMA user_version = {version}")
    with opened(path) as file:
        assert file.boot == boot
        file.store(mixed(9), NOW_MS + 9, 200, durable=False)
        file.cut(200, everything=True)
        assert [pack.readings for pack in everything(file)] == [1, 1, 1, 3]
        assert file.recall(f"{BRANCH}/alm-01", "dc09") == {}


def test_an_outbox_that_is_open_is_refused_to_a_second_process_and_free_again_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            (
                "import sys; from pathlib import Path; from gateway.outbox import OutboxFile;"
                f"file = OutboxFile(Path(sys.argv[1]), {BRANCH!r}, {NOW_MS}); print('open', flush=True); sys.stdin.read()"
            ),
            str(path),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(ConfigurationError, match=f"process {holder.pid} has it open"), opened(path):
            pass
        assert statistics(path).produced == 0, "figures can be read beside it"
    finally:
        holder.kill()
        holder.communicate()
    with opened(path) as file:
        assert file.statistics().produced == 0


def test_identities_and_starts_are_remembered(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    for boot in ("a", "a", "b", ""):
        with opened(path) as file:
            file.count_start(boot)
            file.keep_identity("BR0421/atm-01", Identity(serial=boot))
    with opened(path) as file:
        assert (file.statistics().starts, file.statistics().host_reboots) == (4, 1)
        assert file.identities() == {"BR0421/atm-01": Identity()}


# -- bounds ------------------------------------------------------------------------------------------------------------


def filled(file: OutboxFile, packs: int, acknowledged: range) -> int:
    """Store so many packs of one reading and acknowledge some; returns bytes of all."""
    for number in range(packs):
        file.store([reading(number)], NOW_MS + number, 200, durable=False)
        file.cut(200, everything=True)
    file.mark_acknowledged(acknowledged, NOW_MS)
    return file.statistics().bytes


def test_only_acknowledged_packs_are_deleted_by_age(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        filled(file, 10, range(1, 6))
        assert file.prune(NOW_MS + 3, 10**9) == Pruned(3, NOTHING_DROPPED)
        assert file.prune(NOW_MS + 3, 10**9).is_over
        assert [pack.seq for pack in everything(file)] == [4, 5, 6, 7, 8, 9, 10]
        assert (file.kept(1, 10), file.statistics().pending_readings) == (7, 5)


def test_a_pack_that_waited_long_for_its_acknowledgement_is_kept_as_long_as_any_other(tmp_path: Path) -> None:
    """After a long outage the broker has it for seconds only, and may lose it."""
    with opened(tmp_path / "outbox.db") as file:
        filled(file, 2, range(0))
        file.mark_acknowledged([1, 2], NOW_MS + 100_000)
        assert file.prune(NOW_MS + 99_000, 10**9).is_over
        assert file.prune(NOW_MS + 100_001, 10**9) == Pruned(2, NOTHING_DROPPED)


@pytest.mark.parametrize("jump_ms", [2 * 365 * 86_400_000, -2 * 365 * 86_400_000])
def test_for_a_retention_time_after_the_clock_was_set_nothing_goes_by_its_age(jump_ms: int) -> None:
    retention = Retention()
    assert retention.past_before_ms(NOW_MS, 1000.0, 60_000) == NOW_MS - 60_000
    assert retention.past_before_ms(NOW_MS + 30_000, 1030.0, 60_000) == NOW_MS - 30_000
    set_ms = NOW_MS + 60_000 + jump_ms
    assert retention.past_before_ms(set_ms, 1060.0, 60_000) == 0
    assert retention.past_before_ms(set_ms + 59_000, 1119.0, 60_000) == 0
    assert retention.past_before_ms(set_ms + 60_000, 1120.0, 60_000) == set_ms


def test_at_the_size_bound_acknowledged_packs_go_first_and_dropped_readings_are_counted(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        total = filled(file, 10, range(6, 11))
        assert file.prune(0, total * 7 // 10) == Pruned(3, NOTHING_DROPPED)
        assert [pack.seq for pack in everything(file)] == [1, 2, 3, 4, 5, 9, 10]
        dropped = NOTHING_DROPPED
        while not (pruned := file.prune(0, total * 2 // 10 + 10)).is_over:
            dropped += pruned.dropped
        assert dropped == Dropped(((Rank.NUMBER, 3),), NOW_MS, NOW_MS + 2)
        left = [(pack.seq, pack.readings, pack.dropped) for pack in everything(file)]
        assert left == [(1, 0, 1), (2, 0, 1), (3, 0, 1), (4, 1, 0), (5, 1, 0)]
        figures = file.statistics()
        assert (figures.dropped_readings, figures.pending_readings, figures.produced) == (3, 2, 10)
        assert figures.bytes == sum(len(part) for pack in everything(file) for part in pack.fragments)


def mixed(number: int) -> list[Reading]:
    at_ms = NOW_MS + number
    return [
        reading(number),
        Reading(f"{BRANCH}/atm-01", "cdm/dispenser", "ok", at_ms, None, 300),
        Reading(f"{BRANCH}/atm-01", "cdm/error", f"jam {number}", at_ms, None, None),
    ]


@pytest.mark.parametrize(("share", "left"), [(80, (0, 0)), (45, (0, 1)), (20, (1, 1))])
def test_gauges_and_counters_are_dropped_before_states_before_events(
    tmp_path: Path, share: int, left: tuple[int, int]
) -> None:
    with opened(tmp_path / "outbox.db") as file:
        for number in range(300):
            file.store(mixed(number), NOW_MS + number, 200, durable=False)
        file.cut(200, everything=True)
        total, dropped = file.statistics().bytes, NOTHING_DROPPED
        while not (pruned := file.prune(0, total * share // 100)).is_over:
            dropped += pruned.dropped
        assert file.statistics().bytes <= total * share // 100
        none_of_states, none_of_numbers = left
        assert dropped.of(Rank.NUMBER) == 300 if none_of_numbers else 0 < dropped.of(Rank.NUMBER) < 300
        assert dropped.of(Rank.STATE) == 300 if none_of_states else dropped.of(Rank.STATE) < 300
        assert dropped.of(Rank.EVENT) == 0 if share > 30 else 0 < dropped.of(Rank.EVENT) < 300
        packs = everything(file)
        assert [pack.seq for pack in packs] == list(range(1, file.statistics().last_seq + 1))
        assert sum(pack.dropped for pack in packs) == dropped.readings == file.statistics().dropped_readings
        assert sum(pack.readings for pack in packs) == 900 - dropped.readings == file.statistics().pending_readings
        kept = [
            name for pack in packs for name, _, _ in readings_of(Header(PackId(BRANCH, "b", 1), NOW_MS), pack.fragments)
        ]
        assert len(kept) == 900 - dropped.readings
        numbers = [int(str(text).split()[1]) for text in texts(packs)]
        assert numbers == list(range(dropped.of(Rank.EVENT), 300)), "the oldest events go first"


def test_a_batch_of_pruning_looks_at_no_more_than_its_packs(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        for number in range(50):
            file.store(mixed(number), NOW_MS + number, 200, durable=False)
            file.cut(200, everything=True)
        queries: list[str] = []
        file._sql.connection.set_trace_callback(queries.append)
        file.prune(0, 10)
        file._sql.connection.set_trace_callback(None)
        (query,) = (text for text in queries if "JOIN fragment" in text)
        plan = [row[3] for row in file._sql.connection.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert any("fragment USING INTEGER PRIMARY KEY" in step for step in plan), plan
        assert not any("AUTOMATIC" in step for step in plan), plan


def test_packs_that_are_being_sent_are_left_whole(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        filled(file, 10, range(0))
        while not file.prune(0, 10, under_way=[3, 4]).is_over:
            pass
        assert [pack.seq for pack in everything(file) if pack.readings] == [3, 4]
        while not file.prune(0, 10).is_over:
            pass
        assert [pack.dropped for pack in everything(file)] == [1] * 10


def texts(packs: list[StoredPack]) -> list[object]:
    rows = [row for pack in packs for row in readings_of(Header(PackId(BRANCH, "b", 1), NOW_MS), pack.fragments)]
    return [value for name, value, _ in rows if name.endswith("/cdm/error")]


# -- properties --------------------------------------------------------------------------------------------------------

_STORE = st.tuples(st.just("store"), st.integers(1, 12))
_CUT = st.tuples(st.sampled_from(["cut", "cut full"]), st.just(0))
_ACKNOWLEDGE = st.tuples(st.just("acknowledge"), st.integers(1, 20))
_REOPEN = st.tuples(st.just("reopen"), st.just(0))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(_STORE, _CUT, _ACKNOWLEDGE, _REOPEN), max_size=30), st.integers(1, 6))
def test_packs_are_numbered_without_gaps_and_hold_every_reading_once_in_order(
    steps: list[tuple[str, int]], most: int
) -> None:
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        path = Path(directory) / "outbox.db"
        file = stack.enter_context(opened(path))
        stored = 0
        for what, amount in steps:
            if what == "store":
                file.store([reading(stored + i) for i in range(amount)], NOW_MS, most, durable=bool(amount % 2))
                stored += amount
            elif what == "acknowledge":
                file.mark_acknowledged([amount], NOW_MS)
            elif what == "reopen":
                stack.close()
                file = stack.enter_context(opened(path))
            else:
                file.cut(most, everything=what == "cut")
        file.cut(most, everything=True)
        packs = everything(file)
        assert [pack.seq for pack in packs] == list(range(1, len(packs) + 1))
        assert numbers(file.boot, packs) == list(range(stored))
        assert all(0 < pack.readings <= most for pack in packs)
        assert file.statistics().produced == stored


def test_a_killed_writer_loses_nothing_it_was_told_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    boots, told, cut, acknowledged = set(), -1, {}, set()
    for life in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.core.writer", str(path), str(1000 * life)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert writer.stdout is not None
        for count, line in enumerate(writer.stdout):
            word, *rest = line.split()
            if word == "opened":
                boots.add(rest[0])
            elif word == "stored":
                told = int(rest[0])
            elif word == "cut":
                assert int(rest[0]) not in cut, "a number was given twice"
                cut[int(rest[0])] = int(rest[1])
            else:
                acknowledged.add(int(rest[0]))
            if count > 60 + 13 * life and word == ("stored", "cut", "acknowledged")[life % 3]:
                break
        writer.kill()
        rest_told = [line.split() for line in writer.stdout]  # what it had said before the kill reached it
        told = max([told, *(int(words[1]) for words in rest_told if words[0] == "stored" and len(words) == 2)])
        for words in rest_told:
            if words[0] == "cut" and len(words) == 3:
                cut[int(words[1])] = int(words[2])
            elif words[0] == "acknowledged" and len(words) == 2:
                acknowledged.add(int(words[1]))
        writer.wait(10)
        writer.stdout.close()
        with opened(path) as file:
            assert boots == {file.boot}
            file.cut(5, everything=True)
            packs = everything(file)
            assert [pack.seq for pack in packs] == list(range(1, len(packs) + 1))
            assert all(packs[seq - 1].readings == readings for seq, readings in cut.items())
            assert acknowledged <= {pack.seq for pack in file.acknowledged(0, 2**53, 10**6)}
            mine = [value for value in numbers(file.boot, packs) if 1000 * life <= value < 1000 * (life + 1)]
            assert mine == list(range(1000 * life, 1000 * life + len(mine)))
            assert mine[-1] >= told
            assert file.statistics().produced == sum(pack.readings for pack in packs)


# -- the asynchronous face -------------------------------------------------------------------------------------------


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    made = new_outbox(tmp_path / "outbox.db", pack_readings=3)
    await made.start()
    yield made
    await made.stop()


async def due_within(outbox: Outbox, flush_s: float, limit_s: float) -> bool:
    try:
        async with asyncio.timeout(limit_s):
            await outbox.wait_for_pack(flush_s)
    except TimeoutError:
        return False
    return True


async def test_a_pack_is_due_when_urgent_or_full_or_old_enough(outbox: Outbox) -> None:
    assert not await due_within(outbox, 0.01, 0.1)
    await outbox.store([reading(1)], urgent=False)
    assert not await due_within(outbox, 30, 0.1)
    assert await due_within(outbox, 0.05, 5)
    await outbox.store([reading(2)], urgent=True)
    assert await due_within(outbox, 30, 5)
    assert [pack.readings for pack in await outbox.cut(everything=True)] == [2]
    assert not await due_within(outbox, 0.01, 0.1)
    for number in range(3):
        await outbox.store([reading(3 + number)], urgent=False)
    assert await due_within(outbox, 30, 5)
    assert outbox.has_full_pack


async def test_what_a_killed_gateway_left_uncut_is_due_at_the_next_start(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        file.store([reading(1)], NOW_MS, 200, durable=True)
    outbox = new_outbox(tmp_path / "outbox.db")
    await outbox.start()
    assert await due_within(outbox, 0.01, 5)
    await outbox.stop()


async def test_a_cancelled_hand_over_is_either_stored_and_told_or_neither(outbox: Outbox) -> None:
    told = 0

    def tell() -> None:
        nonlocal told
        told += 1

    for number in range(200):
        task = asyncio.create_task(outbox.store([reading(number)], urgent=False, on_stored=tell))
        for _ in range(number % 4):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert told > 0
    assert (await outbox.statistics()).produced == told


async def break_disk(outbox: Outbox, pragma: str) -> None:
    """Let SQLite itself refuse to write, as a full or read-only disk makes it."""
    await outbox._submit(lambda: outbox._file._sql.connection.execute(f"PRAGMA {pragma}").fetchall())


@pytest.mark.parametrize(
    ("broken", "mended", "reason"),
    [
        ("max_page_count = 1", "max_page_count = 1000000", "disk is full"),
        ("query_only = ON", "query_only = OFF", "readonly database"),
    ],
)
async def test_a_disk_that_takes_nothing_is_told_and_nothing_is_half_stored(
    outbox: Outbox, broken: str, mended: str, reason: str
) -> None:
    await outbox.store([reading(0)], urgent=False)
    await break_disk(outbox, broken)
    stored, failure = 0, ""
    while not failure and stored < 30_000:
        try:
            await outbox.store([reading(stored)] * 3, urgent=False)
            stored += 3
        except DependencyUnavailable as error:
            failure = str(error)
    assert reason in failure
    await break_disk(outbox, mended)
    assert (await outbox.statistics()).produced == stored + 1
    await outbox.store([reading(10_000)], urgent=True)
    assert sum(pack.readings for pack in await outbox.cut(everything=True)) == stored + 2


async def test_pruning_follows_the_settings(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    outbox = new_outbox(tmp_path / "outbox.db", clock=clock, settings=OutboxSettings(retention_h=1))
    await outbox.start()
    await outbox.store([reading(1)], urgent=False)
    await outbox.cut(everything=True)
    await outbox.mark_acknowledged([1])
    clock.advance(3_600_000)
    await outbox.prune()
    assert await outbox.kept(1, 1) == 1
    clock.advance(1)
    await outbox.prune()
    assert await outbox.kept(1, 1) == 0
    await outbox.stop()


async def test_a_clock_two_years_ahead_does_not_end_the_time_a_pack_is_kept(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    outbox = new_outbox(tmp_path / "outbox.db", clock=clock)
    await outbox.start()
    await outbox.store([reading(1)], urgent=False)
    await outbox.cut(everything=True)
    await outbox.mark_acknowledged([1])
    await outbox.prune()
    clock.advance(2 * 365 * 86_400_000)
    await outbox.prune()
    assert await outbox.kept(1, 1) == 1
    await outbox.stop()


async def test_a_closed_outbox_says_so(tmp_path: Path) -> None:
    with pytest.raises(DependencyUnavailable, match="not open"):
        await new_outbox(tmp_path / "outbox.db").store([reading(1)], urgent=False)
