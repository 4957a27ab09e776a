"""Report by exception, on the catalogue's own rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import ALARM_PANEL, ATM
from contracts.errors import RefusalCode
from contracts.signals import Sort
from gateway.driver import Observation
from gateway.report import CLOCK_STEP_MS, TEXT_LIMIT, Report
from gateway.reporter import COUNTER_PAUSE_MS, Reporter
from tests.gateway.core.wire import NOW_MS

DEVICE = "BR0421/atm-01"


class Told:
    """A reporter whose reports are always accepted."""

    def __init__(self, reporter: Reporter | None = None) -> None:
        self.reporter = reporter or Reporter(DEVICE, ATM)
        self.now_ms = NOW_MS

    def take(self, path: str, value: float | str, observed_at_ms: int | None = None) -> Report:
        return self.accepted(self.reporter.take([Observation(path, value, observed_at_ms)], self.now_ms))

    def beat(self, *, reachable: bool = True) -> Report:
        return self.accepted(self.reporter.beat(self.now_ms, reachable=reachable))

    def accepted(self, report: Report) -> Report:
        self.reporter.accept(report)
        return report


def values(report: Report) -> list[tuple[str, float | str]]:
    return [(reading.path, reading.value) for reading in report.readings]


def test_a_state_is_reported_when_it_changes_and_not_before() -> None:
    told = Told()
    assert values(told.take("cdm/dispenser", "ok")) == [("cdm/dispenser", "ok")]
    assert not told.take("cdm/dispenser", "ok").readings
    assert values(told.take("cdm/dispenser", "stop")) == [("cdm/dispenser", "stop")]


@pytest.mark.parametrize(
    ("before", "after", "urgent"),
    [
        (None, "ok", False),
        (None, "stop", True),
        ("ok", "attention", True),
        ("attention", "stop", True),
        ("stop", "attention", False),
        ("stop", "ok", False),
        ("unknown", "ok", False),
        ("stop", "unknown", False),
    ],
)
def test_only_a_condition_that_got_worse_is_urgent(before: str | None, after: str, urgent: bool) -> None:
    told = Told()
    if before is not None:
        told.take("cdm/dispenser", before)
    assert told.take("cdm/dispenser", after).urgent is urgent


def test_an_event_is_always_reported_and_urgent() -> None:
    told = Told()
    for _ in range(2):
        report = told.take("cdm/error", "hardware/clear: jam")
        assert values(report) == [("cdm/error", "hardware/clear: jam")]
        assert report.urgent


def test_an_unlisted_word_becomes_unknown_and_its_text_an_error_event_once() -> None:
    told = Told()
    told.take("cdm/dispenser", "ok")
    expected = [("cdm/dispenser", "unknown"), ("cdm/error", "cdm/dispenser: wobbly")]
    assert values(told.take("cdm/dispenser", "wobbly")) == expected
    assert not told.take("cdm/dispenser", "wobbly").readings
    assert values(told.take("cdm/dispenser", "shaky")) == [("cdm/error", "cdm/dispenser: shaky")]
    assert values(told.take("cdm/dispenser", "ok")) == [("cdm/dispenser", "ok")]


def test_an_unlisted_word_of_a_component_without_error_event_is_only_unknown() -> None:
    told = Told()
    assert values(told.take("vdm/service", "dreaming")) == [("vdm/service", "unknown")]


def test_a_gauge_is_reported_when_it_moved_by_its_deadband_from_the_last_report() -> None:
    told = Told()
    told.take("link/round_trip", 1.0)
    assert not told.take("link/round_trip", 1.1).readings
    assert values(told.take("link/round_trip", 1.25)) == [("link/round_trip", 1.25)]


def test_a_heartbeat_reports_the_current_value_and_not_the_last_reported_one() -> None:
    told = Told()
    told.take("link/round_trip", 1.0)
    told.take("link/round_trip", 1.1)
    told.now_ms += 299_999
    assert not told.beat().readings
    told.now_ms += 1
    report = told.beat()
    assert values(report) == [("link/round_trip", 1.1)]
    assert report.readings[0].update_s == 300
    assert report.readings[0].observed_at_ms == told.now_ms
    assert not told.beat().readings


def test_a_polled_value_is_reported_again_at_its_heartbeat() -> None:
    told = Told()
    told.take("cdm/dispenser", "ok")
    told.now_ms += 300_000
    assert values(told.take("cdm/dispenser", "ok")) == [("cdm/dispenser", "ok")]


def test_a_device_out_of_reach_beats_only_that_its_link_is_down() -> None:
    told = Told()
    told.take("link/state", "up")
    told.take("cdm/dispenser", "ok")
    told.now_ms += 400_000
    assert not told.beat(reachable=False).readings
    told.take("link/state", "down")
    told.now_ms += 60_000
    assert values(told.beat(reachable=False)) == [("link/state", "down")]


def test_a_counter_is_reported_at_most_once_in_ten_seconds_and_its_growth_is_not_lost() -> None:
    told = Told()
    told.take("idc/insertions", 1)
    told.now_ms += 1000
    assert not told.take("idc/insertions", 2).readings
    assert not told.beat().readings
    told.now_ms += COUNTER_PAUSE_MS - 1000
    assert values(told.beat()) == [("idc/insertions", 2)]
    assert not told.beat().readings


def test_a_counter_that_falls_reports_what_it_had_reached_first() -> None:
    told = Told()
    told.take("idc/insertions", 100)
    told.now_ms += 1000
    told.take("idc/insertions", 105)
    told.now_ms += 1000
    report = told.take("idc/insertions", 3)
    assert values(report) == [("idc/insertions", 105), ("idc/insertions", 3)]
    assert report.readings[0].observed_at_ms == NOW_MS + 1000


def test_growth_held_back_is_drained_with_the_time_it_was_seen() -> None:
    told = Told()
    told.take("idc/insertions", 1)
    told.now_ms += 1000
    told.take("idc/insertions", 2)
    told.now_ms += 5000
    report = told.accepted(told.reporter.drain())
    assert [(item.value, item.observed_at_ms) for item in report.readings] == [(2, NOW_MS + 1000)]
    assert not told.reporter.drain().readings


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("cdm/nonsense", 1.0, RefusalCode.UNKNOWN_SIGNAL),
        ("cdm/unit0/count", 1.0, RefusalCode.UNKNOWN_SIGNAL),
        ("cdm/dispenser", 1.0, RefusalCode.WRONG_TYPE),
        ("cdm/error", 1.0, RefusalCode.WRONG_TYPE),
        ("cdm/unit1/count", "many", RefusalCode.WRONG_TYPE),
        ("cdm/unit1/count", True, RefusalCode.WRONG_TYPE),
        ("cdm/unit1/count", float("nan"), RefusalCode.BAD_VALUE),
        ("cdm/unit1/count", float("inf"), RefusalCode.BAD_VALUE),
        ("cdm/unit1/count", 10**400, RefusalCode.BAD_VALUE),
        ("idc/insertions", -1, RefusalCode.BAD_VALUE),
    ],
)
def test_what_the_catalogue_does_not_allow_is_refused_and_the_rest_is_taken(
    path: str, value: float | str, code: RefusalCode
) -> None:
    reporter = Reporter(DEVICE, ATM)
    report = reporter.take([Observation(path, value), Observation("cdm/dispenser", "ok")], NOW_MS)
    assert [refusal.code for refusal in report.refusals] == [code]
    assert values(report) == [("cdm/dispenser", "ok")]


def test_a_time_that_the_wire_would_read_as_relative_is_refused() -> None:
    report = Reporter(DEVICE, ATM).take([Observation("cdm/dispenser", "ok", 5)], NOW_MS)
    assert [refusal.code for refusal in report.refusals] == [RefusalCode.TIME_OUT_OF_RANGE]


def test_a_device_that_invents_parts_cannot_fill_the_memory() -> None:
    reporter = Reporter("BR0421/alm-01", ALARM_PANEL)
    observations = [Observation(f"zone{number}/alarm", "restored") for number in range(1, 6001)]
    report = reporter.take(observations, NOW_MS)
    assert (len(report.readings), len(report.refusals)) == (5000, 1000)


def test_nothing_is_remembered_of_a_report_that_was_not_accepted() -> None:
    reporter = Reporter(DEVICE, ATM)
    first = reporter.take([Observation("cdm/dispenser", "stop")], NOW_MS)
    assert reporter.take([Observation("cdm/dispenser", "stop")], NOW_MS) == first


def test_a_snapshot_says_everything_that_is_known_now_but_no_events() -> None:
    told = Told()
    for path, value in (("link/state", "up"), ("cdm/dispenser", "ok"), ("idc/insertions", 4), ("cdm/error", "x")):
        told.take(path, value)
    told.now_ms += 5000
    report = told.accepted(told.reporter.snapshot(told.now_ms, reachable=True))
    assert values(report) == [("link/state", "up"), ("cdm/dispenser", "ok"), ("idc/insertions", 4)]
    assert {item.observed_at_ms for item in report.readings} == {told.now_ms}
    assert not told.reporter.snapshot(told.now_ms, reachable=False).readings
    told.take("link/state", "down")
    assert values(told.reporter.snapshot(told.now_ms, reachable=False)) == [("link/state", "down")]


def test_text_is_bounded_and_free_of_what_breaks_json() -> None:
    report = Told().take("cdm/error", "a\x00\ud800" + "b" * 5000)
    text = str(report.readings[0].value)
    assert len(text) == TEXT_LIMIT
    assert text.startswith("a\ufffd\ufffdbbb")
    text.encode()


def test_times_follow_a_clock_that_was_set_back_and_wait_for_one_that_was_corrected() -> None:
    told = Told()
    told.take("cdm/dispenser", "ok")
    told.now_ms -= 1000
    assert told.take("cdm/dispenser", "stop").readings[0].observed_at_ms == NOW_MS + 1
    told.now_ms = NOW_MS - 2 * 365 * 86_400_000
    assert told.take("cdm/dispenser", "ok").readings[0].observed_at_ms == told.now_ms


def test_a_heartbeat_comes_soon_after_the_clock_was_set_back() -> None:
    told = Told()
    told.take("cdm/dispenser", "ok")
    told.now_ms -= CLOCK_STEP_MS + 1
    assert values(told.beat()) == [("cdm/dispenser", "ok")]
    assert not told.beat().readings


def test_times_of_a_new_life_come_after_those_of_the_last() -> None:
    told = Told(Reporter(DEVICE, ATM, floor_ms=NOW_MS + 5))
    assert told.take("cdm/dispenser", "ok").readings[0].observed_at_ms == NOW_MS + 6


def test_history_reaches_the_store_with_its_own_time_and_changes_nothing_of_now() -> None:
    told = Told()
    told.take("idc/insertions", 100)
    told.now_ms += 3_600_000
    told.take("idc/insertions", 130)
    for minutes, value in ((15, 107), (30, 119), (59, 130)):
        report = told.take("idc/insertions", value, NOW_MS + minutes * 60_000)
        assert [(item.value, item.observed_at_ms) for item in report.readings] == [(value, NOW_MS + minutes * 60_000)]
        assert not report.urgent
    assert told.reporter.current("idc/insertions") == 130
    assert not told.reporter.drain().readings
    told.now_ms += COUNTER_PAUSE_MS
    assert values(told.take("idc/insertions", 131)) == [("idc/insertions", 131)]


def test_history_handed_over_before_the_present_is_reported_in_order() -> None:
    told = Told()
    told.take("idc/insertions", 100)
    told.now_ms += 3_600_000
    past = [Observation("idc/insertions", 100 + quarter, NOW_MS + quarter * 900_000) for quarter in (1, 2, 3)]
    report = told.accepted(told.reporter.take([*past, Observation("idc/insertions", 109)], told.now_ms))
    assert [item.observed_at_ms - NOW_MS for item in report.readings] == [900_000, 1_800_000, 2_700_000, 3_600_000]
    assert [item.value for item in report.readings] == [101, 102, 103, 109]


@pytest.mark.parametrize(
    ("path", "value"), [("cdm/dispenser", "wobbly"), ("cdm/dispenser", 1.0), ("idc/insertions", -1)]
)
def test_unsound_history_is_refused(path: str, value: float | str) -> None:
    told = Told()
    told.take("cdm/dispenser", "ok")
    told.take("idc/insertions", 1)
    told.now_ms += 60_000
    report = told.take(path, value, NOW_MS - 60_000)
    assert [refusal.code for refusal in report.refusals] == [RefusalCode.BAD_VALUE]
    assert not report.readings


def test_what_waited_behind_a_heartbeat_is_no_history() -> None:
    told = Told()
    told.take("cdm/dispenser", "ok")
    told.now_ms += 320_000
    assert values(told.beat()) == [("cdm/dispenser", "ok")]
    report = told.take("cdm/dispenser", "stop", told.now_ms - 20_000)
    assert values(report) == [("cdm/dispenser", "stop")]
    assert report.readings[0].observed_at_ms == told.now_ms + 1
    assert told.reporter.current("cdm/dispenser") == "stop"


def test_a_dated_value_after_the_clock_was_set_back_is_no_history() -> None:
    told = Told()
    told.take("idc/insertions", 100)
    told.now_ms -= 86_400_000
    assert values(told.take("idc/insertions", 101, told.now_ms)) == [("idc/insertions", 101)]
    assert told.reporter.current("idc/insertions") == 101


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "beat", "snapshot", "drain"]),
        st.sampled_from(["cdm/dispenser", "idc/insertions", "cdm/unit1/count", "cdm/error", "link/round_trip"]),
        st.integers(0, 50),
        st.integers(-2000, 400_000),
        st.booleans(),
    ),
    max_size=60,
)


@given(_STEPS)
def test_times_of_a_series_grow_and_the_last_report_speaks_for_the_current_value(  # noqa: C901  (one step a branch)
    steps: list[tuple[str, str, int, int, bool]],
) -> None:
    told = Told()
    newest: dict[str, int] = {}
    current: dict[str, float | str] = {}
    reported: dict[str, float | str] = {}
    for what, path, number, elapsed_ms, reachable in steps:
        told.now_ms += elapsed_ms
        signal = ATM.signal(path)
        assert signal is not None
        match what:
            case "take":
                value: float | str = number
                if signal.sort is Sort.STATE:
                    value = signal.states[number % len(signal.states)].word
                elif signal.sort is Sort.EVENT:
                    value = str(number)
                report = told.take(path, value)
                current[path] = value
            case "beat":
                report = told.beat(reachable=reachable)
            case "snapshot":
                report = told.accepted(told.reporter.snapshot(told.now_ms, reachable=reachable))
            case _:
                report = told.accepted(told.reporter.drain())
        for item in report.readings:
            assert item.observed_at_ms > newest.get(item.path, 0)
            newest[item.path] = item.observed_at_ms
            reported[item.path] = item.value
    for item in told.accepted(told.reporter.drain()).readings:
        reported[item.path] = item.value
    for path, value in current.items():
        known = ATM.signal(path)
        assert known is not None
        if known.sort in {Sort.STATE, Sort.COUNTER}:
            assert reported[path] == value
        elif known.sort is Sort.GAUGE:
            assert not known.deadband.exceeded(float(reported[path]), float(value))
