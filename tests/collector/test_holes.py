"""Holes: asked for after a grace time, with growing waits, a limited number of times, then given up."""

from hypothesis import given
from hypothesis import strategies as st

from collector.holes import HolePolicy, HoleWatch, Reach, Review
from collector.intervals import IntervalSet
from runtime.supervisor import Backoff

POLICY = HolePolicy(grace_ms=10_000, backoff=Backoff(10, 40), tries=3, abandon_ms=60_000)
NO_GAPS = IntervalSet()


def look(
    watch: HoleWatch,
    committed: list[tuple[int, int]],
    now_s: float,
    reach: Reach = Reach.ASKABLE,
    gaps: IntervalSet = NO_GAPS,
) -> Review:
    return watch.review(IntervalSet(committed), gaps, round(now_s * 1000), reach)


def test_nothing_is_asked_for_before_the_grace_time() -> None:
    watch = HoleWatch(POLICY)
    assert look(watch, [(1, 3), (6, 9)], 0) == Review()
    assert look(watch, [(1, 3), (6, 9)], 9.9) == Review()
    assert look(watch, [(1, 3), (6, 9)], 10) == Review(request=((4, 5),), missing=2, holes=1)


def test_a_first_seq_above_one_is_a_hole_before_it() -> None:
    watch = HoleWatch(POLICY)
    look(watch, [(5, 5)], 0)
    assert look(watch, [(5, 5)], 10).request == ((1, 4),)


def test_waits_between_requests_grow_and_tries_end_in_a_gap() -> None:
    watch = HoleWatch(POLICY)
    asked = []
    given_up = []
    for second in range(200):
        review = look(watch, [(1, 1), (3, 3)], second)
        if review.request:
            asked.append(second)
        if review.gaps:
            given_up.append((second, review.gaps))
            break
    assert asked == [10, 20, 40]
    assert given_up == [(80, ((2, 2),))]


def test_a_gap_is_neither_missing_nor_asked_for_again() -> None:
    watch = HoleWatch(POLICY)
    gaps = IntervalSet([(2, 2)])
    for second in range(0, 100, 5):
        assert look(watch, [(1, 1), (3, 3)], second, gaps=gaps) == Review()


def test_while_a_backlog_fills_a_hole_nothing_is_asked_for() -> None:
    """Live packs overtake the backlog, which needs no asking as long as it moves."""
    watch = HoleWatch(POLICY)
    look(watch, [(1, 10), (1000, 1000)], 0)
    for second in range(1, 60):
        review = look(watch, [(1, 10 + second), (1000, 1000 + second)], second)
        assert review.request == ()
    assert review.missing == 999 - 69
    assert look(watch, [(1, 69), (1000, 1059)], 68).request == ()
    assert look(watch, [(1, 69), (1000, 1059)], 69).request == ((70, 999),)


def test_an_offline_gateway_is_neither_asked_nor_given_up() -> None:
    watch = HoleWatch(POLICY)
    for second in range(0, 5000, 10):
        review = look(watch, [(1, 1), (3, 3)], second, Reach.OFFLINE)
        assert (review.request, review.gaps) == ((), ())
    assert review.missing == 1
    assert look(watch, [(1, 1), (3, 3)], 5000).request == ((2, 2),)


def test_holes_of_an_earlier_outbox_are_given_up_without_asking() -> None:
    watch = HoleWatch(POLICY)
    look(watch, [(2, 2)], 0, Reach.OTHER_BOOT)
    assert look(watch, [(2, 2)], 59, Reach.OTHER_BOOT) == Review(missing=1, holes=1)
    assert look(watch, [(2, 2)], 60, Reach.OTHER_BOOT) == Review(gaps=((1, 1),))


