"""The camera without a line: light, dirt, warmth, disk, clock, motion and mishaps."""

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.camera import Position
from simulators.camera.attack import LASTS_MS, Attack
from simulators.camera.hardware import CRITICAL_C, CameraClock, Housing, JobState, Recorder
from simulators.camera.mishaps import Fate
from simulators.camera.model import Camera
from simulators.camera.scene import Lens, Movement, light
from tests.simulators.camera.bench import MORNING

DAY_S = 86400.0
START_MS = int(MORNING.timestamp() * 1000)
NIGHT = MORNING.replace(hour=2)


def camera(position: Position = Position.BACK_ROOM, seed: int = 1, at: datetime = MORNING) -> Camera:
    return Camera(position, random.Random(seed), at, int(at.timestamp() * 1000), visitors_a_day=280)


def at_ms(local: datetime) -> int:
    return int(local.timestamp() * 1000)


def test_it_is_dark_at_night_and_the_lamp_is_on() -> None:
    for position in Position:
        assert light(position, NIGHT) < 0.1 < light(position, MORNING)
        assert camera(position, at=NIGHT).dark
        assert not camera(position).dark


@pytest.mark.parametrize(("outdoor", "days"), [(True, 120), (False, 500)])
def test_a_lens_gets_dirty_until_it_is_wiped(outdoor: bool, days: int) -> None:
    lens, seen = Lens(outdoor), []
    for more_days in (0, days - 1, 2):
        lens.age(more_days * DAY_S)
        seen.append((lens.impaired, lens.blurred))
    lens.clean()
    seen.append((lens.impaired, lens.blurred))
    assert seen == [(False, False), (True, False), (True, True), (False, False)]


@given(st.integers(0, 400))
def test_a_stream_has_two_to_four_megabits_by_day_and_one_to_two_by_night(seed: int) -> None:
    by_day, by_night = camera(seed=seed), camera(seed=seed, at=NIGHT)
    by_day.lens.dirt = by_night.lens.dirt = 0
    assert 0.85 * 2e6 <= by_day.bitrate_bps <= 4e6
    assert 0.85 * 1e6 <= by_night.bitrate_bps <= 2e6
    by_day.signal_lost = True
    assert by_day.bitrate_bps < 0.1e6


def test_a_camera_without_its_fan_gets_warmer_and_a_sealed_one_critical() -> None:
    housing = Housing(Position.BACK_ROOM)
    housing.pass_time(7200, MORNING)
    sound_c = housing.temperature_c
    housing.fan_failed = True
    housing.pass_time(7200, MORNING)
    assert sound_c + 10 < housing.temperature_c < CRITICAL_C
    housing.sealed = True
    critical = []
    for passes_s in (7200, 60, 7200):
        housing.pass_time(passes_s, MORNING)
        housing.fan_failed = housing.sealed = False
        critical.append(housing.critical)
    assert critical == [True, True, False]  # it takes its time


def test_a_recorder_that_stops_keeps_what_it_has() -> None:
    recorder = Recorder(retention_ms=1000, disk_age_years=1)
    recorder.follow(5000)
    assert recorder.span_ms(6000) == (5000, 6000)
    recorder.disk_failed = True
    recorder.follow(6000)
    recorder.follow(9000)
    assert recorder.state is JobState.ERROR
    assert recorder.span_ms(9000) == (5000, 6000)
    recorder.replace_disk()
    recorder.follow(9500)
    assert recorder.span_ms(9600) == (8600, 9600)


def test_disks_die_more_often_from_the_fourth_year_on() -> None:
    rates = [Recorder(1, years).failures_a_year for years in (1, 4, 6)]
    assert rates[0] == rates[1] == 0.035 < rates[2]


def test_nineteen_clocks_of_twenty_have_a_time_source_and_the_others_drift() -> None:
    clocks = [CameraClock.drawn(random.Random(seed), START_MS) for seed in range(1000)]
    without = [clock for clock in clocks if not clock.has_time_source]
    assert 25 < len(without) < 80
    later_ms = START_MS + 86_400_000
    for clock in without:
        drift_s = (clock.read_ms(later_ms) - later_ms - clock.offset_ms) / 1000
        assert abs(drift_s) < 6
        assert clock.synchronised_ms(START_MS) == 0
    for clock in (clock for clock in clocks if clock.has_time_source):
        assert abs(clock.read_ms(later_ms) - later_ms) < 1000
        assert 0 <= clock.read_ms(later_ms) - clock.synchronised_ms(later_ms) < 3_600_000


