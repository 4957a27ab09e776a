from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DeviceMisbehaved
from gateway.drivers.axis import memory
from gateway.drivers.axis.history import INTERVAL
from gateway.drivers.axis.live_sum import LiveSum, parse_live_sum
from gateway.drivers.axis.settings import Settings
from gateway.drivers.axis.totals import Change, Totals, advance, observe, wait_to_next_s

INTERVAL_S = INTERVAL.total_seconds()
NOON = datetime(2026, 11, 22, 12, 0, 0)  # noqa: DTZ001


def sums(people_in: int, people_out: int, at: datetime = NOON, serial: str = "A") -> LiveSum:
    return LiveSum.model_validate(
        {"serial": serial, "timestamp": f"{at.year:04d}{at:%m%d%H%M%S}", "in": people_in, "out": people_out}
    )


def after(*answers: LiveSum, every_s: float = 60) -> Totals:
    totals = advance(None, answers[0], 0)
    for index, answer in enumerate(answers[1:], start=1):
        totals = advance(totals, answer, index * every_s)
    return totals


def test_the_documented_answer_is_read() -> None:
    answer = parse_live_sum(
        b'{"serial":"00408CAC512B","name":"Exit south","timestamp":"20170503112756","in":12,"out":318}'
    )
    assert answer.serial == "00408CAC512B"
    assert answer.timestamp == datetime(2017, 5, 3, 11, 27, 56)  # noqa: DTZ001
    assert (answer.in_today, answer.out_today) == (12, 318)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"serial":"A","timestamp":"20170503112756","in":12}',
        b'{"serial":"A","timestamp":"20170503112756","in":-1,"out":0}',
        b'{"serial":"A","timestamp":"20170503112756","in":1.5,"out":0}',
        b'{"serial":"A","timestamp":"20170503112756","in":"1","out":0}',
        b'{"serial":"A","timestamp":"20170503112756","in":99999999999,"out":0}',
        b'{"serial":"A","timestamp":"20170503112756","in":NaN,"out":0}',
        b'{"serial":"","timestamp":"20170503112756","in":1,"out":0}',
        b'{"serial":"A","timestamp":"20171332112756","in":1,"out":0}',
        b'{"serial":"A","timestamp":"2017-05-03T11:27:56","in":1,"out":0}',
        b'{"serial":"A","timestamp":20170503112756,"in":1,"out":0}',
        b'{"serial":"\xff","timestamp":"20170503112756","in":1,"out":0}',
    ],
)
def test_a_malformed_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(DeviceMisbehaved, match=r"live-sum\.json"):
        parse_live_sum(answer)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_and_nothing_else(answer: bytes) -> None:
    with pytest.raises(DeviceMisbehaved):
        parse_live_sum(answer)


def test_counters_start_at_zero_and_grow_with_the_totals() -> None:
    totals = after(sums(100, 90), sums(103, 95), sums(103, 95))
    assert (totals.people_in, totals.people_out, totals.change) == (3, 5, Change.CONTINUED)
    assert totals.counted_s == 60


def test_after_midnight_what_is_counted_today_is_added() -> None:
    totals = after(sums(100, 90), sums(4, 1, NOON + timedelta(days=1)))
    assert (totals.people_in, totals.people_out, totals.change, totals.reboots) == (4, 1, Change.NEW_DAY, 0)


def test_a_missed_midnight_is_told_by_the_date_even_where_the_totals_grew() -> None:
    totals = after(sums(3, 3), sums(10, 9, NOON + timedelta(days=2)))
    assert (totals.people_in, totals.people_out, totals.change) == (10, 9, Change.NEW_DAY)


def test_a_fall_on_the_same_day_is_a_restart() -> None:
    totals = after(sums(100, 90), sums(2, 91))
    assert (totals.people_in, totals.people_out, totals.change, totals.reboots) == (2, 91, Change.RESTARTED, 1)


def test_a_clock_that_is_set_back_a_day_loses_and_adds_nothing() -> None:
    totals = after(sums(100, 90), sums(101, 90, NOON - timedelta(days=1)))
    assert (totals.people_in, totals.people_out, totals.change) == (1, 0, Change.CONTINUED)


def test_another_sensor_starts_from_where_it_is() -> None:
    totals = after(sums(100, 90), sums(7, 800, serial="B"), sums(8, 800, serial="B"))
    assert (totals.people_in, totals.people_out, totals.reboots) == (1, 0, 0)


