"""What a sensor's own history adds to its totals: never more and never less than people passed."""

import json
import time
import tracemalloc
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DeviceMisbehaved
from gateway.drivers.axis import memory
from gateway.drivers.axis.history import INTERVAL, Day, History, Interval, parse_history, query_of
from gateway.drivers.axis.live_sum import LiveSum
from gateway.drivers.axis.totals import Change, Totals, advance, days_to_ask

DAY = datetime(2026, 11, 22)  # noqa: DTZ001
MINUTE = timedelta(minutes=1)
MOST_DAYS = 7


class People:
    """Who passed a sensor, minute by minute; says what a sound sensor would say of it."""

    def __init__(self, passages: Sequence[tuple[int, int, int]] = ()) -> None:
        self.passages = [(DAY + minute * MINUTE, more_in, more_out) for minute, more_in, more_out in passages]

    def between(self, begin: datetime, end: datetime) -> tuple[int, int]:
        mine = [(more_in, more_out) for at, more_in, more_out in self.passages if begin <= at < end]
        return sum(one for one, _ in mine), sum(other for _, other in mine)

    def live(self, at: datetime, serial: str = "A", since: datetime | None = None) -> LiveSum:
        midnight = datetime.combine(at.date(), datetime.min.time())
        people_in, people_out = self.between(max(midnight, since or midnight), at)
        said = {"serial": serial, "timestamp": f"{at:%Y%m%d%H%M%S}", "in": people_in, "out": people_out}
        return LiveSum.model_validate(said)

    def history(self, at: datetime, days: Sequence[Any], lost: frozenset[datetime] = frozenset()) -> History:
        """Days as the sensor has them at a moment, the interval it is in included."""
        found = {}
        for day in days:
            begin = datetime.combine(day, datetime.min.time())
            starts = [begin + number * INTERVAL for number in range(96)]
            found[day] = Day(
                tuple(
                    Interval(start + INTERVAL, *self.between(start, min(at, start + INTERVAL)))
                    for start in starts
                    if start < at and start not in lost
                )
            )
        return found


def step(totals: Totals | None, people: People, at: datetime, elapsed_s: float, **told: Any) -> Totals:
    answer = people.live(at, **told)
    received_s = (totals.received_s if totals else 0) + elapsed_s
    days = days_to_ask(totals, answer, received_s, MOST_DAYS)
    return advance(totals, answer, received_s, people.history(at, days))


_PASSAGES = st.lists(st.tuples(st.integers(0, 4 * 1440 - 1), st.integers(0, 5), st.integers(0, 5)), max_size=60)
_POLLS = st.lists(st.integers(1, 4 * 86_400 - 1), min_size=2, max_size=12, unique=True).map(sorted)


@given(_PASSAGES, _POLLS)
def test_every_passage_counts_once_however_rarely_the_sensor_is_asked(
    passages: list[tuple[int, int, int]], polls: list[int]
) -> None:
    people = People(passages)
    totals: Totals | None = None
    last_s = polls[0]
    for poll_s in polls:
        before = totals
        totals = step(totals, people, DAY + timedelta(seconds=poll_s), poll_s - last_s)
        last_s = poll_s
        passed = people.between(DAY + timedelta(seconds=polls[0]), DAY + timedelta(seconds=poll_s))
        assert (totals.people_in, totals.people_out) == passed
        for point in totals.points:
            assert before is not None
            truth = people.between(DAY + timedelta(seconds=polls[0]), point.at)
            assert (before.people_in + point.people_in, before.people_out + point.people_out) == truth
        assert totals.missing_intervals == 0


@given(_PASSAGES, _POLLS, st.sets(st.integers(0, 4 * 96 - 1), max_size=40))
def test_a_history_with_holes_never_makes_a_counter_fall_or_count_too_much(
    passages: list[tuple[int, int, int]], polls: list[int], holes: set[int]
) -> None:
    people, lost = People(passages), frozenset(DAY + hole * INTERVAL for hole in holes)
    totals: Totals | None = None
    last_s = polls[0]
    for poll_s in polls:
        at = DAY + timedelta(seconds=poll_s)
        answer, received_s = people.live(at), float(poll_s)
        history = people.history(at, days_to_ask(totals, answer, received_s, MOST_DAYS), lost)
        before, totals = totals, advance(totals, answer, received_s, history)
        passed = people.between(DAY + timedelta(seconds=polls[0]), at)
        assert totals.people_in <= passed[0]
        assert totals.people_out <= passed[1]
        if before is not None:
            path = [0, *(point.people_in for point in totals.points), totals.people_in - before.people_in]
            assert path == sorted(path)
            assert totals.missing_intervals >= before.missing_intervals
        last_s = poll_s
    assert totals is not None
    assert totals.missing_intervals <= last_s // 900


