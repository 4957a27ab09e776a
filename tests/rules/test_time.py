"""Opening hours, the pace of time and the notation of series."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.devices import KINDS
from contracts.readings import ReadingBatch, SeriesInfo
from rules.notation import parse_series
from rules.opening_hours import OpeningHours, OpeningHoursSettings, Weekday
from rules.pace import Pace


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


WEEKDAYS = OpeningHours.of(OpeningHoursSettings(opens="09:00", closes="17:00", days=tuple(Weekday)[:5]), "+08:00")


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-02T08:59:59+08:00", False),
        ("2026-03-02T09:00:00+08:00", True),
        ("2026-03-02T16:59:59+08:00", True),
        ("2026-03-02T17:00:00+08:00", False),
        ("2026-03-01T12:00:00+08:00", False),
    ],
)
def test_a_branch_is_open_from_its_opening_minute_to_before_its_closing_minute(moment: str, is_open: bool) -> None:
    assert WEEKDAYS.is_open(ms(moment)) is is_open


def test_the_next_change_skips_the_weekend() -> None:
    assert WEEKDAYS.next_change_ms(ms("2026-03-06T17:00:00+08:00")) == ms("2026-03-09T09:00:00+08:00")
    assert WEEKDAYS.next_change_ms(ms("2026-03-06T12:00:00+08:00")) == ms("2026-03-06T17:00:00+08:00")


@given(st.integers(1_700_000_000, 1_900_000_000), st.sampled_from(["+08:00", "-03:30", "+00:00"]))
def test_nothing_changes_before_the_next_change(second: int, zone: str) -> None:
    hours = OpeningHours.of(OpeningHoursSettings(days=(Weekday.MONDAY, Weekday.SATURDAY)), zone)
    change = hours.next_change_ms(second * 1000)
    assert change > second * 1000
    assert hours.is_open(change - 1) == hours.is_open(second * 1000)
    assert hours.is_open(change) != hours.is_open(change - 1)


def test_hours_that_begin_later_leave_a_branch_that_never_closes_alone() -> None:
    assert not WEEKDAYS.later(2700).is_open(ms("2026-03-02T09:44:59+08:00"))
    assert WEEKDAYS.later(2700).is_open(ms("2026-03-02T09:45:00+08:00"))
    always = OpeningHours.of(OpeningHoursSettings(opens="00:00", closes="24:00"), "+08:00")
    assert always.later(2700).is_open(ms("2026-03-02T00:00:00+08:00"))


@pytest.mark.parametrize("values", [{"opens": "9:00"}, {"opens": "17:00", "closes": "09:00"}, {"days": []}])
def test_wrong_opening_hours_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OpeningHoursSettings.model_validate(values)


def infos(*paths: str) -> list[SeriesInfo]:
    out = []
    for number, path in enumerate(paths):
        signal = KINDS["gateway"].signal(path)
        assert signal is not None
        out.append(SeriesInfo(number, "BR1/gateway", "gateway", path, signal))
    return out


NOW = round(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)


def test_delays_wait_until_the_backlog_is_worked_off() -> None:
    pace = Pace(1_000, 30_000, NOW)
    series = infos("uplink/packs_sent", "uplink/state")
    assert pace.horizon_ms(NOW) is None
    pace.took(ReadingBatch.of([(0, NOW - 600_000, 1.0)]), series, NOW + 1_000)
    assert pace.horizon_ms(NOW + 1_000) is None
    pace.took(ReadingBatch.of([(1, NOW + 1_500, 0.0)]), series, NOW + 1_500)  # the collector's own word
    assert pace.horizon_ms(NOW + 1_500) is None
    pace.took(ReadingBatch.of([(0, NOW + 1_900, 2.0)], live=False), series, NOW + 2_000)
    assert pace.horizon_ms(NOW + 2_000) is None
    pace.took(ReadingBatch.of([(0, NOW + 1_900, 2.0)]), series, NOW + 2_000)
    assert pace.horizon_ms(NOW + 2_000) == NOW + 1_000


def test_delays_do_not_wait_for_ever() -> None:
    pace = Pace(1_000, 30_000, NOW)
    assert pace.horizon_ms(NOW + 29_999) is None
    assert pace.horizon_ms(NOW + 30_000) == NOW + 29_000


def test_a_stall_makes_delays_wait_again() -> None:
    pace = Pace(0, 30_000, NOW)
    series = infos("uplink/packs_sent")
    pace.took(ReadingBatch.of([(0, NOW, 1.0)]), series, NOW)
    assert pace.horizon_ms(NOW + 60_000) == NOW + 60_000
    pace.took(ReadingBatch.of([(0, NOW + 1_000, 1.0)]), series, NOW + 60_000)
    assert pace.horizon_ms(NOW + 60_100) is None


@pytest.mark.parametrize(
    ("text", "samples"),
    [
        ("10x3 _x2 12+1x4", [10, 10, 10, None, None, 12, 13, 14, 15]),
        ("ok jammedOpenx2 _ ok", ["ok", "jammedOpen", "jammedOpen", None, "ok"]),
        ("-1.5 0.5-0.25x3", [-1.5, 0.5, 0.25, 0.0]),
        ("", []),
    ],
)
def test_the_notation_of_series(text: str, samples: list[float | str | None]) -> None:
    assert parse_series(text) == samples


@pytest.mark.parametrize("text", ["10x0", "10y3", "x3", "ok+1x3", "_+1", "1,2"])
def test_what_is_not_the_notation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected value"):
        parse_series(text)