def test_what_is_left_of_a_hole_keeps_its_tries() -> None:
    watch = HoleWatch(POLICY)
    look(watch, [(1, 1), (9, 9)], 0)
    assert look(watch, [(1, 1), (9, 9)], 10).request == ((2, 8),)
    assert look(watch, [(1, 1), (5, 5), (9, 9)], 11).request == ()
    assert look(watch, [(1, 1), (5, 5), (9, 9)], 21).request == ((2, 4), (6, 8))  # the second time
    assert look(watch, [(1, 1), (5, 5), (9, 9)], 40).request == ()
    assert look(watch, [(1, 1), (5, 5), (9, 9)], 41).request == ((2, 4), (6, 8))  # the third, 20 s later


def test_gaps_are_asked_for_once_more_when_their_gateway_is_back() -> None:
    watch = HoleWatch(POLICY)
    gaps = IntervalSet([(2, 2), (4, 6)])
    committed = [(1, 1), (3, 3), (5, 5), (7, 7)]  # 5 came after it was given up
    watch.ask_once_more(0)
    assert look(watch, committed, 9, gaps=gaps).request == (), "its backlog goes first"
    assert look(watch, committed, 10, Reach.OFFLINE, gaps).request == ()
    assert look(watch, committed, 11, gaps=gaps) == Review(request=((2, 2), (4, 4), (6, 6)))
    for second in range(12, 500, 7):
        assert look(watch, committed, second, gaps=gaps) == Review()
    watch.ask_once_more(500_000)
    assert look(watch, committed, 510, gaps=gaps).request == ((2, 2), (4, 4), (6, 6))


def test_many_gaps_are_asked_for_in_several_requests_each_once() -> None:
    watch = HoleWatch(HolePolicy(grace_ms=0, backoff=Backoff(10, 40), tries=3, abandon_ms=60_000, most_ranges=4))
    numbers = range(2, 22, 2)
    gaps = IntervalSet((number, number) for number in numbers)
    committed = [(number, number) for number in range(1, 23, 2)]
    watch.ask_once_more(0)
    asked = [look(watch, committed, second, gaps=gaps).request for second in range(5)]
    assert [len(request) for request in asked] == [4, 4, 2, 0, 0]
    assert [low for request in asked for low, _ in request] == list(numbers)


@given(st.lists(st.tuples(st.sets(st.integers(1, 40), max_size=10), st.integers(0, 30)), max_size=30))
def test_only_missing_seqs_are_ever_asked_for_or_given_up(steps: list[tuple[set[int], int]]) -> None:
    watch = HoleWatch(POLICY)
    committed = IntervalSet([(40, 40)])
    gaps = IntervalSet()
    now_s = 0
    for arrived, pause_s in steps:
        for seq in arrived:
            committed.add(seq)
        now_s += pause_s
        review = watch.review(committed, gaps, now_s * 1000, Reach.ASKABLE)
        for low, high in (*review.request, *review.gaps):
            assert committed.missing(low, high) == [(low, high)]
            assert gaps.missing(low, high) == [(low, high)]
        for low, high in review.gaps:
            gaps.add(low, high)
    everything = IntervalSet([*committed, *gaps])
    for _ in range(40):
        now_s += 50
        for low, high in watch.review(committed, gaps, now_s * 1000, Reach.ASKABLE).gaps:
            gaps.add(low, high)
            everything.add(low, high)
    assert list(everything) == [(1, 40)], "every hole ends as a gap when nothing comes"


def test_a_watch_is_quiet_until_something_is_missing_and_again_when_it_has_come() -> None:
    watch = HoleWatch(POLICY)
    committed, gaps = IntervalSet([(1, 3)]), IntervalSet()
    assert watch.is_quiet(committed, gaps)
    committed.add(4)
    assert watch.is_quiet(committed, gaps)
    committed.add(6)
    assert not watch.is_quiet(committed, gaps)
    watch.review(committed, gaps, 0, Reach.ASKABLE)
    committed.add(5)
    assert not watch.is_quiet(committed, gaps), "the hole it knows is to be let go"
    watch.review(committed, gaps, 0, Reach.ASKABLE)
    assert watch.is_quiet(committed, gaps)
    committed.add(9)
    gaps.add(7, 8)
    assert watch.is_quiet(committed, gaps)
    watch.ask_once_more(0)
    assert not watch.is_quiet(committed, gaps)