def test_holes_of_the_history_are_counted() -> None:
    people = People([(60, 3, 1)])
    first = step(None, people, DAY + 50 * MINUTE, 0)
    at = DAY + 200 * MINUTE
    lost = frozenset({DAY + 4 * INTERVAL, DAY + 5 * INTERVAL, DAY + 40 * INTERVAL})
    totals = advance(first, people.live(at), 9000, people.history(at, [at.date()], lost))
    assert totals.missing_intervals == 2
    assert totals.people_in == 3


def test_a_gap_of_which_there_is_no_history_is_missing_and_the_totals_count() -> None:
    people = People([(60, 3, 1)])
    first = step(None, people, DAY + 45 * MINUTE, 0)
    totals = advance(first, people.live(DAY + 120 * MINUTE), 4500, {})
    assert (totals.people_in, totals.missing_intervals, totals.points) == (3, 5, ())


def test_the_last_seconds_before_midnight_come_from_the_closed_day() -> None:
    people = People([(1439, 4, 2), (1441, 1, 0)])
    evening = step(None, people, DAY + 1438 * MINUTE, 0)
    asked = days_to_ask(evening, people.live(DAY + 1442 * MINUTE), 240, MOST_DAYS)
    assert asked == (DAY.date(),)
    morning = step(evening, people, DAY + 1442 * MINUTE, 240)
    assert (morning.people_in, morning.people_out, morning.change) == (5, 2, Change.NEW_DAY)
    assert morning.points == ()
    assert step(morning, people, DAY + 1443 * MINUTE, 60).people_in == 5


def test_what_a_restart_took_from_the_totals_is_taken_from_the_history() -> None:
    people = People([(600, 10, 9), (605, 2, 0), (607, 1, 1), (1439, 1, 0)])
    before = step(None, people, DAY + 604 * MINUTE, 0)
    restarted_at = DAY + 606 * MINUTE
    after = step(before, people, DAY + 608 * MINUTE, 240, since=restarted_at)
    assert (after.people_in, after.people_out, after.reboots, after.change) == (3, 1, 1, Change.RESTARTED)
    evening = step(after, people, DAY + 1438 * MINUTE, 60, since=restarted_at)
    assert evening.people_in == 3
    assert step(evening, people, DAY + 1450 * MINUTE, 720).people_in == 4


def test_cleared_data_begins_anew_and_counts_nothing_twice() -> None:
    people = People([(600, 10, 9)])
    before = step(None, people, DAY + 604 * MINUTE, 0)
    cleared = People([(605, 2, 0), (1439, 1, 0)])
    after = step(before, cleared, DAY + 606 * MINUTE, 120)
    assert (after.people_in, after.people_out) == (2, 0)
    assert (after.day_in, after.day_out) == (2, 0)
    evening = step(after, cleared, DAY + 1438 * MINUTE, 60)
    assert step(evening, cleared, DAY + 1450 * MINUTE, 720).people_in == 3


def test_a_clock_that_was_set_by_years_brings_no_history() -> None:
    people = People([(60, 3, 1)])
    early = People().live(datetime(2017, 1, 1, 12))  # noqa: DTZ001
    first = advance(None, early, 0)
    assert days_to_ask(first, people.live(DAY + 70 * MINUTE), 60, MOST_DAYS) == ()
    totals = advance(first, people.live(DAY + 70 * MINUTE), 60, {})
    assert (totals.people_in, totals.missing_intervals) == (3, 0)


def test_more_days_than_are_asked_for_are_missing() -> None:
    people = People()
    first = step(None, people, DAY, 0)
    at = DAY + timedelta(days=10)
    assert len(days_to_ask(first, people.live(at), 864_000, MOST_DAYS)) == MOST_DAYS + 1
    assert step(first, people, at, 864_000).missing_intervals == 3 * 96


def test_history_is_switched_off_by_zero_days() -> None:
    first = step(None, People(), DAY, 0)
    assert days_to_ask(first, People().live(DAY + timedelta(days=2)), 172_800, 0) == ()


@given(_PASSAGES, st.integers(0, 2 * 86_400), st.integers(0, 2 * 86_400), st.booleans())
def test_a_killed_gateway_goes_on_where_its_memory_ends(
    passages: list[tuple[int, int, int]], first_s: int, away_s: int, turned: bool
) -> None:
    people = People(passages)
    totals = step(step(None, people, DAY + timedelta(seconds=first_s), 0), people, DAY + timedelta(seconds=first_s), 0)
    text = memory.write(totals, totals.received_s, 1_795_338_918_000, inverted=turned)
    read = memory.read(text, 5.0, 1_795_338_918_000 + away_s * 1000, inverted=turned)
    assert read is not None
    at = DAY + timedelta(seconds=first_s + away_s)
    after = advance(read, people.live(at), 5.0, people.history(at, days_to_ask(read, people.live(at), 5.0, MOST_DAYS)))
    assert (after.people_in, after.people_out) == people.between(DAY + timedelta(seconds=first_s), at)


