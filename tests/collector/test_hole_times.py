"""Between when missing packs were made: told by the packs around the leap in the seqs."""

from collector.hole_times import HoleTimes, Span
from contracts.pack import PackId

BRANCH, BOOT = "BR1", "boot-a"


def pack(seq: int, boot: str = BOOT) -> PackId:
    return PackId(BRANCH, boot, seq)


def span(times: HoleTimes, low: int, high: int) -> Span:
    return times.span(BRANCH, BOOT, low, high)


def test_what_a_live_pack_leaves_out_lies_between_it_and_the_live_one_before() -> None:
    times = HoleTimes()
    for seq, sent_at_ms in ((1, 1000), (2, 2000), (6, 9000), (7, 9500)):
        times.notice(pack(seq), sent_at_ms, live=True)
    assert span(times, 3, 5) == Span(2000, 9000)
    assert span(times, 4, 4) == Span(2000, 9000)
    assert span(times, 8, 8) == Span()


def test_what_fills_a_hole_late_does_not_move_its_bounds() -> None:
    times = HoleTimes()
    times.notice(pack(1), 1000, live=True)
    times.notice(pack(9), 9000, live=True)
    times.notice(pack(4), 9100, live=False)
    assert span(times, 2, 3) == Span(1000, 9000)
    assert span(times, 5, 8) == Span(1000, 9000)


def test_a_back_filled_pack_was_sent_later_than_made_and_is_no_lower_bound() -> None:
    times = HoleTimes()
    times.notice(pack(1), 1000, live=True)
    times.notice(pack(2), 5000, live=False)
    times.notice(pack(4), 5100, live=False)
    assert span(times, 3, 3) == Span(1000, 5100)


def test_after_a_restart_the_newest_stored_reading_is_the_lower_bound() -> None:
    times = HoleTimes()
    times.begin({(BRANCH, BOOT): 10}, {BRANCH: 700}.get)
    times.notice(pack(13), 2000, live=True)
    assert span(times, 11, 12) == Span(700, 2000)
    assert span(times, 5, 5) == Span(), "a hole of before the restart"
    times.notice(pack(3, "boot-b"), 3000, live=True)
    assert times.span(BRANCH, "boot-b", 1, 2) == Span(700, 3000)


def test_a_hole_over_several_leaps_lies_between_the_first_and_the_last() -> None:
    times = HoleTimes()
    for seq, sent_at_ms in ((1, 1000), (3, 3000), (5, 5000)):
        times.notice(pack(seq), sent_at_ms, live=True)
    assert span(times, 2, 4) == Span(1000, 5000)
    times.forget(BRANCH, BOOT)
    assert span(times, 2, 2) == Span()
    times.notice(pack(7), 7000, live=True)
    assert span(times, 6, 6) == Span(5000, 7000)


def test_only_so_many_leaps_are_remembered() -> None:
    times = HoleTimes()
    for seq in range(1, 1001, 2):
        times.notice(pack(seq), seq, live=True)
    assert span(times, 2, 2) == Span()
    assert span(times, 998, 998) == Span(997, 999)
