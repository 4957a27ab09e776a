from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.sia_dc09.extended_data import OLDEST_OCCURRENCE_MS, occurred_at_ms, shown

NOW_MS = 1_795_338_918_000  # 2026-11-22 09:15:18 UTC
OCCURRED = "[MAABBCCDDEEFF][H09:10:18,11-22-2026]"


def test_the_time_of_occurrence_is_read() -> None:
    assert occurred_at_ms(OCCURRED, NOW_MS, None) == NOW_MS - 300_000
    assert occurred_at_ms("[H_09:10:18,11-22-2026]", NOW_MS, 0.0) == NOW_MS - 300_000


def test_it_is_told_by_the_gateways_clock() -> None:
    assert occurred_at_ms(OCCURRED, NOW_MS, 42.0) == NOW_MS - 342_000
    assert occurred_at_ms("[H09:20:18,11-22-2026]", NOW_MS, 400.0) == NOW_MS - 100_000


def test_a_time_that_cannot_be_is_left_out() -> None:
    for extra in (
        "",
        "[MAABB]",
        "[H]",
        "[Hsoon]",
        "[H25:61:00,13-32-2026]",
        "[H09:16:18,11-22-2026]",
        "[H00:00:00,01-01-2000]",
    ):
        assert occurred_at_ms(extra, NOW_MS, None) is None
    assert occurred_at_ms("[H09:15:18,11-15-2026]", NOW_MS, None) == NOW_MS - OLDEST_OCCURRENCE_MS
    assert occurred_at_ms("[H09:15:17,11-15-2026]", NOW_MS, None) is None


def test_a_part_of_a_second_makes_no_future() -> None:
    assert occurred_at_ms("[H09:15:18,11-22-2026]", NOW_MS - 500, None) == NOW_MS - 500


def test_a_new_encryption_key_is_not_shown() -> None:
    assert shown("[MAABB][K0123456789ABCDEF][IWest]") == "[MAABB][K][IWest]"


@given(st.text(max_size=80), st.none() | st.floats(-1e9, 1e9))
def test_any_extended_data_is_read_or_left_out(extra: str, skew_s: float | None) -> None:
    at_ms = occurred_at_ms(extra, NOW_MS, skew_s)
    assert at_ms is None or NOW_MS - OLDEST_OCCURRENCE_MS <= at_ms <= NOW_MS
    assert isinstance(shown(extra), str)
