"""Closing and opening the DuckDB file again while threads use it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.adapters.duckdb_history import Draft, HistoryFiles
from collector.adapters.duckdb_instance import Instance
from collector.adapters.duckdb_layout import DAY_MS, FileTier, StoreFile

BOUND_S = 20


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(tmp_path / "recent.duckdb", tmp_path, 64)
    instance.open()
    yield instance
    instance.close()


def test_a_restart_in_the_middle_of_writing_a_file_waits_for_it_and_does_not_stop_it(
    instance: Instance, tmp_path: Path
) -> None:
    files = HistoryFiles(instance, tmp_path)
    written: list[StoreFile | None] = []
    restarted = threading.Event()

    def restart() -> None:
        instance.close()
        instance.open()
        restarted.set()

    restarting = threading.Thread(target=restart, daemon=True)

    def fill(draft: Draft) -> None:
        restarting.start()
        while not instance._restarting:
            restarting.join(0.01)
        with instance.cursor() as cursor:  # as where the readings that are summed up are read
            cursor.execute(f"INSERT INTO {draft.table} SELECT range, 1.0, true FROM range(10)")

    def write() -> None:
        written.append(files.write(1, FileTier.READINGS, 10, fill, DAY_MS))

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    writing.join(BOUND_S)
    assert not writing.is_alive(), "the writer of the file and the restart wait for each other"
    restarting.join(BOUND_S)
    assert restarted.is_set()
    (file,) = written
    assert file is not None
    assert file.rows == 10
    with instance.cursor() as cursor:
        alias = instance.attach(cursor, file)
        assert cursor.execute(f"SELECT count(*) FROM {alias}.data").fetchone() == (10,)
