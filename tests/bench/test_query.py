"""The benchmark of the queries runs on a small store and says what can be."""

from pathlib import Path

from tests.bench.test_benchmarks import run

TIMES = ("latest_branch_ms", "range_1h_ms", "range_24h_ms", "bucketed_30d_ms", "bucketed_24h_200_series_ms")


def test_the_queries_are_measured_on_a_store_that_is_filled_once_and_used_again(tmp_path: Path) -> None:
    options = ("--readings", "60000", "--series", "400", "--days", "2", "--queries", "5", "--directory", str(tmp_path))
    first, again = run("query", *options), run("query", *options)
    assert set(first) == {"readings", "series", "bytes_per_reading", "fill_cpu_us_per_reading", "opening_s", *TIMES}
    assert 50_000 < first["readings"] < 70_000
    assert first["series"] == 400
    assert first["bytes_per_reading"] > 1
    assert first["fill_cpu_us_per_reading"] > 0
    assert (again["readings"], again["fill_cpu_us_per_reading"]) == (first["readings"], 0)
    for found in (first, again):
        for name in TIMES:
            assert 0 < found[name]["p50"] <= found[name]["p95"]