@pytest.mark.parametrize(
    ("position", "hour", "fewest", "most"),
    [(Position.ENTRANCE, 10, 60, 140), (Position.BACK_ROOM, 10, 2, 7), (Position.ENTRANCE, 2, 0, 1)],
)
def test_motion_follows_the_visitors(position: Position, hour: int, fewest: int, most: int) -> None:
    begin = MORNING.replace(hour=hour)
    movement = Movement(position, 280, random.Random(3), begin)
    hours, seen = 20, 0
    for _ in range(hours):
        movement = Movement(position, 280, random.Random(seen + hour), begin)
        seen += sum(movement.seen(begin + timedelta(seconds=second)) for second in range(3600))
    assert fewest <= seen / hours <= most


def test_a_motion_alarm_stays_for_a_moment_and_a_covered_lens_sees_none() -> None:
    one, seen = camera(Position.ENTRANCE), []
    for after_ms in (1000, 2000, 5000):
        one.advance(MORNING + timedelta(hours=1), START_MS + after_ms)
        seen.append(one.motion)
    one.lens.sprayed = True
    one.advance(MORNING + timedelta(hours=3), START_MS + 6000)
    assert [*seen, one.motion] == [True, True, False, False]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-3600, 86400), max_size=20), st.sampled_from(Position))
def test_time_may_jump_and_nothing_leaves_its_range(jumps_s: list[int], position: Position) -> None:
    one, local, now_ms = camera(position), MORNING, START_MS
    for jump_s in jumps_s:
        local += timedelta(seconds=jump_s)
        now_ms += jump_s * 1000
        one.advance(local, now_ms)
        assert 0 <= one.lens.dirt <= 1
        assert 0 <= one.load <= 1
        assert -20 < one.housing.temperature_c < 100


def test_one_restart_in_twenty_five_forgets_to_record() -> None:
    forgotten = 0
    for seed in range(1000):
        one = camera(seed=seed)
        one.reboot()
        assert one.recorder is not None
        forgotten += one.recorder.stopped
    assert 15 < forgotten < 75


def test_the_same_seed_gives_the_same_camera() -> None:
    first, again, other = camera(seed=4), camera(seed=4), camera(seed=5)
    for one in (first, again, other):
        one.advance(MORNING + timedelta(hours=3), START_MS + 10_800_000)
    assert (first.booted_ms, first.load, first.bitrate_bps) == (again.booted_ms, again.load, again.bitrate_bps)
    assert first.booted_ms != other.booted_ms


def test_an_attack_is_two_hundred_attempts_and_can_be_ended() -> None:
    attack = Attack()
    assert attack.attempts(START_MS) == 0
    attack.begin(START_MS)
    assert attack.attempts(START_MS + 59_999) == 20
    attack.begin(START_MS + 60_000)
    assert attack.attempts(START_MS + 10 * LASTS_MS) == 180
    attack.begin(START_MS)
    attack.end()
    assert attack.attempts(START_MS + LASTS_MS) == 0


def test_mishaps_come_as_often_as_those_of_real_cameras_and_what_begins_by_itself_ends() -> None:
    counts: dict[str, int] = {}
    cameras, years = 60, 3
    for seed in range(cameras):
        fate = Fate(Position.OUTDOOR, random.Random(seed), MORNING, Recorder(1, 2.0))
        for day in range(int(365.25 * years)):
            for happening in fate.happened(MORNING + timedelta(days=day)):
                name = f"{happening.failure} {'begins' if happening.begins else 'ends'}"
                counts[name] = counts.get(name, 0) + 1
    camera_days = cameras * years * 365.25
    assert counts["pull_point_lost begins"] == pytest.approx(camera_days / 20, rel=0.1)
    assert counts["unreachable begins"] == pytest.approx(camera_days / 240, rel=0.2)
    assert counts["overheated begins"] == pytest.approx(camera_days / 30, rel=0.1)
    assert counts["unreachable ends"] < counts["unreachable begins"]
    assert 0.02 * cameras * years <= counts["disk_dying begins"] <= 0.08 * cameras * years
    indoors = Fate(Position.BACK_ROOM, random.Random(1), MORNING, None)
    later = indoors.happened(MORNING + timedelta(days=4000))
    assert not {"overheated", "disk_dying"} & {happening.failure for happening in later}