def test_intervals_without_an_answer_are_counted() -> None:
    assert after(sums(1, 1), sums(2, 1)).missing_intervals == 0
    assert after(sums(1, 1), sums(2, 1), every_s=INTERVAL_S * 1.9).missing_intervals == 0
    assert after(sums(1, 1), sums(2, 1), every_s=INTERVAL_S * 5).missing_intervals == 4


def test_occupancy_is_never_negative() -> None:
    assert {seen.path: seen.value for seen in observe(after(sums(90, 100)), 0)}["total/occupancy"] == 0
    assert {seen.path: seen.value for seen in observe(after(sums(100, 90)), 0)}["total/occupancy"] == 10


def test_imbalance_is_told_from_fifty_counts_on() -> None:
    assert "sensor/imbalance" not in {seen.path for seen in observe(after(sums(25, 24)), 0)}
    assert {seen.path: seen.value for seen in observe(after(sums(30, 20)), 0)}["sensor/imbalance"] == pytest.approx(
        1 / 3, abs=1e-4
    )


def test_the_last_count_grows_old_while_nobody_passes() -> None:
    totals = after(sums(1, 1), sums(2, 1), sums(2, 1), sums(2, 1))
    assert {seen.path: seen.value for seen in observe(totals, 200)}["sensor/last_count_age"] == 140


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 30)), min_size=1, max_size=30))
def test_counters_only_grow_whatever_the_sensor_says(answers: list[tuple[int, int, int]]) -> None:
    before = advance(None, sums(0, 0), 0)
    for people_in, people_out, hours in answers:
        totals = advance(before, sums(people_in, people_out, NOON + timedelta(hours=hours)), 60)
        assert totals.people_in >= before.people_in
        assert totals.people_out >= before.people_out
        assert totals.reboots >= before.reboots
        assert totals.missing_intervals >= before.missing_intervals
        before = totals


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6), min_size=1, max_size=5)
)
def test_every_passage_is_counted_over_days_if_each_day_is_seen_to_its_end(days: list[list[tuple[int, int]]]) -> None:
    totals = advance(None, sums(0, 0), 0)
    passed_in = passed_out = 0
    for day, passages in enumerate(days):
        people_in = people_out = 0
        for minute, (more_in, more_out) in enumerate(passages):
            people_in, people_out = people_in + more_in, people_out + more_out
            passed_in, passed_out = passed_in + more_in, passed_out + more_out
            totals = advance(totals, sums(people_in, people_out, NOON + timedelta(days=day, minutes=minute)), 60)
    assert (totals.people_in, totals.people_out, totals.reboots) == (passed_in, passed_out, 0)


def test_the_last_poll_of_a_day_is_just_before_midnight() -> None:
    assert wait_to_next_s(NOON, 60) == 60
    assert wait_to_next_s(NOON.replace(hour=23, minute=59, second=30), 60) == 28
    assert wait_to_next_s(NOON.replace(hour=23, minute=59, second=58), 60) == 60


def test_a_sensor_at_the_end_of_the_calendar_is_polled_on() -> None:
    assert wait_to_next_s(datetime(9999, 12, 31, 23, 59, 30), 60) == 28  # noqa: DTZ001


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), st.integers(0, 10**6), st.integers(0, 7200))  # noqa: DTZ001
def test_kept_totals_read_back_the_same_on_another_steady_clock(at: datetime, people_in: int, away_s: int) -> None:
    known = advance(after(sums(0, 0, at), sums(0, 0, at)), sums(people_in, 3, at), 120)
    text = memory.write(known, 130, 1_795_338_918_000)
    read = memory.read(text, away_s + 1, 1_795_338_918_000 + away_s * 1000)
    assert read is not None
    assert read.last == known.last
    assert (read.people_in, read.people_out, read.reboots) == (people_in, 3, 0)
    assert read.received_s == 1 - 10
    again = advance(read, sums(people_in + 2, 3, at), away_s + 1)
    assert again.people_in == people_in + 2
    assert again.missing_intervals == known.missing_intervals + max(0, int((away_s + 10) // INTERVAL_S) - 1)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"serial": "A"}'])
def test_kept_totals_that_cannot_be_read_are_none(text: str) -> None:
    assert memory.read(text, 0, 0) is None


def test_a_user_needs_a_password() -> None:
    with pytest.raises(ValueError, match="belong together") as refused:
        Settings.model_validate({"host": "127.0.0.1", "password": "hunter2"})
    assert "hunter2" not in str(refused.value)
