"""Counters from pushes that are lost, repeated, late and checked by totals."""

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.milesight import counting, memory
from gateway.drivers.milesight.counting import Counts
from gateway.drivers.milesight.report import Report, parse_report
from tests.gateway.milesight.pushes import BEGIN, encoded, push

CHINA = timezone(timedelta(hours=8))
NOW_MS = round(BEGIN.timestamp() * 1000)
MIDNIGHT = BEGIN + timedelta(hours=15)


def taken(counts: Counts, made: dict[str, Any], **settings: Any) -> Counts:
    report = parse_report(encoded(made)).placed(CHINA)
    at = report.begin_at or report.end_at
    assert at is not None
    now_ms = max(round((report.end_at or at).timestamp() * 1000), counts.received_ms or 0)
    return counting.take(counts, report, report.periodic, at.astimezone(CHINA).date(), now_ms, **settings)


def after(pushes: Iterable[dict[str, Any]], **settings: Any) -> Counts:
    counts = Counts()
    for made in pushes:
        counts = taken(counts, made, **settings)
    return counts


def test_intervals_add_up_over_lines() -> None:
    counts = after([push(0, {1: (3, 1), 2: (0, 1)}), push(1, {1: (2, 2), 2: (1, 0)})])
    assert counts.total() == (6, 4)
    assert counts.lines[1].counted == (5, 3)
    assert (counts.missing, counts.reboots) == (0, 0)


def test_missing_intervals_are_counted() -> None:
    assert after([push(0, {1: (1, 0)}), push(1, {1: (1, 0)}), push(5, {1: (1, 0)})]).missing == 3


def test_totals_bring_what_was_in_a_missing_interval() -> None:
    counts = after([push(0, {1: (1, 0)}, {1: (100, 90)}), push(2, {1: (1, 0)}, {1: (105, 91)})])
    assert counts.total() == (1 + 5, 1)
    assert counts.missing == 1


def test_totals_that_were_not_expected_count_one_missing_interval() -> None:
    counts = after([push(0, {1: (1, 0)}, {1: (100, 90)}), push(1, {1: (1, 0)}, {1: (105, 90)})])
    assert (counts.total(), counts.missing) == ((6, 0), 1)


def test_the_first_totals_are_where_counting_begins() -> None:
    counts = after([push(0, {1: (3, 1)}, {1: (8442, 15583)})])
    assert counts.total() == (3, 1)


def test_a_late_interval_that_the_totals_had_already_is_not_counted_again() -> None:
    pushes = [push(0, {1: (1, 0)}, {1: (1, 0)}), push(2, {1: (1, 0)}, {1: (4, 0)}), push(1, {1: (2, 0)}, {1: (3, 0)})]
    counts = after(pushes)
    assert counts.total() == (4, 0)
    assert taken(counts, push(3, {1: (1, 0)}, {1: (5, 0)})).total() == (5, 0)


def test_a_late_interval_counts_where_there_are_no_totals() -> None:
    assert after([push(0, {1: (1, 0)}), push(2, {1: (1, 0)}), push(1, {1: (2, 0)})]).total() == (4, 0)


def test_totals_fall_at_midnight_and_that_is_no_restart() -> None:
    counts = after([
        push(-2, {1: (1, 0)}, {1: (400, 390)}, at=MIDNIGHT),
        push(-1, {1: (2, 1)}, {1: (402, 391)}, at=MIDNIGHT),
        push(0, {1: (3, 0)}, {1: (3, 0)}, at=MIDNIGHT),
        push(1, {1: (0, 1)}, {1: (3, 1)}, at=MIDNIGHT),
    ])  # fmt: skip
    assert counts.total() == (6, 2)
    assert (counts.missing, counts.reboots, counts.carries_over) == (0, 0, False)
    assert counts.today() == (3, 1)


def test_the_last_interval_of_a_day_may_come_with_totals_that_were_reset_already() -> None:
    counts = after([
        push(-2, {1: (1, 0)}, {1: (400, 390)}, at=MIDNIGHT),
        push(-1, {1: (2, 1)}, {1: (0, 0)}, at=MIDNIGHT),
        push(0, {1: (3, 0)}, {1: (3, 0)}, at=MIDNIGHT),
    ])  # fmt: skip
    assert (counts.total(), counts.reboots) == ((6, 1), 0)


def test_totals_that_go_on_over_midnight_are_noticed() -> None:
    counts = after([
        push(-1, {1: (2, 1)}, {1: (8402, 15391)}, at=MIDNIGHT),
        push(0, {1: (3, 0)}, {1: (8405, 15391)}, at=MIDNIGHT),
    ])  # fmt: skip
    assert (counts.total(), counts.carries_over) == ((5, 1), True)
    after_gap = taken(counts, push(0, {1: (1, 1)}, {1: (8500, 15400)}, at=MIDNIGHT + timedelta(hours=33)))
    assert after_gap.total() == (100, 10)
    assert after_gap.missing > 1000


@pytest.mark.parametrize(("totals_reset", "expected"), [("midnight", 2 + 500), ("never", 2 + 98)])
def test_a_midnight_in_an_outage_is_as_the_settings_say(totals_reset: str, expected: int) -> None:
    pushes = [
        push(-60, {1: (2, 1)}, {1: (402, 391)}, at=MIDNIGHT),
        push(600, {1: (3, 0)}, {1: (500, 391)}, at=MIDNIGHT),
    ]
    assert after(pushes, totals_reset=totals_reset).total()[0] == expected


