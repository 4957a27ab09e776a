"""The panel without a line: days, mains, battery, alarms."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.alarm_panel.battery import LASTS_S
from simulators.alarm_panel.contact_id import Code, Qualifier, Report, new, restored
from simulators.alarm_panel.day import WITHOUT_MISHAPS, Act, Habits, plan_day
from simulators.alarm_panel.installation import draw_installation
from simulators.alarm_panel.model import Panel
from simulators.alarm_panel.zones import AREAS, BUTTON_ZONE, VAULT, WALL_ZONE, Detector, layout
from simulators.world import CHINA, World

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=CHINA)
MISHAPS_EVERY_DAY = Habits(
    late_share=0.3,
    forgotten_share=0.2,
    bypass_share=0.5,
    exchanges_a_day=0.9,
    alarms_a_month=30,
    entry_error_share=0.5,
    button_a_month=15,
    fuse_a_year=120,
    zone_fault_a_year=30,
    radio_battery_a_year=60,
    battery_a_year=100,
    path_1_a_day=0.5,
    path_2_a_day=0.5,
    service_a_year=100,
)


def panel(now: datetime = NOON, habits: Habits = WITHOUT_MISHAPS, seed: int = 1) -> Panel:
    return Panel(layout(), habits, World(seed=seed).chance("alm"), now)


def test_at_noon_hall_and_counter_are_open_and_the_rest_is_armed() -> None:
    assert panel().armed == {1: False, 2: False, 3: True, 4: True}


def test_at_night_everything_is_armed() -> None:
    assert panel(NOON.replace(hour=23)).armed == dict.fromkeys(AREAS, True)


def test_a_day_opens_before_business_closes_after_it_and_tests_once() -> None:
    night = NOON.replace(hour=0)
    one = panel(night)
    at: dict[str, datetime] = {}
    tests = 0
    while one.local_now < night + timedelta(days=1):
        for report in one.advance(one.local_now + timedelta(minutes=1)):
            at.setdefault(report.block()[:7], one.local_now)
            tests += report.code is Code.PERIODIC_TEST
    assert tests == 1
    assert time(8, 20) <= at["1401 01"].time() <= time(8, 41)
    assert timedelta(minutes=9) <= at["1401 02"] - at["1401 01"] <= timedelta(minutes=21)
    assert time(17, 7) <= at["3401 02"].time() < at["3401 01"].time() <= time(18, 1)
    assert "1454 01" not in at


def test_an_area_nobody_arms_is_reported_as_not_closed() -> None:
    one = panel(habits=replace(WITHOUT_MISHAPS, forgotten_share=1))
    reports = one.advance(NOON.replace(hour=23))
    assert new(Code.NOT_CLOSED, 1) in reports
    assert one.armed[1] is False


def test_late_arming_says_so() -> None:
    one = panel(habits=replace(WITHOUT_MISHAPS, late_share=1))
    reports = one.advance(NOON + timedelta(hours=12))
    late = [report for report in reports if report.code is Code.LATE]
    assert [(report.qualifier, report.area) for report in late] == [(Qualifier.RESTORE, 2), (Qualifier.RESTORE, 1)]


def test_mains_loss_drains_the_battery_until_the_panel_is_dead_and_it_starts_again_with_the_mains() -> None:
    one = panel(NOON.replace(hour=19))
    assert one.set_mains(False) == [new(Code.MAINS_LOSS)]
    assert one.set_mains(False) == []
    low = one.advance(one.local_now + timedelta(seconds=LASTS_S * 0.7))
    assert new(Code.BATTERY_LOW) in low
    one.advance(one.local_now + timedelta(seconds=LASTS_S * 0.4))
    assert not one.alive
    assert one.alarm(WALL_ZONE) == []
    back = one.set_mains(True)
    assert back[0] == new(Code.RESET)
    assert restored(Code.MAINS_LOSS) in back
    charged = one.advance(one.local_now + timedelta(days=1))
    assert restored(Code.BATTERY_LOW) in charged


def test_a_worn_battery_is_low_until_it_is_replaced() -> None:
    one = panel()
    assert one.wear_out_battery() == [new(Code.BATTERY_LOW)]
    assert one.wear_out_battery() == []
    assert restored(Code.BATTERY_LOW) not in one.advance(NOON + timedelta(days=3))
    assert one.replace_battery() == [restored(Code.BATTERY_LOW)]


def test_a_detector_in_a_disarmed_area_sleeps_but_the_button_does_not() -> None:
    one = panel()
    motion_in_hall = next(zone for zone in layout() if zone.area == 1 and zone.detector is Detector.MOTION)
    assert one.alarm(motion_in_hall.number) == []
    assert one.alarm(BUTTON_ZONE) == [new(Code.SILENT_HOLD_UP, 2, BUTTON_ZONE)]


def test_a_second_alarm_or_restore_of_a_zone_says_nothing() -> None:
    one = panel()
    assert len(one.alarm(WALL_ZONE)) == 1
    assert one.alarm(WALL_ZONE) == []
    assert one.alarm_over(WALL_ZONE) == [restored(Code.BURGLARY, 3, WALL_ZONE)]
    assert one.alarm_over(WALL_ZONE) == []


def test_the_same_seed_gives_the_same_days_and_another_seed_others() -> None:
    def month(seed: int) -> list[Report]:
        return panel(habits=Habits(), seed=seed).advance(NOON + timedelta(days=30))

    assert month(1) == month(1)
    assert month(1) != month(2)


def test_zones_have_the_shares_of_a_usual_branch() -> None:
    kinds = Counter(zone.detector for zone in layout(40))
    assert kinds == {
        Detector.MOTION: 16,
        Detector.CONTACT: 8,
        Detector.GLASS: 4,
        Detector.SEISMIC: 4,
        Detector.HOLD_UP: 6,
        Detector.SMOKE: 2,
        Detector.GAS: 1,
        Detector.WATER: 1,
    }
    with pytest.raises(ValueError, match="expected at least 12"):
        layout(11)


def test_false_alarms_come_as_often_as_said() -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(3650)]
    chance = World(seed=3).chance("alm")
    steps = [step for day in days for step in plan_day(day, CHINA, Habits(), layout(), time(2, 0), chance)]
    acts = Counter(step.act for step in steps)
    activations = acts[Act.ENTRY_ALARM] + sum(step.act is Act.ALARM and step.number != BUTTON_ZONE for step in steps)
    assert activations == pytest.approx(0.6 * 3650 / 30, rel=0.35)
    assert acts[Act.BYPASS] == pytest.approx(3650 * 2 / 20, rel=0.25)
    assert acts[Act.TEST] == 3650


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), hours=st.lists(st.floats(0.01, 40), min_size=1, max_size=15))
def test_whatever_happens_reports_alternate_and_the_vault_stays_armed(seed: int, hours: list[float]) -> None:
    one = panel(habits=MISHAPS_EVERY_DAY, seed=seed)
    arming = {area: not one.armed[area] for area in AREAS}
    conditions: dict[tuple[Code, int, int], bool] = {}
    for step_hours in hours:
        for report in one.advance(one.local_now + timedelta(hours=step_hours)):
            key = (report.code, report.area, report.number)
            if report.code is Code.OPEN_CLOSE_BY_USER:
                opened = report.qualifier is Qualifier.NEW
                assert arming[report.area] != opened
                arming[report.area] = opened
            elif report.code in {Code.BURGLARY, Code.ENTRY_EXIT, Code.SILENT_HOLD_UP, Code.BYPASS, Code.MAINS_LOSS}:
                began = report.qualifier is Qualifier.NEW
                assert conditions.get(key, not began) != began
                conditions[key] = began
        assert one.armed[VAULT]
        assert 0 <= one.battery.charge <= 1
    assert {area: not armed for area, armed in one.armed.items()} == arming


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.floats(0.001, 30), min_size=1, max_size=20))
def test_how_often_one_looks_changes_nothing(seed: int, cuts: list[float]) -> None:
    often, once = (panel(habits=MISHAPS_EVERY_DAY, seed=seed) for _ in range(2))
    end = NOON + timedelta(hours=sum(cuts))
    pieces: list[Report] = []
    for cut in cuts:
        pieces += often.advance(min(end, often.local_now + timedelta(hours=cut)))
    pieces += often.advance(end)
    assert pieces == once.advance(end)


def test_a_fleet_of_panels_has_the_keys_zones_and_clocks_of_a_usual_one() -> None:
    chance = World(seed=5).chance("fleet")
    fleet = [draw_installation(chance) for _ in range(4000)]
    keys = Counter(0 if one.key is None else len(one.key) for one in fleet)
    assert {size: round(count / 4000, 1) for size, count in keys.items()} == {16: 0.4, 32: 0.2, 0: 0.4}
    assert all(16 <= len(one.zones) - 2 <= 40 for one in fleet)
    slow = sum(one.clock_offset_s < -40 for one in fleet) / 4000
    assert slow == pytest.approx(0.05, abs=0.015)
    assert all(abs(one.clock_offset_s) <= 2 or one.clock_offset_s < -40 for one in fleet)


def test_a_year_of_a_branch_brings_faults_of_every_kind_and_their_repairs() -> None:
    one = panel(habits=MISHAPS_EVERY_DAY)
    said = Counter((report.qualifier, report.code) for report in one.advance(NOON + timedelta(days=200)))
    for code in (Code.ZONE_TROUBLE, Code.DETECTOR_BATTERY, Code.BATTERY_LOW):
        assert said[Qualifier.NEW, code] > 3
        assert abs(said[Qualifier.NEW, code] - said[Qualifier.RESTORE, code]) <= len(one.zones)
    assert said[Qualifier.NEW, Code.PROGRAM_CHANGED] > 3


def test_without_mishaps_a_year_brings_none() -> None:
    one = panel()
    said = {report.code for report in one.advance(NOON + timedelta(days=365))}
    assert said == {Code.OPEN_CLOSE_BY_USER, Code.PERIODIC_TEST}
