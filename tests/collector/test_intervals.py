"""The interval set against a plain set of numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.intervals import IntervalSet

numbers = st.integers(0, 60)
ranges = st.lists(st.tuples(numbers, st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=20)


def spelt_out(intervals: list[tuple[int, int]]) -> set[int]:
    return {number for low, high in intervals for number in range(low, high + 1)}


@given(ranges)
def test_it_holds_what_was_added_in_any_order(added: list[tuple[int, int]]) -> None:
    runs = IntervalSet()
    for low, high in added:
        runs.add(low, high)
    expected = spelt_out(added)
    assert spelt_out(list(runs)) == expected
    assert {number for number in range(80) if number in runs} == expected
    assert runs.size() == len(expected)
    assert runs.highest == max(expected, default=None)
    assert runs == IntervalSet(reversed(added))


@given(ranges)
def test_its_runs_are_ascending_and_never_touch(added: list[tuple[int, int]]) -> None:
    runs = list(IntervalSet(added))
    assert all(low <= high for low, high in runs)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(runs))


@given(ranges, numbers, st.integers(0, 60))
def test_what_is_missing_is_the_rest_of_the_range(added: list[tuple[int, int]], low: int, width: int) -> None:
    high = low + width
    missing = IntervalSet(added).missing(low, high)
    assert spelt_out(missing) == set(range(low, high + 1)) - spelt_out(added)
    assert missing == list(IntervalSet(missing))


def test_a_copy_is_independent() -> None:
    runs = IntervalSet([(1, 3)])
    copy = runs.copy()
    copy.add(4)
    assert list(runs) == [(1, 3)]
    assert list(copy) == [(1, 4)]


def test_an_interval_upside_down_is_refused() -> None:
    with pytest.raises(ValueError, match="interval 3 to 2"):
        IntervalSet().add(3, 2)


@given(ranges)
def test_while_its_fills_stand_nothing_below_its_end_has_come(added: list[tuple[int, int]]) -> None:
    """What is remembered of the missing numbers stays right."""
    runs = IntervalSet()
    for low, high in added:
        fills, highest = runs.fills, runs.highest
        missing = [] if highest is None else runs.missing(0, highest)
        runs.add(low, high)
        if runs.fills == fills:
            assert highest is not None
            assert runs.missing(0, runs.highest or 0) == missing
