"""Scenarios as files."""

from datetime import datetime
from pathlib import Path

import pytest

from contracts.errors import ConfigurationError
from rules.files import load_rules
from runtime.clock import ManualClock, SystemClock
from simulators.branch import SimulatedBranch
from simulators.player import Player
from simulators.scenario import load_scenario, scenario_names
from simulators.world import CHINA, World


@pytest.mark.parametrize("name", scenario_names())
async def test_every_included_scenario_can_be_played_on_one_branch_and_on_five(name: str) -> None:
    scenario = load_scenario(name)
    for count in (1, 5):
        branches = [SimulatedBranch(f"BR{number:04d}", World(), ("127.0.0.1", 1)) for number in range(count)]
        await Player(scenario, branches, None, SystemClock()).start()


@pytest.mark.parametrize("name", scenario_names())
def test_every_rule_a_scenario_speaks_of_exists(name: str) -> None:
    scenario = load_scenario(name)
    known = {rule.id for rule in load_rules()}
    assert {expected.rule for step in scenario.steps for expected in step.expect} | set(scenario.rules) <= known


HEAD = "{name: x, title_en: x, title_zh: x, begin_at: '10:00', pace: 1, needs_s: 10, steps: [%s]}"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{name: a, at_s: 1, branch: 1, expect: {rule: r.x}}", "steps.0: .*one of inject .*, strike and cut_line_s"),
        ("{name: a, at_s: 1, branch: 1, inject: jam, expect: {rule: r.x}}", "inject and device belong together"),
        (
            "{name: a, at_s: 11, branch: 1, cut_line_s: 5, expect: {rule: r.x, device: gateway}}",
            "at 11 s is not within needs_s",
        ),
        ("{name: a, at_s: 1, branch: 0, cut_line_s: 5, expect: {rule: r.x}}", "steps.0.branch: expected 1 or more"),
        ("{name: a, at_s: 1, branch: 1, cut_line_s: 5}", "steps.0.expect: missing"),
        ("{name: a, at_s: 1, branch: 1, cut_line_s: 5, expect: []}", "steps.0.expect: too short; expected at least 1"),
        ("{name: a, at_s: 1, branch: 1, cut_line_s: 5, expect: {rule: r.x}}", "expect of r.x: say the device"),
        (
            "{name: a, at_s: 1, branch: 1, cut_line_s: 9, expect: {rule: r.x, device: gateway}}",
            "step a ends at 10 s, not within needs_s",
        ),
        (
            "{name: a, at_s: 1, branch: 1, strike: flood, technician: true, expect: {rule: r.x, device: panel-01}}",
            "a technician repairs a device",
        ),
        (
            "{name: a, at_s: 1, branch: 1, cut_line_s: 1, over_after_s: 1, expect: {rule: r.x, device: gateway}}",
            "over_after_s goes with inject or strike",
        ),
    ],
)
def test_a_senseless_step_is_named_with_its_place(step: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(HEAD % step)
    with pytest.raises(ConfigurationError, match=said):
        load_scenario(str(path))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            "{name: a, at_s: 1, branch: 1, device: atm-01, inject: flood, expect: {rule: r.x}}",
            r"step a: no failure 'flood'; there are .*note_jam",
        ),
        (
            "{name: a, at_s: 1, branch: 1, device: atm-09, inject: note_jam, expect: {rule: r.x}}",
            r"step a: no device 'atm-09'; there are atm-01, .*, gateway",
        ),
        (
            "{name: a, at_s: 1, branch: 1, device: gateway, inject: note_jam, expect: {rule: r.x}}",
            r"step a: no failure 'note_jam'; there are none",
        ),
        (
            "{name: a, at_s: 1, branch: 1, cut_line_s: 5, expect: {rule: r.x, device: gatway}}",
            r"step a: no device 'gatway'; there are atm-01, .*, gateway",
        ),
        (
            "{name: a, at_s: 1, branch: 1, strike: flood, expect: {rule: r.x, device: panel-01}}",
            r"step a: no 'flood' can befall a branch; there are mains_failure, camera_switch_dead",
        ),
    ],
)
async def test_what_a_branch_does_not_have_is_refused_before_anything_breaks(
    step: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(HEAD % step)
    player = Player(
        load_scenario(str(path)), [SimulatedBranch("BR0001", World(), ("127.0.0.1", 1))], None, SystemClock()
    )
    with pytest.raises(ConfigurationError, match=said):
        await player.start()


def test_two_steps_of_one_name_are_refused(tmp_path: Path) -> None:
    step = "{name: a, at_s: 1, branch: 1, cut_line_s: 5, expect: {rule: r.x, device: gateway}}"
    path = tmp_path / "s.yaml"
    path.write_text(HEAD % f"{step}, {step}")
    with pytest.raises(ConfigurationError, match="two steps are named a"):
        load_scenario(str(path))


def test_a_world_without_nights_begins_its_next_day_at_the_same_time_of_day() -> None:
    clock = ManualClock(1_795_000_000_000)
    begin = datetime(2026, 6, 8, 10, tzinfo=CHINA)
    world = World(pace=60, begin_at=begin, day_s=6 * 3600, clock=clock)
    clock.advance(5 * 60_000)
    assert world.local_time() == begin.replace(hour=15)
    clock.advance(2 * 60_000)
    assert world.local_time() == begin.replace(day=9, hour=11)
