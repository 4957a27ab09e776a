"""Latest values: the newest observation wins in whatever order readings arrive."""

from hypothesis import given
from hypothesis import strategies as st

from collector.latest import LatestValues
from contracts.readings import ReadingBatch

rows = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 20), st.integers(0, 9).map(float)), max_size=40)


@given(rows, st.integers(1, 7))
def test_the_newest_observation_of_each_series_is_kept(readings: list[tuple[int, int, float]], size: int) -> None:
    latest = LatestValues()
    expected: dict[int, tuple[int, float]] = {}
    for start in range(0, len(readings), size):
        latest.update(ReadingBatch.of(readings[start : start + size]))
    for series, observed_at_ms, value in readings:
        if series not in expected or observed_at_ms >= expected[series][0]:
            expected[series] = (observed_at_ms, value)
    assert {series: latest.get(series) for series in expected} == expected


def test_a_series_without_a_reading_has_no_latest_value() -> None:
    latest = LatestValues()
    latest.update(ReadingBatch.of([(7, 1000, 1.0)]))
    assert latest.get(6) is None
    assert latest.get(1_000_000) is None


def test_an_empty_batch_changes_nothing() -> None:
    latest = LatestValues()
    latest.update(ReadingBatch.of([]))
    assert latest.get(0) is None
