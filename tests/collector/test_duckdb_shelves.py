"""Shelves: no two series on one, the same after a restart, and series of one signal side by side."""

import duckdb
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.adapters.duckdb_shelves import LARGEST_LOT, Shelves
from collector.store import SeriesRow

SIGNALS = [("atm", "cdm/unit1/count"), ("atm", "cdm/device"), ("camera", "link/state")]


def rows(begin: int, signals: list[int]) -> list[SeriesRow]:
    return [SeriesRow(begin + place, f"BR1/d{begin + place}", *SIGNALS[number]) for place, number in enumerate(signals)]


def store(connection: duckdb.DuckDBPyConnection, new: list[SeriesRow], shelves: list[int]) -> None:
    if new:
        values = [
            [row.series, row.device_id, row.kind, row.path, shelf] for row, shelf in zip(new, shelves, strict=True)
        ]
        connection.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?)", values)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 2), max_size=40), st.sampled_from(["kept", "kept and opened again", "failed"])
        ),
        max_size=8,
    )
)
def test_no_two_series_share_a_shelf_whatever_fails_or_restarts(commits: list[tuple[list[int], str]]) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE series (series INT, device_id TEXT, kind TEXT, path TEXT, shelf BIGINT)")
        shelves, number, of_series = Shelves(), 0, dict[int, int]()
        for signals, outcome in commits:
            new = rows(number, signals)
            given_now = shelves.give(new).tolist()
            if outcome != "failed":
                store(connection, new, given_now)
                of_series.update({row.series: shelf for row, shelf in zip(new, given_now, strict=True)})
                number += len(new)
            if outcome != "kept":
                shelves.load(connection)
        assert len(set(of_series.values())) == len(of_series)
        assert shelves.of(list(of_series)) == sorted(of_series.values())
        if of_series:
            stand = shelves.series_on(np.array(list(of_series.values()))).tolist()
            assert stand == list(of_series)


def test_series_of_one_signal_stand_in_long_rows_and_leave_little_room_empty() -> None:
    shelves = Shelves()
    count = 20_000
    given_ = shelves.give(rows(0, [0, 1] * count))  # two signals in turn, as devices report them
    first = np.sort(given_[::2])
    assert (np.diff(first) == 1).mean() > 0.999
    assert given_.max() < 2 * count + 4 * LARGEST_LOT