def test_a_restart_is_told_by_the_running_time_and_its_totals_count_from_nothing() -> None:
    counts = after([
        push(0, {1: (5, 5)}, {1: (100, 90)}, running_s=9000),
        push(3, {1: (1, 0)}, {1: (4, 0)}, running_s=150),
    ])  # fmt: skip
    assert counts.reboots == 1
    assert counts.total() == (9, 5)


def test_without_a_running_time_a_fall_of_the_totals_is_a_restart() -> None:
    pushes = [push(0, {1: (5, 5)}, {1: (100, 90)}), push(1, {1: (1, 0)}, {1: (1, 0)})]
    for made in pushes:
        del made["device_info"]["running_time"]
    assert after(pushes).reboots == 1


def test_another_sensors_totals_are_not_held_against_the_old_ones() -> None:
    counts = after(
        [push(0, {1: (5, 5)}, {1: (100, 90)}), push(1, {1: (1, 0)}, {1: (9000, 2)}, serial="NEW", running_s=5)]
    )
    assert (counts.serial, counts.total(), counts.reboots, counts.missing) == ("NEW", (6, 5), 0, 0)


def test_a_clock_that_is_set_ahead_makes_no_missing_intervals() -> None:
    first, second = push(0, {1: (1, 0)}), push(1, {1: (1, 0)}, at=BEGIN + timedelta(days=300))
    counts = taken(Counts(), first)
    report = parse_report(encoded(second)).placed(CHINA)
    counts = counting.take(counts, report, report.periodic, datetime(2027, 9, 18).date(), NOW_MS + 120_000)  # noqa: DTZ001
    assert (counts.missing, counts.total()) == (0, (2, 0))


def test_a_sensor_without_counts_of_intervals_is_counted_by_its_totals() -> None:
    counts = after([push(0, None, {1: (100, 90)}), push(1, None, {1: (103, 91)}), push(2, None, {1: (103, 95)})])
    assert (counts.total(), counts.missing) == ((3, 5), 0)


def test_occupancy_is_the_sensors_capacity_or_in_minus_out_and_never_negative() -> None:
    report = parse_report(encoded(push(0, {1: (9, 2)}, {1: (12, 5), 2: (1, 3)})))
    counts = after([push(0, {1: (9, 2)})])
    assert counting.occupancy(counts, report.totals) == 5
    assert counting.occupancy(counts, ()) == 7
    assert counting.occupancy(after([push(0, {1: (2, 9)})]), ()) == 0


_MINUTES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from(["came", "came", "came", "lost", "late"])),
    min_size=3,
    max_size=40,
)


@given(_MINUTES, st.integers(-30, 5), st.booleans())
def test_with_totals_every_person_counts_once_whatever_is_lost_or_late(
    minutes: list[tuple[int, int, str]], begin: int, carries: bool
) -> None:
    """The first push comes, and the last; in between the network does what it likes, midnight included."""
    counts, waiting = Counts(), list[dict[str, Any]]()
    passed = total = (0, 0)
    for place, (people_in, people_out, fate) in enumerate(minutes):
        minute = begin + place
        if minute == 0 and not carries:
            total = (0, 0)
        total = (total[0] + people_in, total[1] + people_out)
        passed = (passed[0] + people_in, passed[1] + people_out)
        made = push(minute, {1: (people_in, people_out)}, {1: total}, at=MIDNIGHT, running_s=86_400 + 60 * minute)
        at_the_edge = abs(minute) <= 1  # what is lost at midnight itself no total has
        if fate == "came" or place in {0, len(minutes) - 1} or at_the_edge:
            counts = taken(counts, made)
            for late in waiting:
                counts = taken(counts, late)
            waiting = []
        elif fate == "late":
            waiting.append(made)
    assert counts.total() == passed
    assert counts.reboots == 0


@given(_MINUTES)
def test_counters_only_grow_and_survive_the_gateway(minutes: list[tuple[int, int, str]]) -> None:
    counts = Counts()
    for minute, (people_in, people_out, fate) in enumerate(minutes):
        made = push(
            minute * (1 if fate == "came" else -1),
            {1: (people_in, people_out)},
            {1: (people_out, people_in)} if fate == "late" else None,
        )
        before, counts = counts, taken(counts, made)
        assert counts.total()[0] >= before.total()[0]
        assert counts.missing >= before.missing
        assert memory.read_counts({memory.COUNTS: memory.write_counts(counts)}) == counts


@pytest.mark.parametrize("text", ["", "{}x", '{"lines": 5}'])
def test_counts_that_cannot_be_read_begin_anew(text: str) -> None:
    assert memory.read_counts({memory.COUNTS: text}) == Counts()


def test_intervals_known_are_bounded_and_kept_in_order() -> None:
    recent, kept = memory.RecentIntervals(), dict[str, str]()
    for number in range(memory.MOST_INTERVALS + 10):
        key = memory.key_of("A", "line", str(number))
        for name, text in recent.changes([key]).items():
            if text is None:
                del kept[name]
            else:
                kept[name] = text
        recent.remember([key])
    assert len(recent) == len(kept) == memory.MOST_INTERVALS
    again = memory.RecentIntervals(kept)
    assert memory.key_of("A", "line", "9") not in again
    assert memory.key_of("A", "line", "10") in again
    assert list(again.changes(["new"]).values()) == [str(memory.MOST_INTERVALS + 11), None]


def test_a_report_without_time_is_taken() -> None:
    counts = counting.take(Counts(), Report("A"), (), None, NOW_MS)
    assert counts.serial == "A"