def test_memory_turns_with_the_setting_that_turns_the_sensor() -> None:
    people = People([(10, 7, 2)])
    totals = step(step(None, people, DAY, 0), people, DAY + 20 * MINUTE, 60)
    read = memory.read(memory.write(totals, 60, 1_795_338_918_000), 60, 1_795_338_918_000, inverted=True)
    assert read is not None
    assert (read.last.in_today, read.last.out_today) == (2, 7)
    assert (read.day_in, read.day_out) == (2, 7)
    assert read.people_in == 7  # what was told stays told


# -- the answer --------------------------------------------------------------------------------------------------------


def export(data: Any, types: Any = None, serial: str = "A", delta: Any = 900) -> bytes:
    counter = {
        "name": "door",
        "serial": serial,
        "delta": delta,
        "types": {"In": 66, "Out": 67} if types is None else types,
    }
    return json.dumps({"counter": counter, "data": data}).encode()


def parsed(body: bytes) -> list[tuple[int, int]]:
    return [(one.people_in, one.people_out) for one in parse_history(body, DAY.date(), "A").intervals]


def test_intervals_are_read_in_order_with_their_ends() -> None:
    day = parse_history(export({"20261122001500": [3, 4], "20261122000000": [1, 2]}), DAY.date(), "A")
    assert day.intervals == (Interval(DAY + INTERVAL, 1, 2), Interval(DAY + 2 * INTERVAL, 3, 4))
    assert (day.people_in, day.people_out) == (4, 6)
    assert query_of(DAY.date()) == "export-json&date=20261122&res=15m"


@pytest.mark.parametrize(
    "types",
    [
        {"Occupancy": 64, "Average Time": 64, "Total In": 66, "Total Out": 67},
        ["occupancy", "time", "in", "out"],
    ],
)
def test_the_names_of_the_types_say_where_the_figures_stand(types: Any) -> None:
    assert parsed(export({"20261122000000": [0, 0, 17, 16]}, types)) == [(17, 16)]


def test_without_names_in_comes_before_out() -> None:
    assert parsed(export({"20261122000000": [17, 16]}, {})) == [(17, 16)]


def test_intervals_of_other_days_and_intervals_without_figures_are_left_out() -> None:
    body = export(
        {"20261121234500": [9, 9], "20261122234500": [1, 1], "20261123000000": [9, 9], "20261122000000": [None, None]}
    )
    day = parse_history(body, DAY.date(), "A")
    assert day.intervals == (Interval(DAY + timedelta(days=1), 1, 1),)


def test_an_inverted_sensors_history_is_inverted() -> None:
    day = parse_history(export({"20261122000000": [17, 16]}), DAY.date(), "A", invert=True)
    assert (day.people_in, day.people_out) == (16, 17)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b"[" * 100_000,
        export([]),
        export({"today": [1, 2]}),
        export({"20261322000000": [1, 2]}),
        export({"20261122000000": [-1, 2]}),
        export({"20261122000000": [1.5, 2]}),
        export({"20261122000000": ["1", 2]}),
        export({"20261122000000": 3}),
        export({"20261122000000": [10**9, 2]}),
        export({"20261122000000": [1, 2]}, delta=0),
        export({"99991231235959": [1, 2]}),
        export({"20261122000000": [1, 2]}, serial="B"),
        export({f"202611{day:02d}{hour:02d}{minute:02d}00": [1, 2] for day in range(1, 30) for hour in range(24) for minute in range(0, 60, 15)}),
    ],
)  # fmt: skip
def test_a_malformed_history_is_refused(body: bytes) -> None:
    with pytest.raises(DeviceMisbehaved, match="export-json"):
        parse_history(body, DAY.date(), "A")


@given(st.binary(max_size=300) | st.from_regex(rb'\{"data":\{"\d{14}":\[[^\]]{0,20}\]\}\}', fullmatch=True))
def test_random_histories_are_read_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        day = parse_history(body, DAY.date(), "A")
    except DeviceMisbehaved:
        return
    assert all(interval.people_in >= 0 for interval in day.intervals)


def test_memory_stays_flat_under_malformed_histories() -> None:
    bodies = [b"{" * 5000, export({"x" * 4000: [1]}), export({"20261122000000": ["y" * 4000]}), b"\xff" * 5000]
    began_s = time.monotonic()

    def feed(times: int) -> None:
        for number in range(times):
            with pytest.raises(DeviceMisbehaved):
                parse_history(bodies[number % len(bodies)] + str(number).encode(), DAY.date(), "A")

    feed(500)
    tracemalloc.start()
    feed(500)
    before, _ = tracemalloc.get_traced_memory()
    feed(20_000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 500_000, f"{after - before} bytes more after {time.monotonic() - began_s:.1f} s"
