"""Texts of errors: a burst passes, an endless stream becomes a trickle, nothing is forgotten silently."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.xfs4iot.error_texts import BURST_MOST, REFILL_PER_S, ErrorTexts


def test_a_burst_passes_and_the_rest_is_told_as_a_number() -> None:
    texts = ErrorTexts()
    told = [texts.take(f"e{index}", 0.0) for index in range(BURST_MOST + 7)]
    assert told == [f"e{index}" for index in range(BURST_MOST)] + [None] * 7
    assert texts.take("next", 1 / REFILL_PER_S) == "next (and 7 more before it)"
    assert texts.take("later", 1000.0) == "later"


@given(st.lists(st.floats(0, 5), min_size=1, max_size=400))
def test_no_more_is_told_than_the_burst_and_the_refill(waits_s: list[float]) -> None:
    texts, now_s = ErrorTexts(), 0.0
    told = 0
    for wait_s in waits_s:
        now_s += wait_s
        told += texts.take("e", now_s) is not None
    assert told <= BURST_MOST + now_s * REFILL_PER_S + 1
