"""The benchmarks of decoding and of the series registry run, and what they say can be."""

from tests.bench.test_benchmarks import run


def test_the_way_from_bytes_to_the_store_is_measured_and_nothing_is_lost_on_it() -> None:
    found = run("decoding", "--seconds", "0", "--gateways", "3", "--series", "100", "--packs", "4")
    assert set(found) == {
        "readings", "packs_a_batch", "prepare_us", "commit_us", "total_us", "strict_us", "poison_us",
    }  # fmt: skip
    assert (found["readings"], found["packs_a_batch"]) == (400, 4)
    assert 0 < found["prepare_us"] <= found["total_us"]
    assert found["strict_us"] > 0
    assert found["poison_us"] > 0


def test_the_series_registry_is_measured() -> None:
    found = run("series", "--series", "3000")
    assert set(found) == {"series", "load_s", "bytes_per_series", "of_device_us"}
    assert found["series"] == 3000
    assert found["of_device_us"] > 0
