"""Simulated branches and what is written for their gateways."""

from datetime import time
from pathlib import Path

import pytest
import yaml

from branchwatch.scenario_check import check_scenario
from branchwatch.simulation import gateway_document, make_branches, write_gateway_settings
from contracts.errors import ConfigurationError
from gateway.settings import GatewaySettings
from runtime.clock import SystemClock
from runtime.settings import load_settings
from simulators.branch import SimulatedBranch
from simulators.player import Player
from simulators.scenario import Expected, Scenario, Step, load_scenario, scenario_names
from simulators.world import World

NOWHERE = ("127.0.0.1", 1)


@pytest.mark.parametrize("name", scenario_names())
def test_the_gateways_of_every_scenario_take_the_settings_written_for_them(name: str, tmp_path: Path) -> None:
    scenario = load_scenario(name)
    branches = make_branches(12, scenario, NOWHERE, 1, 20_000)
    for path, branch in zip(write_gateway_settings(branches, scenario, tmp_path, tmp_path), branches, strict=True):
        settings = load_settings(GatewaySettings, path)
        assert [device.id for device in settings.devices] == list(branch.devices)
        assert {device.driver for device in settings.devices} == {
            "xfs", "xfs+snmp", "onvif", "dc09", "axis", "milesight",
        }  # fmt: skip


def test_settings_of_a_driver_reach_each_of_its_connections(tmp_path: Path) -> None:
    scenario = load_scenario("steady").model_copy(update={"drivers": {"onvif": {"probe_s": 7}, "snmp": {"poll_s": 9}}})
    (branch,) = make_branches(1, scenario, NOWHERE, 1, 20_000)
    document = gateway_document(branch, scenario, tmp_path)
    sections = [
        section
        for device in document["devices"]
        for section in (device.get("connections") or [device["connection"]])
    ]  # fmt: skip
    assert [section["probe_s"] for section in sections if section["driver"] == "onvif"] == [7] * 4
    assert [section["poll_s"] for section in sections if section["driver"] == "snmp"] == [9]
    assert {section["poll_s"] for section in sections if section["driver"] == "xfs"} == {scenario.poll_s}


def test_the_same_first_port_and_seed_write_the_same_files(tmp_path: Path) -> None:
    scenario = load_scenario("demo")
    written = []
    for attempt in ("a", "b"):
        branches = make_branches(2, scenario, NOWHERE, 1, 20_000)
        paths = write_gateway_settings(branches, scenario, tmp_path / attempt, tmp_path)
        written.append([yaml.safe_load(path.read_text()) for path in paths])
    assert written[0] == written[1]


def trial(expected: Expected, **rules: dict[str, float]) -> Player:
    step = Step(name="a", at_s=1, branch=1, device="atm-01", inject="note_jam", expect=(expected,))
    scenario = Scenario(
        name="t", title_en="t", title_zh="试", begin_at=time(10), pace=1, needs_s=10, steps=(step,),
        rules={name.replace("__", "."): values for name, values in rules.items()},
    )  # fmt: skip
    return Player(scenario, [SimulatedBranch("BR0001", World(), NOWHERE)], None, SystemClock())


@pytest.mark.parametrize(
    ("player", "said"),
    [
        (trial(Expected(rule="atm.cdm.jm")), r"step a: no rule 'atm.cdm.jm'; near it: .*atm.cdm.jam"),
        (
            trial(Expected(rule="ftf.silent")),
            "step a: rule ftf.silent looks at footfall_sensor; atm-01 is of kind atm",
        ),
        (
            trial(Expected(rule="ftf.silent", device="gateway")),
            "step a: rule ftf.silent looks at footfall_sensor; gateway is of kind gateway",
        ),
        (trial(Expected(rule="atm.cdm.jam"), atm__cdm__jm={"on_delay_s": 3}), "rules.overrides.atm.cdm.jm: no such rule"),
        (trial(Expected(rule="atm.cdm.jam"), atm__cdm__jam={"on_dely_s": 3}), "scenario t: rules: on_dely_s"),
        (trial(Expected(rule="atm.cdm.jam"), atm__cdm__jam={"threshold": 3}), "the rule has no such number"),
    ],
)  # fmt: skip
def test_what_a_scenario_expects_of_rules_in_vain_is_named_before_anything_starts(player: Player, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_scenario(player)


def test_a_scenario_that_fits_passes() -> None:
    check_scenario(trial(Expected(rule="atm.cdm.jam", closed=True), atm__cdm__jam={"on_delay_s": 3}))


@pytest.mark.parametrize("name", scenario_names())
def test_every_included_scenario_fits_the_rules_and_the_branches(name: str) -> None:
    scenario = load_scenario(name)
    branches = make_branches(scenario.branches, scenario, NOWHERE, 1, 20_000)
    check_scenario(Player(scenario, branches, None, SystemClock()))
