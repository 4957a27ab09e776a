"""Who comes and goes, and what the counter makes of it."""

from collections import Counter as Tally
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.footfall.counter import HISTORY_DAYS, SEEN, SEEN_TWICE, Bin, Counter
from simulators.footfall.profile import HOUR_SHARES, WEEKDAY_FACTORS, day_factor, visitors_an_hour
from simulators.footfall.visitors import STAFF, STAY_MEAN_S, Crossing, Crowd, Direction
from simulators.world import CHINA, World

MONDAY = datetime(2026, 11, 2, tzinfo=CHINA)


def crowd(now: datetime = MONDAY, visitors_a_day: float = 280, seed: int = 1) -> Crowd:
    return Crowd(visitors_a_day, World(seed=seed).chance("ftf"), now)


def counter(seed: int = 1) -> Counter:
    return Counter("ACCC8E000001", MONDAY.date(), World(seed=seed).chance("counter"))


def see(one: Counter, times: int, direction: Direction, now: datetime = MONDAY) -> None:
    for _ in range(times):
        one.see(direction, now)


def test_a_day_of_the_profile_sums_to_the_visitors_of_that_day() -> None:
    day = sum(visitors_an_hour(MONDAY + timedelta(hours=hour), 280) for hour in range(24))
    assert day == pytest.approx(280 * WEEKDAY_FACTORS[0])


def test_pension_days_and_the_month_s_end_bring_more() -> None:
    assert day_factor(date(2026, 11, 11)) == pytest.approx(1.25)
    assert day_factor(date(2026, 11, 28)) == pytest.approx(0.80 * 1.15)
    assert day_factor(date(2026, 11, 4)) == pytest.approx(1.0)


def test_arrivals_have_the_shape_of_the_profile() -> None:
    wednesday = MONDAY + timedelta(days=2)
    one = crowd(wednesday, visitors_a_day=20_000)
    crossings = one.advance(wednesday + timedelta(days=1))
    arrivals = Tally(crossing.at.hour for crossing in crossings if crossing.direction is Direction.IN)
    staff_hours = {8}
    assert set(arrivals) == staff_hours | set(range(9, 17))
    for index, share in enumerate(HOUR_SHARES):
        assert arrivals[9 + index] == pytest.approx(20_000 * share, rel=0.1)


def test_visitors_stay_twenty_minutes_on_average() -> None:
    wednesday = MONDAY + timedelta(days=2)
    one = crowd(wednesday, visitors_a_day=5000)
    now, person_seconds = wednesday, 0.0
    arrived = 0
    for crossing in one.advance(wednesday + timedelta(hours=13)):
        person_seconds += (arrived if crossing.at.hour >= 9 else 0) * (crossing.at - now).total_seconds()
        now = crossing.at
        arrived += 1 if crossing.direction is Direction.IN else -1
    came = sum(visitors_an_hour(wednesday + timedelta(hours=hour), 5000) for hour in range(13))
    staff_seconds = STAFF * 4 * 3600
    assert (person_seconds - staff_seconds) / came == pytest.approx(STAY_MEAN_S, rel=0.15)


def test_at_noon_the_staff_are_already_inside() -> None:
    assert crowd(MONDAY.replace(hour=12)).inside == STAFF


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    visitors=st.floats(1, 600),
    cuts=st.lists(st.floats(0.001, 30), min_size=1, max_size=12),
)
def test_nobody_leaves_who_did_not_come_and_the_night_is_empty(seed: int, visitors: float, cuts: list[float]) -> None:
    one = crowd(visitors_a_day=visitors, seed=seed)
    inside = one.inside
    last = MONDAY
    for cut in [*cuts, 24]:
        for crossing in one.advance(one.local_now + timedelta(hours=cut)):
            assert crossing.at >= last
            last = crossing.at
            inside += 1 if crossing.direction is Direction.IN else -1
            assert inside >= 0
        assert one.inside == inside
    night = (one.local_now + timedelta(days=1)).replace(hour=2)
    one.advance(night)
    assert one.inside == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.floats(0.001, 20), min_size=1, max_size=20))
def test_how_often_one_looks_changes_nobody_s_day(seed: int, cuts: list[float]) -> None:
    often, once = crowd(seed=seed), crowd(seed=seed)
    end = MONDAY + timedelta(hours=sum(cuts))
    pieces: list[Crossing] = []
    for cut in cuts:
        pieces += often.advance(min(end, often.local_now + timedelta(hours=cut)))
    assert pieces + often.advance(end) == once.advance(end)


def test_the_counter_errs_as_its_maker_says() -> None:
    one = counter()
    see(one, 20_000, Direction.IN)
    see(one, 20_000, Direction.OUT)
    assert one.total.people_in == pytest.approx(20_000 * SEEN[Direction.IN] * (1 + SEEN_TWICE), rel=0.01)
    assert one.total.people_out == pytest.approx(20_000 * SEEN[Direction.OUT] * (1 + SEEN_TWICE), rel=0.01)


def test_a_covered_counter_stands_still() -> None:
    one = counter()
    see(one, 100, Direction.IN)
    before = one.total.people_in
    one.covered = True
    see(one, 100, Direction.IN)
    assert one.total.people_in == before
    one.covered = False
    see(one, 100, Direction.IN)
    assert one.total.people_in > before


def test_a_swapped_counter_takes_in_for_out() -> None:
    one = counter()
    one.swapped = True
    see(one, 100, Direction.IN)
    assert one.total.people_in == 0
    assert one.total.people_out > 90
    assert one.occupancy == 0


def test_a_knocked_counter_misses_a_quarter_of_those_who_leave() -> None:
    one = counter()
    one.knocked = True
    see(one, 10_000, Direction.IN)
    see(one, 10_000, Direction.OUT)
    assert one.total.people_out / one.total.people_in == pytest.approx(0.75, abs=0.03)


def test_totals_start_again_at_midnight_and_the_history_stays() -> None:
    one = counter()
    see(one, 50, Direction.IN, MONDAY.replace(hour=23, minute=59))
    yesterday = one.total.people_in
    one.tick(MONDAY + timedelta(days=1))
    assert one.total == Bin(0, 0)
    assert yesterday > 40
    bins = one.binned(MONDAY.date(), 15, MONDAY + timedelta(days=1))
    assert len(bins) == 96
    assert bins[MONDAY.replace(hour=23, minute=45)].people_in == yesterday


def test_bins_of_every_width_hold_the_same_people() -> None:
    one = counter()
    for hour in range(24):
        see(one, hour, Direction.IN, MONDAY.replace(hour=hour, minute=hour * 2))
    end = MONDAY + timedelta(hours=23, minutes=59)
    for width, count in ((15, 96), (60, 24), (1440, 1)):
        bins = one.binned(MONDAY.date(), width, end)
        assert len(bins) == count
        assert sum(counts.people_in for counts in bins.values()) == one.total.people_in
    assert list(one.binned(MONDAY.date(), 60, MONDAY.replace(hour=2, minute=30))) == [
        MONDAY.replace(hour=hour) for hour in range(3)
    ]


def test_old_days_are_forgotten() -> None:
    one = counter()
    see(one, 10, Direction.IN)
    one.tick(MONDAY + timedelta(days=HISTORY_DAYS))
    assert MONDAY.date() in one.days()
    one.tick(MONDAY + timedelta(days=HISTORY_DAYS + 1))
    assert MONDAY.date() not in one.days()
